"""Sensors of servers, AMD, TPU, replay: from trees, stand-in modules and programs."""

import os
import random
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from energy.errors import BoundaryError
from energy.meters.amd import Amd
from energy.meters.hwmon import Hwmon
from energy.meters.node import Node, watts
from energy.meters.replay import Replay
from energy.meters.sources import open_sources
from energy.meters.ticks import Follower
from energy.meters.tpu import Tpu
from energy.quantity import Boundary, Origin
from energy.record import EnergyEntry, total, totals
from energy.sampler.clocks import Clocks
from tests.support import ROOT


def files(root, told):
    for name, text in told.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")
    return root


def test_a_grace_module_holds_its_processor_and_a_plain_meter_is_the_node(tmp_path):
    files(
        tmp_path,
        {
            "hwmon0/name": "power_meter",
            "hwmon0/power1_average": 500_000_000,
            "hwmon0/power1_oem_info": "Module Power Socket 0",
            "hwmon1/name": "power_meter",
            "hwmon1/power1_average": 120_000_000,
            "hwmon1/power1_oem_info": "Grace Power Socket 0",
            "hwmon2/name": "power_meter",
            "hwmon2/power1_average": 900_000_000,
            "hwmon3/name": "nvme",
            "hwmon3/power1_average": 5_000_000,
        },
    )
    domains = {domain.id: domain for domain in Hwmon(tmp_path).probe()}
    assert domains["cpu-0"].within == "module-0"
    assert domains["node-hwmon2-power1"].boundary == "node"
    assert len(domains) == 3


def test_an_energy_file_is_a_counter_and_a_power_file_is_integrated(tmp_path):
    files(
        tmp_path,
        {
            "hwmon0/name": "amd_energy",
            "hwmon0/energy17_input": 7_000_000,
            "hwmon0/energy17_label": "Esocket0",
        },
    )
    meter = Hwmon(tmp_path)
    (domain,) = meter.probe()
    assert (domain.kind, domain.method, meter.read()["cpu-0"]) == ("cpu", "counter", 7.0)


def program(folder, text):
    file = folder / "ipmitool"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return (str(file),)


def test_the_node_is_read_in_a_child_that_nobody_waits_for(tmp_path):
    command = program(tmp_path, "echo '    Instantaneous power reading:   220 Watts'")
    meter = Node(command, devices=(str(tmp_path),))
    (domain,) = meter.probe()
    assert domain.boundary == "node"
    start = time.monotonic()
    readings = []
    for _ in range(20):
        readings.append(meter.read()["node"])
        time.sleep(0.05)
    meter.close()
    seconds = time.monotonic() - start
    assert readings[-1] == pytest.approx(220 * seconds, rel=0.2)
    assert watts("DCMI not supported") is None


def test_a_controller_that_may_not_be_asked_is_missing_with_its_fix(tmp_path):
    command = program(tmp_path, "echo 'Could not open device at /dev/ipmi0' >&2; exit 1")
    (domain,) = Node(command, devices=(str(tmp_path),)).probe()
    assert (domain.origin, domain.reason) == ("missing", "permission")
    assert domain.fix


AMDSMI = """
import time
WATTS = {{"a": 300.0, "b": {b_w}}}
def amdsmi_init(): pass
def amdsmi_shut_down(): pass
def amdsmi_get_processor_handles(): return ["a", "b"]
def amdsmi_get_gpu_device_uuid(handle): return "amd-" + handle
def amdsmi_get_power_info(handle): return {{"current_socket_power": WATTS[handle]}}
def amdsmi_get_energy_count(handle):
    moving = {{"a": time.monotonic(), "b": {b_count}}}[handle]
    return {{"energy_accumulator": moving * 300 / 15.3e-6, "counter_resolution": 15.3}}
"""


@pytest.mark.parametrize(
    ("b_w", "b_count", "method", "reason"),
    [
        (300.0, "time.monotonic()", "counter", ""),
        (300.0, "5.0", "power", ""),
        (0.0, "0.0", "counter", "its twin die tells for both"),
    ],
    ids=["both good", "a frozen counter", "an odd die"],
)
def test_an_amd_counter_counts_only_when_it_agrees_with_power(
    tmp_path, monkeypatch, b_w, b_count, method, reason
):
    (tmp_path / "amdsmi.py").write_text(AMDSMI.format(b_w=b_w, b_count=b_count))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "amdsmi", raising=False)
    meter = Amd(driver=tmp_path, check_s=0.1)
    a, b = meter.probe()
    meter.close()
    monkeypatch.delitem(sys.modules, "amdsmi")
    assert (a.method, a.origin) == ("counter", "measured")
    assert b.reason == reason
    assert reason or b.method == method


def bus(root, device):
    return files(
        root,
        {
            "0000:00:05.0/vendor": "0x1ae0",
            "0000:00:05.0/device": device,
            "0000:00:05.0/subsystem_device": "0x0050",
            "0000:00:06.0/vendor": "0x8086",
        },
    )


def test_a_tpu_is_modelled_from_its_duty_cycle_and_published_watts(tmp_path):
    ask = "import time\nwhile True: print('[50.0]', flush=True); time.sleep(0.05)"
    meter = Tpu(bus(tmp_path, "0x005e"), ask)
    (domain,) = meter.probe()
    assert domain.origin == "modelled"
    time.sleep(1.5)
    # A reading holds from one look to the next: the duty cycle counts from the second look on.
    meter.read()
    start, first = time.monotonic(), meter.read()["tpu-0"]
    time.sleep(0.4)
    joules, seconds = meter.read()["tpu-0"] - first, time.monotonic() - start
    meter.close()
    assert joules == pytest.approx((90 + 192) / 2 * seconds, rel=0.05)


def test_a_monitor_that_hangs_leaves_the_published_mean(tmp_path):
    meter = Tpu(bus(tmp_path, "0x005e"), "import time; time.sleep(60)")
    meter.probe()
    start, first = time.monotonic(), meter.read()["tpu-0"]
    time.sleep(0.2)
    joules, seconds = meter.read()["tpu-0"] - first, time.monotonic() - start
    meter.close()
    assert joules == pytest.approx(170 * seconds, rel=0.05)


def test_a_monitor_that_is_killed_leaves_the_published_mean_and_a_band_that_holds_idle(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("energy.meters.tpu.STALE_S", 0.1)
    ask = "print('[100.0]', flush=True); import time; time.sleep(60)"
    meter = Tpu(bus(tmp_path, "0x005e"), ask)
    (domain,) = meter.probe()
    assert domain.low * 170 <= 90 < 192 <= domain.high * 170
    while not meter._duty:
        meter.read()
        time.sleep(0.02)
    meter._child.kill()
    time.sleep(0.2)
    meter.read()
    start, first = time.monotonic(), meter.read()["tpu-0"]
    time.sleep(0.2)
    joules, seconds = meter.read()["tpu-0"] - first, time.monotonic() - start
    meter.close()
    assert joules == pytest.approx(170 * seconds, rel=0.05)


def test_a_monitor_that_hangs_ends_with_its_sampler(tmp_path):
    code = (
        "import os, pathlib, sys, time; from energy.meters.tpu import Tpu\n"
        "meter = Tpu(pathlib.Path(sys.argv[1]),\n"
        "            \"print('[1.0]', flush=True); import time; time.sleep(60)\")\n"
        "meter.probe()\n"
        "while not meter._duty: meter.read(); time.sleep(0.02)\n"
        "print(meter._child.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    place = bus(tmp_path, "0x005e")
    run = subprocess.run([sys.executable, "-c", code, str(place)], capture_output=True, text=True)
    child = Path(f"/proc/{int(run.stdout)}/stat")
    for _ in range(100):
        # One that nobody has waited for yet is dead too.
        if not child.exists() or child.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return
        time.sleep(0.02)
    raise AssertionError("the monitor outlived its sampler")


def test_a_tpu_without_published_watts_is_missing_and_not_zero(tmp_path):
    meter = Tpu(bus(tmp_path, "0x0063"))
    (domain,) = meter.probe()
    assert domain.origin == "missing"
    assert meter.read() == {}


def test_a_replayed_wave_is_integrated_exactly_and_never_measured(tmp_path):
    path = tmp_path / "wave.csv"
    path.write_text("t_s,device,watts\n0,gpu,100\n2,gpu,50\n")
    moments = iter([10.0, 10.0, 13.0])
    meter = Replay(path, now=lambda: next(moments))
    (domain,) = meter.probe()
    assert domain.origin == "modelled"
    assert meter.read()["gpu"] == 0
    assert meter.read()["gpu"] == 250


def test_a_meter_of_no_known_name_is_missing_and_stops_nothing():
    sources, domains = open_sources(["nosuch"])
    assert sources == []
    assert domains[0].origin == "missing"


def entry(device, value, within=None, boundary=Boundary.CHIP):
    return EnergyEntry(
        value=value,
        origin=Origin.MEASURED if value else Origin.MISSING,
        source="test",
        device=device,
        boundary=boundary,
        within=within,
    )


def test_one_path_of_the_tree_counts_and_children_stand_in_for_an_unread_parent():
    tree = [entry("psys", 90.0), entry("package", 60.0, "psys"), entry("core", 40.0, "package")]
    assert totals(tree)[Boundary.CHIP].value == 90
    unread = [entry("psys", None), *tree[1:]]
    assert totals(unread)[Boundary.CHIP].value == 60
    assert totals(unread)[Boundary.CHIP].missing


def test_adding_what_overlaps_or_stands_elsewhere_is_an_error():
    with pytest.raises(BoundaryError, match="overlap"):
        total([entry("package", 60.0), entry("core", 40.0, "package")])
    with pytest.raises(BoundaryError, match="one boundary"):
        total([entry("package", 60.0), entry("node", 90.0, boundary=Boundary.NODE)])


class Machine:
    """Clocks that a test moves."""

    def __init__(self):
        self.awake_s, self.slept_s, self.set_s = 100.0, 0.0, 0.0

    def clocks(self):
        return Clocks(
            lambda: self.awake_s,
            lambda: self.awake_s + self.slept_s + self.set_s,
            lambda: self.awake_s + self.slept_s,
        )


def test_a_clock_that_is_set_back_an_hour_and_a_sleep_are_told_with_their_cause():
    machine = Machine()
    clocks = machine.clocks()
    assert clocks.look() == []
    machine.set_s = -3600.0
    assert [(row["why"], row["s"]) for row in clocks.look()] == [
        ("the wall clock was set", -3600.0)
    ]
    machine.slept_s = 500.0
    assert [(row["why"], row["s"]) for row in clocks.look()] == [("the machine slept", 500.0)]
    machine.awake_s += 61
    assert [row.get("why") for row in clocks.look()] == [None]


def test_steps_are_dated_by_rhythm_when_a_look_came_late():
    """A counter that steps each 100 ms at known moments; looks are late by up to 40 ms at times."""
    now = 0

    def joules():
        return float((now - 37_000_000) // 100_000_000)

    follower = Follower(joules, lambda: now)
    late = [0, 0, 0, 40_000_000, 0, 25_000_000, 0]
    for index in range(3000):
        now = max(now, follower.due_ns) + (
            late[index % 7] if index > 400 and index % 50 == 3 else 0
        )
        follower.look()
    errors = [
        (moment - 37_000_000 + 50_000_000) % 100_000_000 - 50_000_000
        for moment, _ in list(follower.points)[5:]
    ]
    assert max(map(abs, errors)) < 5_000_000


@pytest.mark.parametrize("period_ms", [20, 83.7, 100])
def test_the_rhythm_dates_a_step_better_than_the_looks_that_saw_it(period_ms):
    """Looks are 2 to 3 ms apart, their middle 1.5 ms off at most: the rhythm knows better."""
    now, period = 0, round(period_ms * 1e6)
    draw = random.Random(3)

    def joules():
        return float((now - 37_000_000) // period)

    follower = Follower(joules, lambda: now)
    for _ in range(3000):
        now = max(now, follower.due_ns) + draw.randrange(1_000_000)
        follower.look()
    half = period // 2
    errors = [
        (moment - 37_000_000 + half) % period - half for moment, _ in list(follower.points)[30:]
    ]
    assert max(map(abs, errors)) < 1_200_000
    assert sum(map(abs, errors)) / len(errors) < 400_000


@pytest.mark.parametrize("period_ms", [25, 83.7, 100])
@pytest.mark.parametrize("jitter_ms", [0, 1, 5])
@pytest.mark.parametrize("late_ms", [0, 40])
def test_a_counter_that_steps_unevenly_is_dated_and_its_steady_stretches_cost_few_looks(
    period_ms, jitter_ms, late_ms
):
    """Steps come up to `jitter_ms` late, one look in twenty up to `late_ms`; for one minute."""
    now, looks, period, jitter = 0, 0, round(period_ms * 1e6), round(jitter_ms * 1e6)
    draw = random.Random(3)

    def moment(k):
        return 37_000_000 + k * period + random.Random(k).random() * jitter

    def joules():
        k = (now - 37_000_000) // period
        return float(k if now >= moment(k) else k - 1)

    follower = Follower(joules, lambda: now)
    while now < 60e9:
        now = max(now, round(follower.due_ns - draw.random() * follower.spare_ns))
        now += draw.randrange(100_000)
        now += draw.randrange(late_ms * 1_000_000) if late_ms and draw.random() < 0.05 else 0
        follower.look()
        looks += 1
    errors_ms = sorted(abs(told - moment(int(k))) / 1e6 for told, k in list(follower.points)[30:])
    # Two looks are 2 ms apart, so their middle is 1 ms off at most.
    assert errors_ms[len(errors_ms) // 2] < 1 + jitter_ms / 3
    assert errors_ms[int(0.95 * len(errors_ms))] < 2 + 0.7 * jitter_ms
    if jitter_ms <= 1:
        assert looks / (60e9 / period) < 2  # of each step; closely followed it takes three


def test_the_sampler_starts_with_the_standard_library_alone():
    code = (
        "import sys; sys.path.insert(0, '.'); import energy.sampler\n"
        "print(sorted({'numpy', 'pydantic', 'rich', 'typer', 'pynvml'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ},
    )
    assert run.stdout.strip() == "[]", run.stderr
