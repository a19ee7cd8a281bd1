"""Ranks, restarts and nodes are merged into one record in which each joule counts once."""

import itertools

import pytest

from energy.ledger.merge import merge
from energy.ledger.reader import FILE
from tests.support.standin import write_ledger

CPU = {
    "id": "cpu",
    "kind": "cpu",
    "boundary": "chip",
    "within": None,
    "api": "test",
    "method": "counter",
    "origin": "measured",
    "low": 0.9,
    "high": 1.1,
    "wrap_j": 0.0,
    "source": "test",
    "reason": "",
    "fix": "",
}
WATTS = 100.0


def rank(folder, *, boot="boot-a", host="a", start=0, stop=10, devices=("gpu-0",), offset=0.0):
    """The ledger of one rank: a sample each second, of devices that all draw 100 W."""
    folder.mkdir(parents=True)
    domains = [{**CPU, "id": device, "kind": "gpu"} for device in devices]
    rows = [{"k": "header", "id": folder.name, "boot": boot, "host": host, "domains": domains}]
    for second in range(start, stop + 1):
        moment = second + offset
        rows.append({"k": "s", "m": int(moment * 1e9), "j": [WATTS * moment] * len(devices)})
    rows.append({"k": "end", "m": int((stop + offset) * 1e9), "why": "closed"})
    write_ledger(folder / FILE, rows)
    return folder


def joules(folders):
    return merge(folders, "all").totals["chip"].value


def test_eight_ranks_that_meter_the_same_devices_count_them_once(tmp_path):
    devices = [f"gpu-{index}" for index in range(8)]
    folders = [rank(tmp_path / f"rank-{i}", devices=devices, offset=i * 0.07) for i in range(8)]
    # From the first rank's first sample to the last rank's last one.
    assert joules(folders) == pytest.approx(8 * WATTS * (10 + 7 * 0.07))


def test_two_nodes_add_up_whatever_the_order_and_the_repetitions(tmp_path):
    folders = [
        rank(tmp_path / "a0"),
        rank(tmp_path / "a1", start=5, stop=15),
        rank(tmp_path / "b0", boot="boot-b", host="b"),
    ]
    totals = {joules(order) for order in itertools.permutations(folders)}
    totals |= {joules([*folders, *folders])}
    assert len(totals) == 1
    assert totals.pop() == pytest.approx(WATTS * 15 + WATTS * 10)


def test_a_gap_between_a_run_and_its_restart_is_not_filled(tmp_path):
    folders = [rank(tmp_path / "first", stop=10), rank(tmp_path / "second", start=20, stop=25)]
    merged = merge(folders, "all")
    assert merged.totals["chip"].value == pytest.approx(WATTS * 15)
    assert merged.elapsed_s.value == pytest.approx(15)
    assert merged.chip_s.value == pytest.approx(15)
    assert [entry.covered for entry in merged.energy] == [1.0]


def test_a_device_that_only_some_ranks_metered_is_covered_in_part(tmp_path):
    folders = [
        rank(tmp_path / "first", devices=("gpu-0", "gpu-1"), stop=5),
        rank(tmp_path / "second", devices=("gpu-1",), start=5, stop=20),
    ]
    merged = merge(folders, "all")
    covered = {entry.device: entry.covered for entry in merged.energy}
    assert covered == {"gpu-0": 0.25, "gpu-1": 1.0}
