"""The processor model: watts of the named processor, the visible share, one process tree."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from energy import Tracker
from energy.meters import cpu_rows
from energy.meters.cpu_model import CpuModel
from energy.meters.cpu_tree import CpuTree
from energy.meters.sources import open_sources

NAMED = {
    "AMD EPYC 7763 64-Core Processor": "epyc-7763",
    "AMD EPYC 9654 96-Core Processor": "epyc-9654",
    "Intel(R) Xeon(R) Platinum 8480+": "xeon-8480",
    "Intel(R) Xeon(R) Platinum 8168 CPU @ 2.70GHz": "xeon-8168",
}


def proc(folder, model, cpus, siblings, cores):
    info = f"model name\t: {model}\nsiblings\t: {siblings}\ncpu cores\t: {cores}\n\n"
    (folder / "cpuinfo").write_text(info * cpus)
    lines = ["cpu  100 0 100 1000 0 0 0", *(f"cpu{i} 0 0 0 0 0 0 0" for i in range(cpus))]
    (folder / "stat").write_text("\n".join(lines) + "\n")
    (folder / "meminfo").write_text("MemTotal: 1048576 kB\n")
    return folder


@pytest.mark.parametrize(("model", "row"), NAMED.items())
def test_a_known_processor_uses_its_row(tmp_path, model, row):
    meter = CpuModel(proc(tmp_path, model, 2, 2, 1))
    cpu = next(domain for domain in meter.probe() if domain.id == "cpu")
    assert f"row {row}," in cpu.source
    assert cpu.origin == "modelled"
    assert cpu.high / cpu.low >= 9


@pytest.mark.parametrize("model", ["Intel(R) Xeon(R) Processor", "AMD EPYC 7763X", "", "8480+"])
def test_a_processor_without_a_row_uses_the_defaults(model):
    watts = cpu_rows.watts(f"model name : {model}\n")
    assert watts == cpu_rows.defaults()["cpu"]


def test_a_visible_share_of_a_socket_draws_that_share_of_its_tdp(tmp_path):
    """With all 128 threads busy an EPYC 7763 draws 280 W; 16 threads draw an eighth."""
    for cpus, busy_w in ((128, 280.0), (16, 35.0)):
        meter = CpuModel(proc(tmp_path, "AMD EPYC 7763 64-Core Processor", cpus, 128, 64))
        meter.probe()
        text = (tmp_path / "stat").read_text()
        before, start = meter.read()["cpu"], time.monotonic()
        more = cpus * 100 * os.sysconf("SC_CLK_TCK")  # each busy for 100 s
        (tmp_path / "stat").write_text(text.replace("cpu  100", f"cpu  {100 + more}"))
        after, dt = meter.read()["cpu"], time.monotonic() - start
        idle_w = busy_w * 0.3
        assert after - before == pytest.approx((busy_w - idle_w) * 100 + idle_w * dt, rel=1e-3)


def test_a_process_tree_only_counts_its_own_seconds():
    code = "import time\nstop = time.process_time() + 0.5\nwhile time.process_time() < stop: pass"
    with subprocess.Popen(["sleep", "30"]) as sleeper:
        idle, meter = CpuTree(sleeper.pid), CpuTree(os.getpid())
        (domain,) = meter.probe()
        idle.probe()
        before = meter.read()[domain.id]
        subprocess.run([sys.executable, "-c", code], check=True)
        spent, slept = meter.read()[domain.id] - before, idle.read()[f"cpu-tree-{sleeper.pid}"]
        sleeper.kill()
    half_s = cpu_rows.watts(Path("/proc/cpuinfo").read_text()).busy_w * 0.5
    assert domain.origin == "modelled"
    assert half_s * 0.9 < spent < half_s * 3
    assert slept < half_s * 0.1


def test_a_tracker_of_its_own_process_tree_names_its_own_process(tmp_path):
    with Tracker(tmp_path, meters=["cpu_tree"]) as tracker:
        pass
    (entry,) = tracker.record().energy
    assert entry.device == f"cpu-tree-{os.getpid()}"


def test_a_process_that_does_not_exist_is_missing():
    _, (domain,) = open_sources(["cpu_tree:999999999"])
    assert (domain.origin, domain.reason) == ("missing", "no such process")
