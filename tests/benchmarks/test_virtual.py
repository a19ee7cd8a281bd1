"""The virtual machine: the product's own sources and sampler read exact joules in virtual time."""

import time

import pytest

from benchmarks.meters import on_disk, unread
from benchmarks.meters.sensors import constant
from benchmarks.meters.virtual.clock import START_S, VirtualClock
from benchmarks.meters.virtual.metering import Life


@pytest.mark.parametrize("name", unread.METERS)
def test_each_meter_reads_its_device_all_the_time(name, library, tmp_path):
    meter = unread.METERS[name]
    plan = unread.Plan(
        (START_S, START_S + 10.0), (Life(begin_s=START_S, end_s=START_S + 10.0, why="closed"),)
    )
    rows = unread.rows_of(plan, meter, constant(250.0), library, [], "run")
    (domain,) = rows[0]["domains"]
    assert (domain["id"], domain["method"]) == (
        meter.device,
        "counter" if meter.counts else "power",
    )
    assert rows[-1]["k"] == "end"
    ((begin_s, end_s),), _ = on_disk.read_of(rows, meter.device, meter.every_s)
    assert begin_s < START_S + 2.0
    assert end_s > START_S + 8.5
    record = unread.record_of("run", [unread.saved(tmp_path, rows)])
    joules_per_s = record["energy"][0]["value"] / record["elapsed_s"]["value"]
    assert joules_per_s == pytest.approx(250.0, rel=0.03)


def test_time_passes_only_when_somebody_sleeps_and_stands_still_while_the_machine_does():
    clock = VirtualClock()
    with clock.installed():
        began_s = time.monotonic()
        time.sleep(3.0)
        assert time.monotonic() - began_s == pytest.approx(3.0)
        wall_s, boot_s = time.time(), time.clock_gettime(time.CLOCK_BOOTTIME)
        clock.suspend(60.0)
        assert time.monotonic() - began_s == pytest.approx(3.0)
        assert time.time() - wall_s == pytest.approx(60.0)
        assert time.clock_gettime(time.CLOCK_BOOTTIME) - boot_s == pytest.approx(60.0)


def test_cases_cover_every_fault_meter_and_way():
    kinds = {(case.fault, case.meter, case.way) for case in unread.cases(200)}
    assert len(kinds) == len(unread.FAULTS) * len(unread.METERS) * len(unread.WAYS)
