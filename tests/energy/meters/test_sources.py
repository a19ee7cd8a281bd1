"""Which sources are opened, and how nested domains are added."""

import pytest

from energy.errors import BoundaryError, InputError
from energy.meters import sources
from energy.quantity import Boundary, Origin
from energy.record import EnergyEntry, total, totals


def test_a_replay_that_is_opened_again_goes_on_where_it_was(tmp_path):
    path = tmp_path / "wave.csv"
    path.write_text("t_s,device,watts\n0,gpu,100\n")
    (again,), (domain,) = sources.open_sources([f"replay:{path}"], start_s=0.0)
    assert domain.meter == "replay"
    assert again.read()["gpu"] == pytest.approx(again.dated_ns() / 1e9 * 100)


def test_a_meter_with_an_unknown_name_is_missing_and_stops_nothing():
    opened, domains = sources.open_sources(["nosuch"])
    assert opened == []
    assert domains[0].origin == "missing"


def test_two_replays_whose_devices_bear_one_name_are_not_mixed_up(tmp_path):
    for file, watts in (("a", 100), ("b", 50)):
        (tmp_path / file).write_text(f"t_s,device,watts\n0,gpu,{watts}\n")
    (only,), domains = sources.open_sources([f"replay:{tmp_path}/{file}" for file in "ab"], 0.0)
    assert [(d.id, d.origin) for d in domains] == [("gpu", "modelled"), ("replay#2", "missing")]
    assert "replay has a device gpu too" in domains[1].reason
    assert only.read()["gpu"] == pytest.approx(only.dated_ns() / 1e9 * 100)


@pytest.mark.parametrize(
    "name",
    [
        "nosuch",
        "replay",
        "replay:",
        "cpu_tree:",
        "cpu_tree:x",
        "cmd",
        "cmd:",
        "redfish:",
        "cmd@it:",
    ],
)
def test_a_name_that_was_typed_wrongly_is_refused_with_the_valid_ones(name):
    with pytest.raises(InputError, match="replay:FILE"):
        sources.require(["rapl", name])
    sources.require(["rapl", "cpu_tree", "cpu_tree:1", "cmd:true", "cmd@it:sh -c 'echo 1'"])


def test_a_source_that_fails_unexpectedly_is_missing_and_stops_no_other(monkeypatch):
    class Broken(sources.CpuModel):
        name = "rapl"

        def probe(self):
            raise RuntimeError("no such register")

    monkeypatch.setitem(sources.SOURCES, "rapl", Broken)
    opened, domains = sources.open_sources(["rapl", "cpu_model"])
    assert [source.name for source in opened] == ["cpu_model"]
    assert domains[0].origin == "missing"
    assert "no such register" in domains[0].reason


def entry(device, value, within=None, boundary=Boundary.CHIP):
    return EnergyEntry(
        value=value,
        origin=Origin.MEASURED if value else Origin.MISSING,
        source="test",
        device=device,
        boundary=boundary,
        within=within,
    )


def test_of_nested_domains_only_the_outermost_readable_ones_are_added():
    tree = [entry("psys", 90.0), entry("package", 60.0, "psys"), entry("core", 40.0, "package")]
    assert totals(tree)[Boundary.CHIP].value == 90
    unread = [entry("psys", None), *tree[1:]]
    assert totals(unread)[Boundary.CHIP].value == 60
    assert totals(unread)[Boundary.CHIP].missing


def test_adding_overlapping_devices_or_two_boundaries_is_an_error():
    with pytest.raises(BoundaryError, match="overlap"):
        total([entry("package", 60.0), entry("core", 40.0, "package")])
    with pytest.raises(BoundaryError, match="one boundary"):
        total([entry("package", 60.0), entry("node", 90.0, boundary=Boundary.NODE)])
