"""What keeps to limits, compared with predicting every plan of small spaces one by one."""

import gc
from datetime import date
from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from energy.errors import InfeasibleError, MissingDataError
from energy.facts.prices import price
from simulator.plans.evaluate import Evaluation
from simulator.questions.sweep.cells import MEASURES, Choices
from simulator.questions.sweep.feasible import within_limits
from simulator.questions.sweep.limits import OPTIONS, Limits
from simulator.questions.sweep.picture_feasible import panels
from simulator.questions.sweep.search import search_cells
from simulator.runs import spend
from simulator.runs.models import of_models
from simulator.scenarios.variants import moved_site, on_chips
from tests.support.plans import fits

START = date(2027, 1, 1)


FIXED = {
    "pp": 1,
    "cp": 1,
    "ep": 1,
    "etp": 1,
    "vp": 1,
    "sequence_parallel": True,
    "recompute": "selective",
}


RUN = {
    "run.tokens": 1e9,
    "run.batch_sequences": 64,
    "run.batch_tokens": None,
    "run.steps": None,
    "hardware.chip": "h100",
    "hardware.count": 4,
    "hardware.software": None,
    "site.pue": 1.2,
    "plan": FIXED,
}


MODELS = ("glam-1.7b-64e", "glam-1.7b")


CHIPS = ("h100-sxm5-80gb", "a100-sxm4-80gb")


COUNTS = (4, 8)


PLACES = ("US", "FRA")


PRICES = ("h100-on-demand-2026", "a100-80gb-on-demand-2026")


@cache
def brute():
    """Each configuration of the whole space that fits in memory, predicted by itself."""
    rows = [price(name) for name in PRICES]
    rows_ = []
    for scenario, chip, count, place in product(of_models(MODELS, RUN), CHIPS, COUNTS, PLACES):
        moved = on_chips(scenario, chip, count, rows)
        moved = moved.model_copy(update={"site": moved_site(moved.site, place)})
        for tp, zero, micro in product((1, 2, 4, 8), (0, 1, 3), (1, 2, 4, 8, 16)):
            if tp > count or micro > 64 / (count / tp):
                continue
            degrees = {"tp": tp, "zero": zero, "micro_batch": float(micro)}
            scenario_ = moved.model_copy(update={"plan": moved.plan | degrees})
            try:
                known = spend.Predicted()(scenario_).by_budget()
            except InfeasibleError:
                continue
            if not fits(scenario_):
                continue
            amounts = {name: quantity.value for name, quantity in known.items()}
            rows_.append(((moved.name, chip, count, place), amounts | {"chips": count}))
    return rows_


def some(names):
    return st.lists(st.sampled_from(names), min_size=1, unique=True)


@st.composite
def questions(draw):
    """A part of the space, and limits near what some configuration of the whole of it takes."""
    part = draw(st.tuples(some(MODELS), some(CHIPS), some(COUNTS), some(PLACES)))
    most = {}
    for name in draw(some(list(OPTIONS))):
        _, amounts = draw(st.sampled_from(brute()))
        most[name] = amounts[name] * draw(st.sampled_from([0.3, 0.8, 0.97, 1.03, 1.4, 3.0]))
    return part, most


def answer_of(part, most):
    models, chips, counts, places = part
    return within_limits(
        of_models(models, RUN),
        Limits(most=most, start=START),
        Choices(chips=chips, counts=counts, places=places, prices=PRICES),
    )


def key_of(cell):
    return (cell.model, cell.scenario.hardware.chip, cell.scenario.hardware.count, cell.place)


def broken(amounts, most):
    return frozenset(name for name, limit in most.items() if amounts[name] > limit)


@settings(max_examples=60)
@given(questions())
def test_it_agrees_with_predicting_every_plan_one_by_one(question):
    part, most = question
    there = [
        (key, amounts)
        for key, amounts in brute()
        if all(name in names for name, names in zip(key, part, strict=True))
    ]
    if not there:
        with pytest.raises(InfeasibleError, match="fits in memory on some of the chips"):
            answer_of(part, most)
        return
    answer = answer_of(part, most)
    good = [(key, amounts) for key, amounts in there if not broken(amounts, most)]
    assert (answer.fit, answer.keeping) == (len(there), len(good))
    fastest = {}
    for key, amounts in good:
        fastest[key] = min(amounts["days"], fastest.get(key, np.inf))
    shown = {
        key_of(keeper.cell): keeper.spend.by_budget()["days"].value for keeper in answer.keepers
    }
    assert shown == pytest.approx(fastest)
    for bound in answer.bounds:
        own = [amounts for _, amounts in there if bound.name in broken(amounts, most)]
        only = [amounts[bound.name] for amounts in own if broken(amounts, most) == {bound.name}]
        assert (bound.breaking, bound.only) == (len(own), len(only))
        assert bound.least == (
            pytest.approx(min(amounts[bound.name] for _, amounts in good)) if good else None
        )
        assert bound.alone == (pytest.approx(min(only)) if only and not good else None)
    if good:
        assert answer.relaxations == []
        rooms = {bound.name: bound.slack / bound.limit for bound in answer.bounds}
        assert rooms[answer.binding[0]] == min(rooms.values())
        return
    # The fewest limits that anything breaks, and for each such set the plan that exceeds it least.
    fewest = min(len(broken(amounts, most)) for _, amounts in there)
    least = {}
    for _, amounts in there:
        names = broken(amounts, most)
        if len(names) == fewest:
            worst = max(amounts[name] / most[name] for name in names)
            least[names] = min(worst, least.get(names, np.inf))
    factors = {frozenset(each.needed): each.factor for each in answer.relaxations}
    assert factors == pytest.approx(least)
    assert answer.relaxations[0].factor == min(factors.values())


@settings(max_examples=15)
@given(questions())
def test_the_least_relaxation_is_enough_and_a_little_less_is_not(question):
    part, most = question
    try:
        answer = answer_of(part, most)
    except InfeasibleError:
        return
    if not answer.relaxations:
        return
    needed = answer.relaxations[0].needed
    assert answer_of(
        part, most | {name: amount * (1 + 1e-9) for name, amount in needed.items()}
    ).keepers
    if len(needed) == 1:
        ((name, amount),) = needed.items()
        assert not answer_of(part, most | {name: amount * (1 - 1e-6)}).keepers


@settings(max_examples=10)
@given(questions())
def test_a_limit_that_is_lowered_to_where_it_could_be_still_holds(question):
    part, most = question
    try:
        answer = answer_of(part, most)
    except InfeasibleError:
        return
    for bound in answer.bounds:
        if bound.least is not None:
            assert answer_of(part, most | {bound.name: bound.least * (1 + 1e-9)}).keepers
            assert not answer_of(part, most | {bound.name: bound.least * (1 - 1e-6)}).keepers


def test_a_configuration_uses_of_each_limit_what_its_bands_say():
    answer = answer_of((MODELS, CHIPS, COUNTS, PLACES), {"mw": 0.02, "chips": 8, "days": 9.0})
    assert answer.keepers
    for keeper in answer.keepers:
        known = keeper.spend.by_budget()
        assert keeper.used["mw"] == pytest.approx(known["mw"].value / 0.02)
        assert keeper.high["days"] == pytest.approx(known["days"].high / 9.0)
        chips = keeper.cell.scenario.hardware.count
        assert keeper.used["chips"] == keeper.high["chips"] == chips / 8
        assert keeper.breaks_at_high == [name for name, part in keeper.high.items() if part > 1]
        assert keeper.used[keeper.binding] == max(keeper.used.values()) <= 1
    days = [keeper.spend.by_budget()["days"].value for keeper in answer.keepers]
    assert days == sorted(days)


def test_what_a_cell_takes_is_what_predict_says_of_every_plan_of_it():
    choices = Choices(chips=CHIPS[:1], counts=[8], places=PLACES, prices=PRICES)
    search = search_cells(of_models(MODELS, RUN), choices, lambda cell: cell)
    rows = {key_of(cell): sorted(map(tuple, cell.costs.tolist())) for cell in search.kept}
    for key, costs in rows.items():
        one_by_one = sorted(
            (amounts["days"] / 7, *(amounts[name] for name in list(MEASURES)[1:]))
            for own, amounts in brute()
            if own == key
        )
        assert np.array(costs) == pytest.approx(np.array(one_by_one), rel=1e-9)


def test_a_search_keeps_nothing_of_a_cell_but_what_keep_returns():
    def alive():
        gc.collect()
        return sum(type(each) is Evaluation for each in gc.get_objects())

    before = alive()
    # The mixture comes first and fits on none of these: its plans go with its error.
    choices = Choices(chips=CHIPS[:1], counts=[2, 4], places=PLACES)
    search = search_cells(of_models(MODELS, RUN), choices, lambda cell: alive() - before)
    assert len(search.left_out) == 2
    assert search.kept == [1] * 4


def test_a_limit_of_dollars_asks_for_a_price_and_leaves_out_what_has_none():
    models, limits = of_models(MODELS, RUN), Limits(most={"usd": 1e9}, start=START)
    with pytest.raises(MissingDataError, match="price of h100"):
        within_limits(models, limits, Choices(chips=CHIPS[:1], counts=[8]))
    choices = Choices(chips=CHIPS, counts=[8], prices=PRICES[:1])
    answer = within_limits(models, limits, choices)
    assert {keeper.cell.scenario.hardware.chip for keeper in answer.keepers} == {CHIPS[0]}
    assert all("price of a100" in why for where, why in answer.left_out.items() if "a100" in where)


@pytest.mark.parametrize("mw", [0.02, 0.0001])
def test_the_picture_has_units_both_limits_and_the_numbers_of_the_page(mw):
    most = {"mw": mw, "chips": 8, "days": 3.0}
    answer = answer_of((MODELS, CHIPS, COUNTS, PLACES), most)
    drawn = panels(answer)
    assert len(drawn) == 2
    for panel, axes, name in zip(drawn, Figure().subplots(2), ("mw", "chips"), strict=True):
        panel(axes)
        assert "/ d" in axes.get_xlabel()
        assert "/" in axes.get_ylabel()
        numbers = [text.get_text() for text in axes.texts]
        assert numbers == [str(number) for number in range(1, len(answer.configurations) + 1)]
        dashed = [
            line for line in axes.lines if line.get_linestyle() == "--" and len(line.get_xdata())
        ]
        lines = {float(line.get_data()[side][0]) for line in dashed for side in (0, 1)}
        assert {3.0, most[name]} <= lines
