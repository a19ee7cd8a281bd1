"""Apple silicon, against a module with the names of zeus-apple-silicon."""

import sys

import pytest

from energy.meters.apple import Apple

PACKAGE = """
print("loaded")
class AppleEnergyMetrics:
    cpu_total_mj = 5000
    efficiency_cores_mj = [1000]
    performance_cores_mj = [4000]
    dram_mj = None
    gpu_mj = 2000
    gpu_sram_mj = 7
    ane_mj = 300
class AppleEnergyMonitor:
    broken = False
    def get_cumulative_energy(self):
        if self.broken: raise RuntimeError("IOReport")
        return AppleEnergyMetrics()
    def begin_window(self, key): pass
    def end_window(self, key): return AppleEnergyMetrics()
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    (tmp_path / "zeus_apple_silicon.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("zeus_apple_silicon", None)


def test_each_counter_that_the_chip_has_is_a_domain_in_joules(package, capfd):
    meter = Apple(here=True)
    domains = meter.probe()
    assert capfd.readouterr() == ("", "")
    assert {domain.id: domain.kind for domain in domains} == {
        "cpu": "cpu",
        "gpu": "gpu",
        "neural-engine": "npu",
    }
    assert {domain.method for domain in domains} == {"counter"}
    assert meter.read() == {"cpu": 5.0, "gpu": 2.0, "neural-engine": 0.3}


def test_a_counter_that_fails_later_is_a_gap_and_not_0(package):
    meter = Apple(here=True)
    meter.probe()
    meter._monitor.broken = True
    assert set(meter.read().values()) == {None}


def test_a_mac_without_the_package_is_missing_with_the_command_that_installs_it():
    (domain,) = Apple(here=True).probe()
    assert domain.origin == "missing"
    assert domain.fix == "pip install 'glam-energy[apple]'"


def test_other_machines_have_no_apple_silicon():
    assert Apple().probe() == []
