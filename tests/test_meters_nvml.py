"""The real nvidia-ml-py against a compiled stand-in library whose energy is known exactly."""

import json
import os
import subprocess
import sys

import pytest

from tests.standin import compiled_nvml

METER = """
import json, time
from energy.meters.nvml import Nvml
meter = Nvml()
domains = meter.probe()
start_s, start = time.monotonic(), meter.read()
readings = [start]
while time.monotonic() - start_s < {seconds}:
    time.sleep({every})
    readings.append(meter.read())
stop_s = time.monotonic()
meter.close()
print(json.dumps({{"domains": [d.as_dict() for d in domains], "seconds": stop_s - start_s,
                   "readings": readings}}))
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return compiled_nvml(tmp_path_factory.mktemp("nvml"))


def metered(library, *, seconds=1.0, every=0.05, **settings):
    environment = {**os.environ, "LD_LIBRARY_PATH": str(library.parent)}
    environment |= {f"STANDIN_{name}": str(value) for name, value in settings.items()}
    code = METER.format(seconds=seconds, every=every)
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def joules(told, uuid="GPU-stand-in-0"):
    values = [reading[uuid] for reading in told["readings"] if reading[uuid] is not None]
    return values[-1] - values[0]


def test_the_energy_counter_is_read_first_and_is_exact_at_constant_power(library):
    told = metered(library, LOW_W=250, HIGH_W=250, TICK_S=0.001)
    assert told["domains"][0]["method"] == "counter"
    assert joules(told) == pytest.approx(250 * told["seconds"], rel=0.01)


def test_without_a_counter_instant_power_is_held_and_integrated(library):
    told = metered(library, LOW_W=250, HIGH_W=250, NO_COUNTER=1)
    assert "field 186" in told["domains"][0]["api"]
    assert joules(told) == pytest.approx(250 * told["seconds"], rel=0.02)


def test_without_fields_the_older_power_call_serves(library):
    told = metered(library, LOW_W=250, HIGH_W=250, NO_COUNTER=1, NO_FIELDS=1)
    assert "nvmlDeviceGetPowerUsage" in told["domains"][0]["api"]
    assert joules(told) == pytest.approx(250 * told["seconds"], rel=0.02)


def test_a_gpu_that_is_lost_for_a_moment_is_a_gap_and_not_zero(library):
    told = metered(library, LOW_W=250, HIGH_W=250, TICK_S=0.001, FAIL_EVERY=5)
    readings = [reading["GPU-stand-in-0"] for reading in told["readings"]]
    assert None in readings
    assert 0 not in readings
    known = [value for value in readings if value is not None]
    assert known == sorted(known)


def test_eight_gpus_are_eight_domains_by_uuid(library):
    told = metered(library, seconds=0.1, DEVICES=8)
    assert len({domain["id"] for domain in told["domains"]}) == 8
    assert {domain["boundary"] for domain in told["domains"]} == {"chip"}


def test_without_a_driver_there_is_no_gpu_and_no_error():
    code = "from energy.meters.nvml import Nvml; m = Nvml(); print(m.probe(), m.read()); m.close()"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "[] {}", run.stderr


def test_a_tracked_run_reports_the_gpu_as_measured(library, tmp_path):
    code = (
        "import time; from energy import Tracker\n"
        f"with Tracker({str(tmp_path)!r}, interval_s=0.1, meters=['nvml']) as tracker:\n"
        "    with tracker.window('work'): time.sleep(1)\n"
        "record = tracker.record()\n"
        "total = record.totals['chip']\n"
        "print(total.origin, total.value / record.elapsed_s.value)\n"
    )
    environment = {**os.environ, "LD_LIBRARY_PATH": str(library.parent), "STANDIN_TICK_S": "0.001",
                   "STANDIN_LOW_W": "300", "STANDIN_HIGH_W": "300"}  # fmt: skip
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    origin, watts = run.stdout.split()
    assert origin == "measured"
    assert float(watts) == pytest.approx(300, rel=0.02)
