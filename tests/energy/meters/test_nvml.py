"""The real nvidia-ml-py against a compiled stand-in library whose energy is known exactly."""

import json
import os
import statistics
import subprocess
import sys

import pytest

from energy.ledger import accounting
from energy.ledger import reader as ledger
from tests.support.standin import compiled_nvml

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
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(library.parent),
        "STANDIN_TICK_S": "0.001",
        "STANDIN_LOW_W": "300",
        "STANDIN_HIGH_W": "300",
    }
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    origin, watts = run.stdout.split()
    assert origin == "measured"
    assert float(watts) == pytest.approx(300, rel=0.02)


def test_hbm_lies_within_its_board_and_a_superchips_module_holds_it(library):
    told = metered(library, seconds=0.1, HBM_W=60, MODULE_W=800, NAME="NVIDIA GH200 480GB")
    within = {
        domain["id"].removeprefix("GPU-stand-in-0"): domain["within"] for domain in told["domains"]
    }
    assert within == {"": "GPU-stand-in-0/module", "/module": None, "/hbm": "GPU-stand-in-0"}


def test_a_board_that_echoes_its_own_power_as_module_power_has_no_module(library):
    told = metered(library, seconds=0.1, MODULE_W=400, NAME="NVIDIA H100 80GB HBM3")
    assert [domain["id"] for domain in told["domains"]] == ["GPU-stand-in-0"]


@pytest.mark.parametrize(
    ("visible", "seen"),
    [
        ("1", [1]),
        ("GPU-stand-in-2,0", [2, 0]),
        ("MIG-1", [1]),
        ("MIG-1,MIG-1", [1]),
        ("7", []),
        ("0,GPU-elsewhere,1", [0]),
    ],
    ids=[
        "index",
        "UUID and index",
        "MIG counts its parent",
        "two slices, one board",
        "no such board",
        "a wrong name hides what follows",
    ],
)
def test_only_visible_boards_are_metered(library, monkeypatch, visible, seen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    told = metered(library, seconds=0.1, DEVICES=4, MIG=1)
    assert [domain["id"] for domain in told["domains"]] == [f"GPU-stand-in-{i}" for i in seen]


def test_a_missing_symbol_disables_that_reading_alone(monkeypatch):
    """The real binding over an object in its library variable that has no energy counter."""
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
meter = nvml.Nvml("")
(domain,) = meter.probe()
print(domain.id, domain.method, domain.api)
meter.read()
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.startswith("GPU-object power NVML nvmlDeviceGetPowerUsage"), run.stderr


def tracked(library, folder, code, **settings):
    """Windows of a tracked child: (start, stop, joules, low, high) of each, by the ledger."""
    program = (
        "import sys, time\nfrom energy import Tracker\n"
        "with Tracker(sys.argv[1], meters=['nvml']) as tracker:\n" + code
    )
    environment = {**os.environ, "LD_LIBRARY_PATH": str(library.parent)}
    environment |= {f"STANDIN_{name}": str(value) for name, value in settings.items()}
    run = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return ledger.segments(folder / ledger.FILE)


def test_edges_between_ticks_are_interpolated_and_the_doubt_is_told(library, tmp_path):
    code = (
        "    time.sleep(0.6)\n    for index in range(20):\n"
        "        with tracker.window(f'w{index}'): time.sleep(0.13 + index * 0.01)\n"
    )
    (segment,) = tracked(library, tmp_path, code, LOW_W=300, HIGH_W=300)
    errors = []
    for row in segment.windows:
        start_s, stop_s = row["m0"] / 1e9, row["m1"] / 1e9
        found = segment.between("GPU-stand-in-0", start_s, stop_s)
        errors.append(abs(found - 300 * (stop_s - start_s)))
    # 300 W held: a counter read at its last step would be off by up to 30 J, 12 J in the mean.
    assert statistics.median(errors) < 2
    record = accounting.record(tmp_path / ledger.FILE, name="r", labels={}, notes=[])
    assert record.notes == []
    assert sum(window.unresolved for window in record.windows) >= 15
    assert all(window.energy_j.low < window.energy_j.high for window in record.windows)


def test_a_driver_that_is_loaded_again_opens_the_counter_from_zero(library, tmp_path):
    code = "    time.sleep(2.5)\n"
    (segment,) = tracked(library, tmp_path, code, LOW_W=300, HIGH_W=300, RESET_AT_S=1.2)
    joules = segment.between("GPU-stand-in-0", segment.start_s, segment.stop_s)
    # What was spent between the last reading before and the reset is the most that is lost.
    assert 300 * (segment.stop_s - segment.start_s) == pytest.approx(joules, abs=300)
    assert joules > 0


def test_a_gpu_that_is_lost_for_good_neither_stops_the_run_nor_becomes_zero(library, tmp_path):
    (segment,) = tracked(
        library, tmp_path, "    time.sleep(2.2)\n", LOST_AFTER_S=1.0, LOW_W=300, HIGH_W=300
    )
    assert segment.curves["GPU-stand-in-0"].unread >= 1
    assert segment.between("GPU-stand-in-0", segment.start_s, segment.stop_s) > 0


def test_the_edge_of_a_long_window_is_dated_though_shorter_ones_were_told_since(library, tmp_path):
    """The outer window begins in the first half of a wave that the samples alone do not show."""
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
