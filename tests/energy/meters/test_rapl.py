"""RAPL from real files in a temporary folder: nesting, wrap-around, gaps, mirrored dies."""

import os

import pytest

from energy.ledger.curve import Curve
from energy.ledger.joules import entry
from energy.meters.rapl import Rapl
from energy.record import totals
from tests.support.standin import powercap

RANGE_UJ = 262_143_328_850


@pytest.fixture
def server(tmp_path):
    powercap(
        tmp_path,
        {
            "intel-rapl:0": ("package-0", 5_000_000, RANGE_UJ),
            "intel-rapl:0:0": ("dram", 1_000_000, RANGE_UJ),
            "intel-rapl:0:1": ("core", 3_000_000, RANGE_UJ),
            "intel-rapl:1": ("package-1", 6_000_000, RANGE_UJ),
        },
    )
    return tmp_path


def test_cores_are_part_of_their_package_and_memory_is_not(server):
    domains = {domain.id: domain for domain in Rapl(server, "GenuineIntel").probe()}
    assert set(domains) == {"cpu-package-0", "dram-package-0", "core-package-0", "cpu-package-1"}
    assert domains["core-package-0"].within == "cpu-package-0"
    assert domains["dram-package-0"].within is None


def test_psys_contains_the_packages(tmp_path):
    powercap(
        tmp_path,
        {
            "intel-rapl:0": ("psys", 9_000_000, RANGE_UJ),
            "intel-rapl:1": ("package-0", 5_000_000, RANGE_UJ),
        },
    )
    domains = {domain.id: domain for domain in Rapl(tmp_path, "GenuineIntel").probe()}
    assert domains["cpu-package-0"].within == "cpu-psys"


def test_psys_is_not_counted_twice_if_it_is_listed_last(tmp_path):
    powercap(
        tmp_path,
        {
            "intel-rapl:0": ("package-0", 5_000_000, RANGE_UJ),
            "intel-rapl:0:0": ("core", 3_000_000, RANGE_UJ),
            "intel-rapl:0:1": ("dram", 1_000_000, RANGE_UJ),
            "intel-rapl:1": ("psys", 9_000_000, RANGE_UJ),
        },
    )
    meter = Rapl(tmp_path, "GenuineIntel")
    domains = {domain.id: domain for domain in meter.probe()}
    assert {name: domain.within for name, domain in domains.items()} == {
        "cpu-psys": None,
        "cpu-package-0": "cpu-psys",
        "dram-package-0": "cpu-psys",
        "core-package-0": "cpu-package-0",
    }
    joules = meter.read()
    entries = [entry(domains[name].as_dict(), joules[name]) for name in domains]
    assert totals(entries)["chip"].value == pytest.approx(9)


def test_joules_are_the_microjoules_of_the_file(server):
    meter = Rapl(server, "GenuineIntel")
    meter.probe()
    before = meter.read()["cpu-package-0"]
    (server / "intel-rapl:0" / "energy_uj").write_text("105000000")
    assert meter.read()["cpu-package-0"] - before == pytest.approx(100)


def test_an_unreadable_sample_is_a_gap_and_not_262_kilojoules(server):
    meter = Rapl(server, "GenuineIntel")
    meter.probe()
    (server / "intel-rapl:0" / "energy_uj").write_text("")
    assert meter.read()["cpu-package-0"] is None
    (server / "intel-rapl:0" / "energy_uj").unlink()
    assert meter.read()["cpu-package-0"] is None


@pytest.mark.parametrize("file", ["name", "energy_uj", "max_energy_range_uj"])
@pytest.mark.parametrize("text", [None, "", "garbage"], ids=["gone", "empty", "no number"])
def test_a_zone_with_an_unreadable_file_is_read_or_missing_but_never_left_out(server, file, text):
    path = server / "intel-rapl:1" / file
    path.unlink()
    if text is not None:
        path.write_text(text)
    domains = Rapl(server, "GenuineIntel").probe()
    assert len(domains) == 4
    (other,) = (domain for domain in domains if domain.api.startswith("powercap intel-rapl:1 "))
    if file == "max_energy_range_uj":
        assert (other.origin, other.wrap_j) == ("measured", 0)
        assert "a fall is a reset" in other.api
    elif file == "energy_uj" or not text:
        assert other.origin == "missing"
        assert other.reason
        assert "chmod" in other.fix or text is None


def test_the_msr_and_the_mmio_zone_of_one_package_are_read_once(tmp_path):
    powercap(
        tmp_path,
        {
            "intel-rapl-mmio:0": ("package-0", 4_999_000, RANGE_UJ),
            "intel-rapl:0": ("package-0", 5_000_000, RANGE_UJ),
            "intel-rapl:1": ("psys", 9_000_000, RANGE_UJ),
        },
    )
    domains = Rapl(tmp_path, "GenuineIntel").probe()
    assert [domain.id for domain in domains] == ["cpu-psys", "cpu-package-0"]
    assert domains[1].api == "powercap intel-rapl:0 energy_uj"


def test_dies_that_mirror_one_counter_are_counted_once(tmp_path):
    powercap(
        tmp_path,
        {
            "intel-rapl:0": ("package-0-die-0", 5_000_000, RANGE_UJ),
            "intel-rapl:1": ("package-0-die-1", 5_000_000, RANGE_UJ),
        },
    )
    assert len(Rapl(tmp_path, "AuthenticAMD").probe()) == 1


def test_a_counter_that_only_root_may_read_is_missing_with_its_fix(server):
    # Let the user nobody pass. Only missing bits are added, as one of the parents is /tmp itself.
    for parent in (server, *server.parents[:3]):
        parent.chmod(parent.stat().st_mode | 0o055)
    os.chmod(server / "intel-rapl:0" / "energy_uj", 0o000)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        if os.geteuid() == 0:  # mode bits do not stop root, so become nobody
            os.setuid(65534)
        domains = {domain.id: domain for domain in Rapl(server, "GenuineIntel").probe()}
        package = domains["cpu-package-0"]
        os.write(writer, f"{package.origin}|{package.reason}|{package.fix}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    origin, reason, fix = os.read(reader, 4096).decode().split("|")
    assert (origin, reason) == ("missing", "permission")
    assert fix.startswith("sudo chmod")


def test_a_counter_that_turns_loses_nothing_and_counts_nothing_twice():
    curve = Curve(wrap_j=100.0)
    for second, value in enumerate([90.0, 98.0, 5.0, 20.0]):
        curve.add(float(second), value)
    assert curve.at(3.0) - curve.at(0.0) == pytest.approx(30.0)
    assert curve.breaks == []


def test_the_reset_of_a_large_counter_is_not_taken_for_a_turn_and_shows():
    """After 200 J a counter of 262 kJ falls to 5 J; turning would take 260 kW."""
    curve = Curve(RANGE_UJ * 1e-6)
    for second, value in enumerate([0.0, 200.0, 5.0, 205.0, 405.0]):
        curve.add(float(second), value)
    assert curve.at(4.0) == pytest.approx(600)
    (reset,) = curve.breaks
    assert (reset.begin_s, reset.end_s, reset.why) == (1.0, 2.0, "the counter was reset")
