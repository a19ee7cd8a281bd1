"""What failures cost one job, with bands; and the verb `simulator failures`."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.errors import InfeasibleError, InputError
from energy.quantity import Origin, Quantity
from simulator.facts.assumptions import failure_assumptions
from simulator.runs.failures import Job, losses


def job(chips=1024, days=50.0, mw=0.5):
    exact = {"source": "test", "origin": Origin.ASSUMED}
    return Job(
        name="test",
        chips=chips,
        training_s=Quantity.exact(days * 86400, "s", **exact),
        power_w=Quantity.exact(mw * 1e6, "W", **exact),
    )


EXACT = {name: quantity.value for name, quantity in failure_assumptions().items()}


@settings(max_examples=20)
@given(st.integers(1, 20_000), st.floats(1, 600), st.floats(1, 100))
def test_joules_are_those_of_training_and_those_that_were_lost(chips, save_s, days):
    found = losses(job(chips, days), {"save_s": save_s})
    trained_j = days * 86400 * 0.5e6
    assert found.energy_j.value == pytest.approx(trained_j + found.lost_j.value, rel=1e-9)
    assert found.elapsed_s.value == pytest.approx(days * 86400 / found.goodput.value, rel=1e-9)
    assert found.lost_j.value >= 0
    for quantity in (found.goodput, found.elapsed_s, found.energy_j, found.lost_j):
        assert quantity.origin is Origin.ASSUMED


def test_exact_inputs_give_an_exact_answer():
    found = losses(job(), EXACT)
    for quantity in (found.goodput, found.elapsed_s, found.energy_j, found.lost_j):
        value, low, high = quantity.numbers()
        assert (low, high) == (pytest.approx(value, rel=1e-9), pytest.approx(value, rel=1e-9))


def test_one_case_worked_by_hand():
    # 1,000 chips of 1,000 h: a failure an hour. Nothing is saved or restarted in no time, so the
    # exact training share is (tau / M) / (e^(tau / M) - 1): 360 s of 3,600 s: 0.1 / 0.10517.
    given_ = EXACT | {"mtbf_chip_h": 1000, "save_s": 0, "restart_s": 0, "repair_h": 0}
    found = losses(job(1000, days=10), given_, interval_s=360)
    assert found.goodput.value == pytest.approx(0.1 / 0.10517092, rel=1e-7)
    assert found.lost_j.value == pytest.approx(10 * 86400 * 0.5e6 * 0.0517092, rel=1e-6)


def test_spares_draw_watts_and_are_counted_as_lost():
    none, some = (losses(job(), EXACT | {"repair_h": 0}, spares=n) for n in (0, 8))
    more = some.lost_j.value - none.lost_j.value
    assert more == pytest.approx(0.5e6 * 8 / 1024 * 0.25 * some.elapsed_s.value, rel=1e-9)


def test_energy_that_nobody_named_is_missing_and_not_zero():
    absent = Quantity.absent("W", "name it with --mw")
    found = losses(Job(name="a", chips=8, training_s=job().training_s, power_w=absent), {})
    assert (found.energy_j.value, found.energy_j.source) == (None, "name it with --mw")
    assert found.goodput.value is not None


def test_a_job_that_never_comes_forward_is_infeasible():
    with pytest.raises(InfeasibleError, match="comes forward"):
        losses(job(1_000_000), {"mtbf_chip_h": 100, "save_s": 600})
    with pytest.raises(InputError, match="did you mean save_s"):
        losses(job(), {"save": 3})


def test_the_verb_tells_time_joules_and_the_best_interval(simulator, tmp_path):
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
    told = json.loads(out)
    assert told["mtbf_job_h"] == pytest.approx(3.09, abs=0.005)
    assert told["best_intervals_s"]["exact"] == pytest.approx(1116.6, abs=0.1)
    assert sum(share["value"] for share in told["shares"].values()) == pytest.approx(1)
    assert told["lost_j"]["low"] < told["lost_j"]["value"] < told["lost_j"]["high"]
    picture = (tmp_path / "picture.svg").read_text()
    assert picture.startswith("<?xml")
    code, out, _ = simulator(*arguments)
    assert (code, "Daly 2006" in out, "of it lost" in out) == (0, True, True)


def test_the_verb_takes_a_scenario(simulator):
    code, out, _ = simulator("failures", "glam-64b-64e", "--json")
    told = json.loads(out)
    assert (code, told["chips"]) == (0, 1024)
    # 456 MWh were published; ours is without the idle time that its mean watts hold.
    assert told["energy_j"]["value"] / 3.6e9 == pytest.approx(456, rel=0.1)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
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
        (("--chips", 1_000_000, "--mtbf", 10, "--save", 999), 3, "comes forward"),
    ],
)
def test_bad_usage_is_one_line(simulator, arguments, code, said):
    found, out, err = simulator("failures", *arguments)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert said in err
