"""The real nvidia-ml-py against a compiled stand-in library whose energy is known exactly."""

import json
import statistics
import subprocess
import sys

import pytest

from energy.ledger import accounting
from energy.ledger import reader as ledger
from energy.ledger.lines import FILE
from tests.support.standin import nvml_environment

METER = """
import json, time
from energy.meters.nvml import Nvml
meter = Nvml()
domains = meter.probe()
def read():
    return meter.read() | meter.watts()
start_s, readings = time.monotonic(), [read()]
while time.monotonic() - start_s < {seconds}:
    time.sleep({every})
    readings.append(read())
stop_s = time.monotonic()
meter.close()
print(json.dumps({{"domains": [d.as_dict() for d in domains], "seconds": stop_s - start_s,
                   "readings": readings}}))
"""


def metered(library, *, seconds=1.0, every=0.05, **settings):
    """Domains, elapsed seconds and readings of a meter in a child process."""
    run = subprocess.run(
        [sys.executable, "-c", METER.format(seconds=seconds, every=every)],
        env=nvml_environment(library, **settings),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def values(run, uuid="GPU-stand-in-0"):
    """Joules of a counter or watts of a power, where they could be read."""
    return [reading[uuid] for reading in run["readings"] if reading[uuid] is not None]


def test_the_energy_counter_is_read_first_and_is_exact_at_constant_power(library):
    run = metered(library, LOW_W=250, HIGH_W=250, TICK_S=0.001)
    assert run["domains"][0]["method"] == "counter"
    joules = values(run)
    assert joules[-1] - joules[0] == pytest.approx(250 * run["seconds"], rel=0.01)


def test_without_a_counter_instantaneous_power_is_read(library):
    run = metered(library, LOW_W=250, HIGH_W=250, NO_COUNTER=1)
    assert "field 186" in run["domains"][0]["api"]
    assert set(values(run)) == {250.0}


def test_without_power_fields_the_older_power_call_is_used(library):
    run = metered(library, LOW_W=250, HIGH_W=250, NO_COUNTER=1, NO_FIELDS=1)
    assert "nvmlDeviceGetPowerUsage" in run["domains"][0]["api"]
    assert set(values(run)) == {250.0}


def test_a_gpu_that_is_lost_for_a_moment_leaves_a_gap_and_not_a_zero(library):
    run = metered(library, LOW_W=250, HIGH_W=250, TICK_S=0.001, FAIL_EVERY=5)
    readings = [reading["GPU-stand-in-0"] for reading in run["readings"]]
    assert None in readings
    assert 0 not in readings
    known = [value for value in readings if value is not None]
    assert known == sorted(known)


def test_a_board_that_does_not_answer_at_first_is_read_once_it_does(library):
    run = metered(library, seconds=2.0, FIRST_AT_S=1.0)
    assert run["domains"][0]["method"] == "counter"
    assert run["domains"][0]["reason"] == ""
    joules = [reading["GPU-stand-in-0"] for reading in run["readings"]]
    assert joules[0] is None
    assert joules[-1] is not None


def test_eight_gpus_are_eight_domains_by_uuid(library):
    run = metered(library, seconds=0.1, DEVICES=8)
    assert len({domain["id"] for domain in run["domains"]}) == 8
    assert {domain["boundary"] for domain in run["domains"]} == {"chip"}


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
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=nvml_environment(library, TICK_S=0.001, LOW_W=300, HIGH_W=300),
        capture_output=True,
        text=True,
    )
    origin, watts = run.stdout.split()
    assert origin == "measured"
    assert float(watts) == pytest.approx(300, rel=0.02)


def test_a_superchips_module_contains_its_board_and_the_board_its_hbm(library):
    run = metered(library, seconds=0.1, HBM_W=60, MODULE_W=800, NAME="NVIDIA GH200 480GB")
    within = {
        domain["id"].removeprefix("GPU-stand-in-0"): domain["within"] for domain in run["domains"]
    }
    assert within == {"": "GPU-stand-in-0/module", "/module": None, "/hbm": "GPU-stand-in-0"}


def test_a_board_that_echoes_its_own_power_as_module_power_has_no_module(library):
    run = metered(library, seconds=0.1, MODULE_W=400, NAME="NVIDIA H100 80GB HBM3")
    assert [domain["id"] for domain in run["domains"]] == ["GPU-stand-in-0"]


def test_a_missing_symbol_disables_that_reading_only():
    """The real binding, with its library variable set to an object without an energy counter."""
    code = """
import ctypes, pynvml
from energy.meters import nvml
class Library:
    def __getattr__(self, name):
        if name not in ("nvmlInitWithFlags", "nvmlDeviceGetCount_v2", "nvmlShutdown",
                        "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetUUID",
                        "nvmlDeviceGetPowerUsage", "nvmlErrorString"):
            raise AttributeError(name)
        def call(*args):
            if name == "nvmlDeviceGetCount_v2": args[0]._obj.value = 1
            if name == "nvmlDeviceGetUUID": args[1].value = b"GPU-object"
            if name == "nvmlDeviceGetPowerUsage": args[1]._obj.value = 123000
            return 0
        return call
pynvml.nvmlLib = Library()
pynvml._LoadNvmlLibrary = lambda: None
nvml._loadable = lambda: True
meter = nvml.Nvml()
(domain,) = meter.probe()
print(domain.id, domain.method, domain.api)
meter.read()
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.startswith("GPU-object power NVML nvmlDeviceGetPowerUsage"), run.stderr


def tracked(library, folder, code, **settings):
    """The segments of the ledger of a tracked child process."""
    program = (
        "import sys, time\nfrom energy import Tracker\n"
        "with Tracker(sys.argv[1], meters=['nvml']) as tracker:\n" + code
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        env=nvml_environment(library, **settings),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return ledger.segments(folder / FILE)


def test_edges_between_ticks_are_interpolated_and_widen_the_band(library, tmp_path):
    code = (
        "    time.sleep(0.6)\n    for index in range(20):\n"
        "        with tracker.window(f'w{index}'): time.sleep(0.13 + index * 0.01)\n"
    )
    (segment,) = tracked(library, tmp_path, code, LOW_W=300, HIGH_W=300)
    errors = []
    for row in segment.windows:
        start_s, stop_s = row["m0"] / 1e9, row["m1"] / 1e9
        joules = segment.between("GPU-stand-in-0", start_s, stop_s)
        errors.append(abs(joules - 300 * (stop_s - start_s)))
    # At 300 W a counter read at its last tick would be off by up to 30 J, by 12 J on average.
    assert statistics.median(errors) < 2
    record = accounting.record(tmp_path / FILE, name="r", labels={}, notes=[])
    assert record.notes == []
    assert sum(window.unresolved for window in record.windows) >= 15
    assert all(window.energy_j.low < window.energy_j.high for window in record.windows)


def test_a_driver_reload_restarts_the_counter_and_its_gap_is_bridged_with_a_note(library, tmp_path):
    code = "    time.sleep(2.5)\n"
    tracked(library, tmp_path, code, LOW_W=300, HIGH_W=300, RESET_AT_S=1.2)
    record = accounting.record(tmp_path / FILE, name="r", labels={}, notes=[])
    read, bridge = record.energy
    assert (read.origin, bridge.origin) == ("measured", "modelled")
    # Three of its edges are dated to half a tick of 0.1 s, 15 J each.
    assert read.value == pytest.approx(300 * read.covered * record.elapsed_s.value, abs=45)
    assert read.value + bridge.value == pytest.approx(300 * record.elapsed_s.value, rel=0.05)
    (note,) = record.notes
    assert "the counter was reset" in note


def test_a_gpu_that_is_lost_for_good_does_not_stop_the_run_nor_count_as_zero(library, tmp_path):
    (segment,) = tracked(
        library, tmp_path, "    time.sleep(2.2)\n", LOST_AFTER_S=1.0, LOW_W=300, HIGH_W=300
    )
    assert segment.curves["GPU-stand-in-0"].unread >= 1
    assert segment.between("GPU-stand-in-0", segment.start_s, segment.stop_s) > 0


def test_the_start_of_a_long_window_is_dated_even_after_many_shorter_windows(library, tmp_path):
    """The outer window starts in the first half of a wave that samples alone cannot resolve."""
    code = (
        "    time.sleep(1.33)\n    with tracker.window('outer'):\n        time.sleep(0.9)\n"
        "        for _ in range(30):\n            with tracker.window('inner'): time.sleep(0.05)\n"
    )
    (segment,) = tracked(library, tmp_path, code, PERIOD_S=0.9, DEVICES=2, STAGGER_S=0.03)
    (row,) = [row for row in segment.windows if row["name"] == "outer"]
    start_s = row["m0"] / 1e9
    for device in ("GPU-stand-in-0", "GPU-stand-in-1"):
        near = [t for t in segment.curves[device].times if abs(t - start_s) < 0.21]
        assert min(near) < start_s < max(near)
        assert len(near) >= 3
