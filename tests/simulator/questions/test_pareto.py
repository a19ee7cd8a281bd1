"""`simulator pareto`: what nothing beats, by brute force as well; with the numbers of predict."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from energy.errors import InfeasibleError, InputError
from simulator.physics.memory import memory
from simulator.physics.power import chip_watts
from simulator.physics.step import step
from simulator.plans import front
from simulator.quality.laws import DEFAULT_LAW, law
from simulator.quality.match import match
from simulator.questions.sweep.cells import Choices
from simulator.questions.sweep.pareto import OBJECTIVES, front_of
from simulator.questions.sweep.picture_pareto import panels
from simulator.runs import spend
from simulator.runs.models import of_models
from simulator.runs.setup import Setup
from simulator.scenarios.scenario import load
from simulator.scenarios.variants import planned
from tests.oracles.flat_plans import every_plan

# Few values, so that ties and equal choices come often.
costs = st.integers(1, 4).flatmap(
    lambda columns: st.lists(
        st.lists(st.integers(1, 5), min_size=columns, max_size=columns), min_size=1, max_size=40
    ).map(lambda rows: np.array(rows, dtype=float))
)


def beaten(row, by):
    return all(by <= row) and any(by < row)


@given(costs)
def test_the_front_is_what_brute_force_leaves(rows):
    brute = [not any(beaten(row, by) for by in rows) for row in rows]
    assert front.non_dominated(rows).tolist() == brute


@given(costs.filter(lambda rows: rows.shape[1] == 2))
def test_the_staircase_is_the_front_of_two_objectives_each_point_once(rows):
    steps = rows[front.staircase(rows, np.arange(len(rows)))]
    whole = rows[front.non_dominated(rows)]
    assert sorted(map(tuple, steps)) == sorted(set(map(tuple, whole)))
    assert np.all(np.diff(steps[:, 0]) > 0)


def test_what_is_not_finite_is_no_choice():
    rows = np.array([[np.inf, 1.0], [2.0, np.nan], [3.0, 3.0]])
    assert front.staircase(rows, np.arange(len(rows))).tolist() == [2]


@given(costs)
def test_every_choice_of_the_front_is_shown_or_near_one_that_is(rows):
    whole = rows[front.non_dominated(rows)]
    groups = front.apart(whole, 0.3)
    assert sorted(index for group in groups for index in group) == list(range(len(whole)))
    for group in groups:
        for index in group:
            far = np.abs(whole[group[0]] - whole[index])
            assert np.all(far <= 0.3 * np.maximum(whole[group[0]], whole[index]))
    shown = whole[[group[0] for group in groups]]
    assert shown.min(axis=0).tolist() == whole.min(axis=0).tolist()


def test_a_reason_names_what_is_least_or_what_is_traded():
    rows = np.array([[1.0, 100.0], [2.0, 50.0], [4.0, 40.0]])
    words = front.reasons(rows, ["time", "energy"])
    assert words == [
        "least time",
        "trade-off: +100% time, -50% energy against the row above",
        "least energy",
    ]


@pytest.fixture(scope="module")
def answer():
    models = of_models(["glam-8b-64e", "glam-8b"], RUN)
    prices = ["h100-on-demand-2026", "a100-80gb-on-demand-2026"]
    choices = Choices(chips=["h100", "a100"], counts=[64, 128], places=["FRA", "US"], prices=prices)
    return front_of(models, choices)


RUN = {
    "run.tokens": 1e11,
    "run.batch_tokens": 1e6,
    "run.steps": None,
    "hardware.chip": "h100",
    "hardware.count": 64,
}


def test_no_cell_holds_anything_that_beats_a_choice(answer):
    every = np.concatenate([cell.costs[:, : len(OBJECTIVES)] for cell in answer.cells])
    assert answer.objectives == tuple(OBJECTIVES)
    for choice in answer.choices:
        own = np.array([choice.quantities[name].value for name in OBJECTIVES])
        assert not any(beaten(own * (1 - 1e-9), by) for by in every)
    assert answer.on_front == sum(1 + choice.near for choice in answer.choices)
    assert answer.dominated == answer.feasible - answer.on_front > 0


def test_a_choice_takes_what_predict_says_of_its_plan(answer):
    for choice in answer.choices:
        said = spend.Predicted()(planned(choice.cell.scenario, choice.plan)).by_budget()
        weeks, *rest = choice.cell.costs[choice.index].tolist()
        assert weeks * 7 == pytest.approx(said["days"].value, rel=1e-9)
        for value, name in zip(rest, ("mwh", "co2", "usd", "mw"), strict=True):
            assert value == pytest.approx(said[name].value, rel=1e-9)


def test_every_plan_of_a_cell_is_counted_and_its_front_is_of_all_that_fit():
    (scenario,) = of_models(["glam-8b-64e"], RUN)
    (cell,) = front_of([scenario], Choices()).cells
    setup = Setup.of(scenario)
    plans = every_plan(setup.space())
    fits = memory(setup.shape, plans, setup.hardware).fits
    seconds = step(setup.shape, plans, setup.hardware, setup.constants)
    watts = chip_watts(seconds, setup.hardware, setup.constants)
    assert cell.considered == len(fits)
    assert cell.feasible == fits.sum()
    pairs = np.column_stack([seconds.step_s, seconds.step_s * watts])[fits]
    assert len(cell.evaluation) == len(set(map(tuple, pairs[front.non_dominated(pairs)])))


def test_a_missing_price_leaves_dollars_out_and_says_of_what():
    models = of_models(["glam-8b-64e"], RUN)
    choices = Choices(chips=["h100", "a100"], counts=[64], prices=["h100-on-demand-2026"])
    answer = front_of(models, choices)
    assert answer.objectives == ("weeks", "mwh", "co2")
    assert any("a100-sxm4-80gb" in note and "dollars" in note for note in answer.notes)


def test_rent_is_never_compared_with_electricity_alone():
    models = of_models(["glam-8b-64e"], RUN | {"site.electricity_price": 0.08})
    choices = Choices(chips=["h100", "a100"], counts=[64], prices=["h100-on-demand-2026"])
    answer = front_of(models, choices)
    assert "usd" not in answer.objectives


def test_what_was_said_of_one_chip_does_not_go_with_another():
    models = of_models(["glam-64b-64e"], {})
    assert models[0].hardware.software is not None
    answer = front_of(models, Choices(chips=["tpu-v4", "h100"], counts=[1024]))
    software = {
        cell.scenario.hardware.chip: cell.scenario.hardware.software for cell in answer.cells
    }
    assert software == {"tpu-v4": models[0].hardware.software, "h100-sxm5-80gb": None}


def test_at_equal_quality_each_model_reads_what_brings_it_to_the_loss_of_the_first():
    runs = load("glam-8b-64e", RUN), load("glam-8b")
    laws = match(*runs, law(DEFAULT_LAW), beyond_range=True)
    models = of_models(["glam-8b-64e", "glam-8b"], RUN, "quality", beyond_range=True)
    assert models[0].run.tokens == RUN["run.tokens"]
    assert models[1].run.tokens == pytest.approx(laws.tokens.value)
    notes = front_of(models, Choices()).notes
    assert any("an equal loss by the central law" in note for note in notes)
    with pytest.raises(InputError, match="equal"):
        of_models(["glam-8b"], RUN, "flop")


def test_what_fits_nowhere_is_an_answer_with_a_reason():
    with pytest.raises(InfeasibleError, match="fits in memory"):
        front_of([load("glam-64b-64e")], Choices(chips=["h100"], counts=[8]))
    calibrated = load("glam-8b-64e", {"hardware.machine": "m.toml", "hardware.chip": None})
    with pytest.raises(InputError, match="machine"):
        front_of([calibrated], Choices())


def test_the_picture_has_a_unit_on_every_axis_the_band_and_a_number_a_choice(answer):
    drawn = panels(answer)
    assert len(drawn) == 3
    for panel, axes in zip(drawn, Figure().subplots(3), strict=True):
        panel(axes)
        assert "/" in axes.get_xlabel()
        assert "/" in axes.get_ylabel()
        numbers = [text.get_text() for text in axes.texts]
        assert numbers == [str(number) for number in range(1, len(answer.choices) + 1)]
        assert len(axes.containers) >= len(answer.choices)


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
    data = json.loads(out)
    assert data["objectives"] == ["weeks", "mwh", "co2"]
    assert {choice["kind"] for choice in data["front"]} <= {"moe", "dense"}
    assert len(data["explain"]) == len(data["front"])
    for choice, tree in zip(data["front"], data["explain"], strict=True):
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
    assert err == "error: expected --chips with whole numbers such as 512 or 2K; got 64,many\n"
