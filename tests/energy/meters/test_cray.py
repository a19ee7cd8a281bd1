"""A Cray blade's counters, from a tree of files that a writer changes while they are read."""

import threading
import time

from energy.meters.cray import Cray
from tests.support.standin import write_tree


def blade(root, joules=1000, fresh=1, **more):
    """The files of one scan: the node 10 times its parts."""
    stamp = f"{1734094386462336 + fresh * 100_000} us"
    write_tree(
        root,
        {
            "energy": f"{joules * 10} J {stamp}",
            "cpu_energy": f"{joules} J {stamp}",
            "memory_energy": f"{joules} J {stamp}",
            "accel0_energy": f"{joules} J {stamp}",
            "accel1_energy": f"{joules} J",
            "power": f"900 W {stamp}",
            "power_cap": "0 W",
            "raw_scan_hz": 10,
            "freshness": fresh,
            "generation": 2,
            "version": 2,
            **more,
        },
    )
    return root


def test_a_node_contains_its_processors_memory_and_accelerators(tmp_path):
    meter = Cray(blade(tmp_path))
    domains = {domain.id: domain for domain in meter.probe()}
    assert {name: domain.within for name, domain in domains.items()} == {
        "cray-node": None,
        "cray-cpu": "cray-node",
        "cray-memory": "cray-node",
        "cray-accel0": "cray-node",
        "cray-accel1": "cray-node",
    }
    assert [d.boundary for d in domains.values()].count("node") == 1
    assert {domain.tick_s for domain in domains.values()} == {0.1}
    joules = meter.read()
    assert joules["cray-node"] == 10_000.0
    assert joules["cray-accel1"] == 1000.0


def test_a_reading_is_of_one_scan_even_if_the_next_one_comes_meanwhile(tmp_path):
    shown, stop = tmp_path / "shown", threading.Event()
    shown.symlink_to(blade(tmp_path / "scan0"))

    def scan():
        """All files of a scan appear at once, as the firmware shows them."""
        number = 0
        while not stop.is_set():
            number += 1
            (tmp_path / "next").symlink_to(
                blade(tmp_path / f"scan{number}", joules=1000 + number, fresh=number + 1)
            )
            (tmp_path / "next").replace(shown)

    meter = Cray(shown)
    meter.probe()
    firmware = threading.Thread(target=scan)
    firmware.start()
    readings = []
    stop_s = time.monotonic() + 10
    while len(readings) < 100 and time.monotonic() < stop_s:
        readings += [joules for joules in [meter.read()] if None not in joules.values()]
    stop.set()
    firmware.join()
    assert len(readings) == 100
    assert all(joules["cray-node"] == 10 * joules["cray-cpu"] for joules in readings)
    assert len({joules["cray-node"] for joules in readings}) > 1


def test_files_that_are_written_no_more_are_a_gap_and_not_0_w(tmp_path):
    meter = Cray(blade(tmp_path), stale_s=0.1)
    meter.probe()
    assert meter.read()["cray-node"] == 10_000.0
    time.sleep(0.2)
    assert set(meter.read().values()) == {None}
    blade(tmp_path, joules=1100, fresh=2)
    assert meter.read()["cray-node"] == 11_000.0


def test_a_file_that_cannot_be_read_is_missing_with_its_fix(tmp_path):
    meter = Cray(blade(tmp_path, memory_energy=""))
    domains = {domain.id: domain for domain in meter.probe()}
    assert domains["cray-memory"].origin == "missing"
    assert domains["cray-memory"].fix == f"sudo chmod o+r {tmp_path}/memory_energy"
    assert "cray-memory" not in meter.read()


def test_a_machine_that_is_no_cray_has_no_counter(tmp_path):
    assert Cray(tmp_path).probe() == []
