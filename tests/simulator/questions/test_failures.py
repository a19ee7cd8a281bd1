"""What failures cost a job, with bands; the function `failures` and the verb."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.errors import InfeasibleError, InputError
from energy.quantity import Origin, Quantity
from simulator.facts.assumptions import failure_assumptions
from simulator.questions.failures.answer import failures
from simulator.runs.failures import failure_costs
from simulator.runs.jobs import Job
from simulator.scenarios.scenario import load

EXACT = {name: quantity.value for name, quantity in failure_assumptions().items()}


def job(chips=1024, days=50.0, mw=0.5):
    exact = {"source": "test", "origin": Origin.ASSUMED}
    return Job(
        name="test",
        chips=chips,
        training_s=Quantity.exact(days * 86400, "s", **exact),
        power_w=Quantity.exact(mw * 1e6, "W", **exact),
    )


@settings(max_examples=20)
@given(st.integers(1, 20_000), st.floats(1, 600), st.floats(1, 100))
def test_energy_is_that_of_training_plus_what_is_lost(chips, save_s, days):
    costs = failure_costs(job(chips, days), {"save_s": save_s})
    trained_j = days * 86400 * 0.5e6
    assert costs.energy_j.value == pytest.approx(trained_j + costs.lost_j.value, rel=1e-9)
    assert costs.elapsed_s.value == pytest.approx(days * 86400 / costs.goodput.value, rel=1e-9)
    assert costs.lost_j.value >= 0
    for quantity in (costs.goodput, costs.elapsed_s, costs.energy_j, costs.lost_j):
        assert quantity.origin is Origin.ASSUMED


def test_exact_inputs_give_an_exact_answer():
    costs = failure_costs(job(), EXACT)
    for quantity in (costs.goodput, costs.elapsed_s, costs.energy_j, costs.lost_j):
        value, low, high = quantity.numbers()
        assert (low, high) == (pytest.approx(value, rel=1e-9), pytest.approx(value, rel=1e-9))


def test_goodput_and_lost_energy_match_a_case_worked_by_hand():
    # 1,000 chips of 1,000 h: a failure an hour. Checkpoints and restarts take no time, so the
    # exact training share is (tau / M) / (e^(tau / M) - 1): 360 s of 3,600 s: 0.1 / 0.10517.
    values = EXACT | {"mtbf_chip_h": 1000, "save_s": 0, "restart_s": 0, "repair_h": 0}
    costs = failure_costs(job(1000, days=10), values, interval_s=360)
    assert costs.goodput.value == pytest.approx(0.1 / 0.10517092, rel=1e-7)
    assert costs.lost_j.value == pytest.approx(10 * 86400 * 0.5e6 * 0.0517092, rel=1e-6)


def test_spares_draw_power_that_counts_as_lost():
    without, with_spares = (
        failure_costs(job(), EXACT | {"repair_h": 0}, spares=spares) for spares in (0, 8)
    )
    more = with_spares.lost_j.value - without.lost_j.value
    assert more == pytest.approx(0.5e6 * 8 / 1024 * 0.25 * with_spares.elapsed_s.value, rel=1e-9)


def test_energy_of_unknown_power_is_missing_and_not_zero():
    absent = Quantity.absent("W", "name it with --mw")
    costs = failure_costs(Job(name="a", chips=8, training_s=job().training_s, power_w=absent), {})
    assert (costs.energy_j.value, costs.energy_j.source) == (None, "name it with --mw")
    assert costs.goodput.value is not None


def test_a_job_that_makes_no_progress_is_infeasible():
    with pytest.raises(InfeasibleError, match="makes progress"):
        failure_costs(job(1_000_000), {"mtbf_chip_h": 100, "save_s": 600})
    with pytest.raises(InputError, match="did you mean save_s"):
        failure_costs(job(), {"save": 3})


def test_the_function_takes_a_scenario_by_name_or_as_an_object_and_overrides():
    by_name = failures("glam-8b-64e", overrides={"hardware.count": 512}, save=30)
    by_object = failures(load("glam-8b-64e"), overrides={"hardware.count": 512}, save=30)
    assert (by_name.job, by_name.goodput) == (by_object.job, by_object.goodput)
    assert by_name.job.chips == 512
    assert repr(by_name).startswith("<FailureCosts: glam-8b-64e: goodput 9")
    (row,) = by_name.to_frame().to_dict("records")
    assert row["elapsed_s"] == by_name.elapsed_s.value


def test_the_verb_answers_with_time_energy_and_the_best_interval(simulator, tmp_path):
    arguments = (
        "failures",
        "--chips",
        16384,
        "--days",
        54,
        "--mw",
        25,
        "--mtbf",
        50_700,
        "--save",
        60,
    )
    code, out, err = simulator(*arguments, "--json", "--plot", "picture.svg")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert answer["mtbf_job_h"] == pytest.approx(3.09, abs=0.005)
    assert answer["best_intervals_s"]["exact"] == pytest.approx(1116.6, abs=0.1)
    assert sum(share["value"] for share in answer["shares"].values()) == pytest.approx(1)
    assert answer["lost_j"]["low"] < answer["lost_j"]["value"] < answer["lost_j"]["high"]
    picture = (tmp_path / "picture.svg").read_text()
    assert picture.startswith("<?xml")
    code, out, _ = simulator(*arguments)
    assert (code, "Daly 2006" in out, "lost to failures" in out) == (0, True, True)


def test_the_verb_takes_a_scenario(simulator):
    code, out, _ = simulator("failures", "glam-64b-64e", "--json")
    answer = json.loads(out)
    assert (code, answer["chips"]) == (0, 1024)
    # 456 MWh were published; ours is without the idle time that its mean watts include.
    assert answer["energy_j"]["value"] / 3.6e9 == pytest.approx(456, rel=0.1)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "a scenario, or its numbers"),
        (("glam-8b", "--chips", 8), 2, "both"),
        (("--chips", 0), 2, "chips of 1 or more"),
        (("--days", 3), 2, "--chips"),
        (("--chips", 8, "--mtbf", 0), 2, "mtbf_chip_h"),
        (("--chips", 8, "--days", -1), 2, "--days"),
        (("--chips", 8, "--interval", 0), 2, "interval"),
        (("--chips", 8, "--interval", "nan"), 2, "interval"),
        (("--chips", 8, "--interval", "inf"), 2, "interval"),
        (("--chips", 8, "--mtbf", "nan"), 2, "mtbf_chip_h"),
        (("--chips", 8, "--plot", "picture.pdf"), 2, ".png, .svg or .html"),
        (("--chips", 1_000_000, "--mtbf", 10, "--save", 999), 3, "makes progress"),
    ],
)
def test_invalid_usage_is_answered_in_one_line(simulator, arguments, code, message):
    exit_code, out, err = simulator("failures", *arguments)
    assert (exit_code, out, err.count("\n")) == (code, "", 1)
    assert message in err
