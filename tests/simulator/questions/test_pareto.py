"""`simulator pareto`: what nothing beats, by brute force as well; with the numbers of predict."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from energy.errors import InfeasibleError, InputError
from simulator.physics.plan import Plan
from simulator.plans import front
from simulator.plans.evaluate import all_plans, predict_all
from simulator.quality.laws import DEFAULT_LAW, law
from simulator.quality.match import match
from simulator.questions.sweep import pareto
from simulator.questions.sweep import picture_pareto as plots_fronts
from simulator.questions.sweep.cells import tokens_of
from simulator.questions.sweep.pareto import OBJECTIVES
from simulator.runs import spend
from simulator.runs.models import of_models
from simulator.runs.setup import allowed, machine_of, usual_widths
from simulator.scenarios.scenario import load
from simulator.scenarios.variants import planned

# Few values, so that ties and equal choices come often.
costs = st.integers(1, 4).flatmap(
    lambda columns: st.lists(
        st.lists(st.integers(1, 5), min_size=columns, max_size=columns), min_size=1, max_size=40
    ).map(lambda rows: np.array(rows, dtype=float))
)


def beaten(one, by):
    return all(by <= one) and any(by < one)


@given(costs)
def test_the_front_is_what_brute_force_leaves(rows):
    brute = [not any(beaten(one, by) for by in rows) for one in rows]
    assert front.non_dominated(rows).tolist() == brute


@given(costs.filter(lambda rows: rows.shape[1] == 2))
def test_the_staircase_is_the_front_of_two_objectives_each_point_once(rows):
    found = rows[front.staircase(rows)]
    whole = rows[front.non_dominated(rows)]
    assert sorted(map(tuple, found)) == sorted(set(map(tuple, whole)))
    assert np.all(np.diff(found[:, 0]) > 0)


def test_what_is_not_finite_is_no_choice():
    rows = np.array([[np.inf, 1.0], [2.0, np.nan], [3.0, 3.0]])
    assert front.staircase(rows).tolist() == [2]


@given(costs)
def test_every_choice_of_the_front_is_told_or_near_one_that_is(rows):
    whole = rows[front.non_dominated(rows)]
    groups = front.apart(whole, 0.3)
    assert sorted(index for group in groups for index in group) == list(range(len(whole)))
    for group in groups:
        for index in group:
            far = np.abs(whole[group[0]] - whole[index])
            assert np.all(far <= 0.3 * np.maximum(whole[group[0]], whole[index]))
    told = whole[[group[0] for group in groups]]
    assert told.min(axis=0).tolist() == whole.min(axis=0).tolist()


def test_a_reason_names_what_is_least_or_what_is_traded():
    rows = np.array([[1.0, 100.0], [2.0, 50.0], [4.0, 40.0]])
    words = front.reasons(rows, ["time", "energy"])
    assert words == [
        "least time",
        "trade-off: +100% time, -50% energy against the row above",
        "least energy",
    ]


@pytest.fixture(scope="module")
def found():
    models = of_models(["glam-8b-64e", "glam-8b"], RUN)
    prices = ["h100-on-demand-2026", "a100-80gb-on-demand-2026"]
    return pareto.pareto(models, ["h100", "a100"], [64, 128], ["FRA", "US"], prices)


RUN = {
    "run.tokens": 1e11,
    "run.batch_tokens": 1e6,
    "run.steps": None,
    "hardware.chip": "h100",
    "hardware.count": 64,
}


def test_no_cell_holds_anything_that_beats_a_choice(found):
    every = np.concatenate([cell.costs[:, : len(OBJECTIVES)] for cell in found.cells])
    assert found.objectives == tuple(OBJECTIVES)
    for choice in found.choices:
        own = np.array([choice.quantities[name].value for name in OBJECTIVES])
        assert not any(beaten(own * (1 - 1e-9), by) for by in every)
    assert found.on_front == sum(1 + choice.near for choice in found.choices)
    assert found.dominated == found.feasible - found.on_front > 0


def test_a_choice_takes_what_predict_says_of_its_plan(found):
    for choice in found.choices:
        said = spend.predicted(planned(choice.cell.scenario, choice.plan)).by_budget()
        weeks, *rest = choice.cell.costs[choice.index].tolist()
        assert weeks * 7 == pytest.approx(said["days"].value, rel=1e-9)
        for value, name in zip(rest, ("mwh", "co2", "usd", "mw"), strict=True):
            assert value == pytest.approx(said[name].value, rel=1e-9)


def test_every_plan_of_a_cell_is_counted_and_its_front_is_of_all_that_fit():
    (scenario,) = of_models(["glam-8b-64e"], RUN)
    (cell,) = pareto.pareto([scenario]).cells
    shape = scenario.model.resolve()
    hardware, constants, _ = machine_of(scenario, shape)
    batch = 1e6 / float(shape.seq_len)
    base = Plan(n_chips=64, global_batch=batch, **usual_widths(scenario))
    every = predict_all(
        shape, all_plans(shape, 64, batch, base, allowed(scenario)), hardware, constants
    )
    assert cell.considered == len(every)
    assert cell.feasible == every.fits.sum()
    pairs = np.column_stack([every.step_s, every.step_s * every.chip_w])[every.fits]
    assert len(cell.found) == len(set(map(tuple, pairs[front.non_dominated(pairs)])))


def test_a_missing_price_leaves_dollars_out_and_says_of_what():
    models = of_models(["glam-8b-64e"], RUN)
    found = pareto.pareto(models, ["h100", "a100"], [64], [], ["h100-on-demand-2026"])
    assert found.objectives == ("weeks", "mwh", "co2")
    assert any("a100-sxm4-80gb" in note and "dollars" in note for note in found.notes)


def test_rent_is_never_compared_with_electricity_alone():
    models = of_models(["glam-8b-64e"], RUN | {"site.electricity_price": 0.08})
    found = pareto.pareto(models, ["h100", "a100"], [64], [], ["h100-on-demand-2026"])
    assert "usd" not in found.objectives


def test_what_was_said_of_one_chip_does_not_go_with_another():
    models = of_models(["glam-64b-64e"], {})
    assert models[0].hardware.software is not None
    found = pareto.pareto(models, ["tpu-v4", "h100"], [1024])
    software = {
        cell.scenario.hardware.chip: cell.scenario.hardware.software for cell in found.cells
    }
    assert software == {"tpu-v4": models[0].hardware.software, "h100-sxm5-80gb": None}


def test_at_equal_quality_each_model_reads_what_brings_it_to_the_loss_of_the_first():
    laws = match(load("glam-8b-64e", RUN), load("glam-8b"), law(DEFAULT_LAW))
    models = of_models(["glam-8b-64e", "glam-8b"], RUN, "quality")
    assert tokens_of(models[0]) == RUN["run.tokens"]
    assert tokens_of(models[1]) == pytest.approx(laws.tokens.value)
    notes = pareto.pareto(models).notes
    assert any("an equal loss by the central law" in note for note in notes)
    with pytest.raises(InputError, match="equal"):
        of_models(["glam-8b"], RUN, "flop")


def test_what_fits_nowhere_is_an_answer_with_a_reason():
    with pytest.raises(InfeasibleError, match="fits in memory"):
        pareto.pareto([load("glam-64b-64e")], ["h100"], [8])
    one = load("glam-8b-64e", {"hardware.machine": "m.toml", "hardware.chip": None})
    with pytest.raises(InputError, match="machine"):
        pareto.pareto([one])


def test_the_picture_has_a_unit_on_every_axis_the_band_and_a_number_a_choice(found):
    panels = plots_fronts.front(found)
    assert len(panels) == 3
    for panel, axes in zip(panels, Figure().subplots(3), strict=True):
        panel(axes)
        assert "/" in axes.get_xlabel()
        assert "/" in axes.get_ylabel()
        numbers = [text.get_text() for text in axes.texts]
        assert numbers == [str(number) for number in range(1, len(found.choices) + 1)]
        assert len(axes.containers) >= len(found.choices)


def test_the_verb_tells_the_front_as_json_and_as_a_page(simulator, tmp_path):
    words = (
        "pareto",
        "glam-8b-64e",
        "glam-8b",
        "--chip",
        "h100",
        "--chips",
        "64,128",
        "--tokens",
        "1e11",
        "--plot",
        "p.html",
    )
    code, out, err = simulator(*words, "--json", "--explain")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["objectives"] == ["weeks", "mwh", "co2"]
    assert {choice["kind"] for choice in told["front"]} <= {"moe", "dense"}
    assert len(told["explain"]) == len(told["front"])
    for choice, tree in zip(told["front"], told["explain"], strict=True):
        assert tree["quantity"]["value"] / 1e6 == pytest.approx(choice["co2"]["value"])
        assert choice["mwh"]["low"] < choice["mwh"]["value"] < choice["mwh"]["high"]
        assert choice["usd"]["origin"] == "missing"
    code, out, _ = simulator(*words)
    assert code == 0
    assert all(
        line.strip() in (tmp_path / "p.html").read_text()
        for line in out.splitlines()
        if "least" in line
    )


def test_a_count_that_is_no_number_is_one_line(simulator):
    code, _, err = simulator("pareto", "glam-8b-64e", "--chips", "64,many")
    assert code == 2
    assert err == "error: expected --chips with whole numbers; got 64,many\n"
