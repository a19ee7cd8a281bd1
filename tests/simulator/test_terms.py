"""A derivation is the computation itself."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import simulator
from energy.errors import MissingDataError
from energy.quantity import Origin, Quantity
from simulator.questions.sensitivity.answer import sensitivity, tornado
from simulator.runs import reported
from simulator.runs.terms import carbon
from simulator.scenarios.scenario import load
from simulator.terms import Term, as_json, draw, lines, product, total, walk

positive = st.floats(1e-6, 1e12)


def leaf(name, value=2.0, width=0.1, unit="1", origin=Origin.MODELLED):
    return Term(name, Quantity.of(value, unit, f"row {name}", origin, relative=width))


@st.composite
def trees(draw):
    """chips x watts x (compute + wait) x pue / goodput, with any numbers."""
    names = ("chips", "watts", "compute", "wait", "pue", "goodput")
    leaves = {name: leaf(name, draw(positive), draw(st.floats(0, 0.5))) for name in names}
    busy = total("busy", leaves["compute"], leaves["wait"])
    factors = (leaves["chips"], leaves["watts"], busy, leaves["pue"])
    return product("energy", "J", *factors, over=(leaves["goodput"],))


@given(trees())
def test_every_inner_number_follows_from_the_ones_below_it(tree):
    for term in walk(tree):
        assert term.value() == pytest.approx(term.quantity.value, rel=1e-9)
        assert term.quantity.low <= term.quantity.value <= term.quantity.high


@given(trees(), positive)
def test_a_replaced_leaf_moves_the_answer_as_its_power_says(tree, factor):
    before = tree.value()
    for name, power in (("chips", 1), ("watts", 1), ("pue", 1), ("goodput", -1)):
        own = tree.find(name).quantity.value
        assert tree.value({name: own * factor}) == pytest.approx(before * factor**power)


@given(trees())
def test_a_tornado_is_sorted_and_leaves_exact_numbers_out(tree):
    bars = tornado(tree)
    assert [bar.swing for bar in bars] == sorted((bar.swing for bar in bars), reverse=True)
    moving = {leaf.name for leaf in tree.leaves() if leaf.quantity.high > leaf.quantity.low}
    assert {bar.name for bar in bars} == moving


def test_independent_errors_add_in_quadrature_in_the_tree_as_in_draws():
    answer = product("answer", "1", leaf("a", 5.0, 0.1), leaf("b", 7.0, 0.1))
    generator = np.random.default_rng(0)
    drawn = {factor.name: draw(factor.quantity, generator, 40_000) for factor in answer.leaves()}
    _, low, high = answer.quantity.numbers()
    assert np.quantile(answer.value(drawn), [0.1, 0.9]) == pytest.approx([low, high], rel=0.01)
    assert math.log(high / 35) == pytest.approx(math.sqrt(2) * math.log(1.1))


@pytest.mark.parametrize(("of", "budget"), [("time", "days"), ("energy", "mwh"), ("co2", "co2")])
def test_one_answer_has_one_band_whichever_verb_prints_it(of, budget):
    predicted = simulator.predict("glam-8b-64e").terms_by_budget()[budget].quantity
    together = sensitivity("glam-8b-64e", of=of).together
    assert together.numbers() == pytest.approx(predicted.numbers())


def test_the_printed_tree_shows_each_leaf_with_its_row():
    tree = product("energy", "J", leaf("chips", 1024, 0), leaf("watts", 326, 0.026, "W"))
    text = "\n".join(lines(tree))
    assert text.startswith("energy 334,000 J (80 %: 325,000 to 343,000, modelled) = chips x watts")
    assert "├─ chips 1,024 (modelled)  [row chips]" in text
    assert "└─ watts 326 W (80 %: 318 to 334, modelled)  [row watts]" in text
    assert [child["name"] for child in as_json(tree)["children"]] == ["chips", "watts"]


def test_a_missing_leaf_makes_the_answer_missing_with_its_reason():
    gone = Term("watts", Quantity.absent("W", "nobody measured"))
    tree = product("energy", "J", leaf("chips"), gone)
    assert tree.quantity.value is None
    assert tree.quantity.source == "nobody measured"
    with pytest.raises(MissingDataError, match="nobody measured"):
        tree.value()


def test_the_sensitivity_of_a_run_moves_the_leaves_of_its_derivation():
    answer = sensitivity("gpt3-175b", of="energy", basis="published")
    assert answer.result.name == "facility energy"
    assert answer.terms() == {"": answer.result}
    assert {bar.name for bar in answer.bars} <= {leaf.name for leaf in answer.result.leaves()}
    assert answer.together.low < answer.result.quantity.value < answer.together.high


@pytest.mark.parametrize("name", ["glam-64b-64e", "glam-64b-64e-280b", "gpt3-175b"])
def test_the_tree_of_a_published_run_ends_in_the_numbers_of_its_record(name):
    scenario = load(name)
    record, published = reported.record(scenario), scenario.published
    tree = carbon(reported.energy(scenario), published.power_boundary, record, published.accounting)
    co2 = record.co2_location_g if published.accounting == "location" else record.co2_market_g
    assert tree.value() == pytest.approx(co2.value, rel=1e-12)
    facility = tree.find("facility energy").quantity
    assert facility.value == pytest.approx(record.totals["facility"].value, rel=1e-12)


def test_a_term_prints_as_one_line():
    tree = simulator.predict("glam-64b-64e").terms()[""]
    assert repr(tree).startswith("Term('CO2e, gross', ")
    assert repr(tree).endswith(", from 3 terms)")
