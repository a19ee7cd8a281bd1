"""The driver's buffer of power samples, and the counter of a superchip's module."""

import json
import subprocess
import sys
from itertools import pairwise

import pytest

from tests.support.standin import nvml_environment

METER = """
import json, time
from energy.meters.nvml import Nvml
meter = Nvml()
domains = [domain.as_dict() for domain in meter.probe()]
start, readings = meter.read(), []
start_s = time.monotonic()
while time.monotonic() - start_s < {seconds}:
    time.sleep({every})
    readings += meter.dated_watts()
stop, stop_s = meter.read(), time.monotonic()
meter.close()
print(json.dumps({{"domains": domains, "readings": readings, "seconds": stop_s - start_s,
                   "joules": {{name: stop[name] - start[name] for name in start}}}}))
"""


def metered(library, *, seconds=1.0, every=0.1, **settings):
    run = subprocess.run(
        [sys.executable, "-c", METER.format(seconds=seconds, every=every)],
        env=nvml_environment(library, **settings),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def mean_w(readings, device="GPU-stand-in-0"):
    """Mean watts from the first reading to the last, each counting until the next."""
    watts = [(moment, values[device]) for moment, values in readings]
    joules = sum(power * (after - at) for (at, power), (after, _) in pairwise(watts))
    return joules / (watts[-1][0] - watts[0][0])


@pytest.mark.parametrize("every", [0.1, 1.0], ids=["ten polls a second", "one poll a second"])
def test_no_update_of_a_sensor_is_lost_between_two_polls(library, every):
    # A load of 28 turns a second, of which polls see what they happen to meet. Half of each 18
    # samples meet it high, and none at an edge: one second of them has the mean of the load.
    load = {"SAMPLE_S": 0.01, "PERIOD_S": 0.036, "PHASE_S": 0.001}
    run = metered(library, seconds=2.0, every=every, NO_COUNTER=1, **load)
    (domain,) = run["domains"]
    assert "nvmlDeviceGetSamples" in domain["api"]
    assert domain["method"] == "power"
    moments = [moment for moment, _ in run["readings"]]
    assert max(b - a for a, b in pairwise(moments)) <= 0.1001e9
    assert mean_w(run["readings"]) == pytest.approx(250, rel=0.04)


def test_a_buffer_that_does_not_reach_back_leaves_a_gap(library):
    run = metered(library, seconds=4.5, every=2.2, NO_COUNTER=1, SAMPLE_S=0.01, KEPT=20)
    watts = [values["GPU-stand-in-0"] for _, values in run["readings"]]
    assert None in watts
    assert 0 not in watts


def test_boards_share_the_moments_of_their_readings(library):
    run = metered(library, DEVICES=2, NO_COUNTER=1, SAMPLE_S=0.02)
    assert len(run["readings"]) >= 5
    assert all(
        set(values) == {"GPU-stand-in-0", "GPU-stand-in-1"} and None not in values.values()
        for _, values in run["readings"]
    )


def test_a_board_that_is_lost_has_no_watts_and_not_0(library):
    run = metered(library, seconds=2, NO_COUNTER=1, SAMPLE_S=0.02, LOST_AFTER_S=1.0)
    watts = [values["GPU-stand-in-0"] for _, values in run["readings"]]
    assert watts[-1] is None
    assert 0 not in watts


def test_a_board_with_a_counter_is_not_read_by_samples(library):
    run = metered(library, seconds=0.2, SAMPLE_S=0.02)
    assert run["domains"][0]["method"] == "counter"
    assert run["readings"] == []


def test_a_tracked_run_integrates_the_samples(library, tmp_path):
    code = (
        "import sys, time; from energy import Tracker\n"
        "with Tracker(sys.argv[1], interval_s=0.2, meters=['nvml']) as tracker: time.sleep(3)\n"
        "record = tracker.record()\n"
        "print(sum(e.value * e.covered for e in record.energy if e.value), record.elapsed_s.value)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env=nvml_environment(library, NO_COUNTER=1, SAMPLE_S=0.01, PERIOD_S=0.037),
        capture_output=True,
        text=True,
    )
    joules, seconds = map(float, run.stdout.split())
    assert joules == pytest.approx(250 * seconds, rel=0.2), run.stderr


SUPERCHIP = {"NAME": "NVIDIA GH200 480GB", "MODULE_W": 800, "TICK_S": 0.001}


def test_the_module_of_a_superchip_is_read_by_its_counter(library):
    run = metered(library, MODULE_ENERGY=1, LOW_W=300, HIGH_W=300, **SUPERCHIP)
    board, module = run["domains"]
    assert (module["method"], module["within"]) == ("counter", None)
    assert "field 191" in module["api"]
    assert board["within"] == module["id"]
    assert run["joules"][module["id"]] == pytest.approx(800 * run["seconds"], rel=0.02)
    assert run["joules"][board["id"]] == pytest.approx(300 * run["seconds"], rel=0.02)


@pytest.mark.parametrize("energy", [0, 2], ids=["not supported", "an echo of the board"])
def test_a_module_without_a_counter_of_its_own_is_read_by_power(library, energy):
    run = metered(library, MODULE_ENERGY=energy, **SUPERCHIP)
    _, module = run["domains"]
    assert module["method"] == "power"
    assert {values[module["id"]] for _, values in run["readings"]} == {800.0}
