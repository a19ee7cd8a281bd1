"""What a container or a Slurm job may use of its machine, from trees of files as the kernel has."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.meters import share as shares
from energy.meters import sources
from energy.meters.cpu_model import CpuModel
from energy.meters.rapl import Rapl
from tests.support.standin import powercap, write_tree

HZ = os.sysconf("SC_CLK_TCK")
GIB = 1 << 30
NO_LIMIT = 9223372036854771712
"""What version 1 states for a group without a limit of memory."""


@pytest.fixture(autouse=True)
def outside_slurm(monkeypatch):
    for name in ("SLURM_CPUS_ON_NODE", "SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU"):
        monkeypatch.delenv(name, raising=False)


def machine(root, files, *, cores=128, gib=1008, path="0::/", busy=0):
    """A machine, with `busy` seconds on each core, and the files of its control groups."""
    lines = [f"cpu {cores * busy * HZ} 0 0 9 0 0 0"]
    lines += [f"cpu{core} {busy * HZ} 0 0 9 0 0 0" for core in range(cores)]
    write_tree(
        root,
        {
            "proc/stat": "\n".join(lines),
            "proc/meminfo": f"MemTotal: {gib << 20} kB",
            "proc/cpuinfo": "",
            "proc/self/cgroup": path,
            **{f"sys/fs/cgroup/{name}": text for name, text in files.items()},
        },
    )
    return CpuModel(root / "proc")


VERSION_2 = {
    "memory.max": {"memory.max": 100 * GIB},
    "cpu.max": {"cpu.max": "800000 100000", "cpu.stat": "usage_usec 5000000\nuser_usec 1"},
    "cpuset": {"cpuset.cpus.effective": "0-5,64-65"},
}
VERSION_1 = {
    "memory.limit_in_bytes": {"memory/memory.limit_in_bytes": 100 * GIB},
    "cpu.cfs_quota_us": {
        "cpu/cpu.cfs_quota_us": 800000,
        "cpu/cpu.cfs_period_us": 100000,
        "cpuacct/cpuacct.usage": 5_000_000_000,
    },
    "cpuset": {"cpuset/cpuset.cpus": "0-5,64-65"},
}
V1_PATH = "4:memory:/docker/abc\n3:cpuset:/docker/abc\n2:cpuacct:/docker/abc\n1:cpu:/docker/abc"


@pytest.mark.parametrize(
    ("files", "path", "name"),
    [(files, "0::/", name) for name, files in VERSION_2.items()]
    + [(files, V1_PATH, name) for name, files in VERSION_1.items()],
)
def test_the_limits_of_a_container_are_its_share_and_are_named(tmp_path, files, path, name):
    cpu, memory = machine(tmp_path, files, path=path).probe()
    limited, free = (memory, cpu) if "memory" in name else (cpu, memory)
    assert f"({name})" in limited.api
    assert ("100.0 of 1008.0 GiB" if limited is memory else "8 of 128 cores") in limited.api
    assert " of " not in free.api


def watts(meter, change):
    """Joules that a change of files adds to the processor beyond its idle power."""
    meter.probe()
    before, start_ns = meter.read()["cpu"], meter.dated_ns()
    change()
    after, stop_ns = meter.read()["cpu"], meter.dated_ns()
    return after - before - meter._cores * 1.8 * (stop_ns - start_ns) / 1e9


def test_a_quota_is_charged_what_its_group_used_and_not_what_the_neighbors_did(tmp_path):
    meter = machine(tmp_path, VERSION_2["cpu.max"])

    def change():
        machine(tmp_path, {"cpu.stat": "usage_usec 15000000"}, busy=1000)

    assert watts(meter, change) == pytest.approx(10 * (6 - 1.8))


def test_a_list_of_cores_is_charged_what_those_cores_did(tmp_path):
    meter = machine(tmp_path, VERSION_2["cpuset"])
    meter.probe()
    assert watts(meter, lambda: machine(tmp_path, {}, busy=100)) == pytest.approx(
        8 * 100 * (6 - 1.8)
    )


def test_the_tightest_limit_of_all_parents_counts_with_the_group_that_sets_it(tmp_path):
    files = {
        "slurm/cpu.max": "max 100000",
        "slurm/job_7/cpu.max": "400000 100000",
        "slurm/job_7/cpu.stat": "usage_usec 7000000",
        "slurm/job_7/step_0/cpu.max": "400000 100000",
        "slurm/job_7/step_0/cpu.stat": "usage_usec 1000000",
        "slurm/job_7/memory.max": 64 * GIB,
        "slurm/job_7/step_0/memory.max": "max",
    }
    machine(tmp_path, files, path="0::/slurm/job_7/step_0")
    limits = shares.share(tmp_path / "proc", tmp_path / "sys/fs/cgroup", {})
    assert (limits.cores.value, limits.memory.value) == (4, 64 * GIB)
    assert limits.used_core_s() == 7


def test_limits_above_the_machine_and_no_limits_are_the_whole_machine(tmp_path):
    files = {
        "memory/memory.limit_in_bytes": NO_LIMIT,
        "cpu/cpu.cfs_quota_us": -1,
        "cpu/cpu.cfs_period_us": 100000,
        "cpuset/cpuset.cpus": "0-127",
    }
    cpu, memory = machine(tmp_path, files, path=V1_PATH).probe()
    assert "/proc/stat: 128 cores x" in cpu.api
    assert memory.api.startswith("1008.0 GiB x")


SLURM = {"SLURM_CPUS_ON_NODE": "16", "SLURM_MEM_PER_CPU": "4096"}


def test_what_slurm_granted_counts_where_no_group_limits_anything(tmp_path, monkeypatch):
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    cpu, memory = machine(tmp_path, {"cgroup.procs": ""}).probe()
    assert "16 of 128 cores (SLURM_CPUS_ON_NODE)" in cpu.api
    assert "64.0 of 1008.0 GiB (SLURM_MEM_PER_CPU)" in memory.api
    # Its neighbors' load is not known apart from its own, so the band holds idle and busy.
    assert "taken to be as busy as all cores" in cpu.api
    assert cpu.low * 6 <= 0.3 * 1.8
    assert cpu.high * 1.8 >= 3 * 6


@pytest.mark.parametrize(("granted", "limited"), [(64, False), (128, False), (32, True)])
def test_as_many_as_the_cores_of_a_machine_with_two_threads_each_is_all(
    tmp_path, monkeypatch, granted, limited
):
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", str(granted))
    meter = machine(tmp_path, {"cgroup.procs": ""})
    threads = [f"physical id\t: 0\ncore id\t\t: {thread % 64}\n" for thread in range(128)]
    write_tree(tmp_path, {"proc/cpuinfo": "\n".join(threads)})
    cpu, _ = meter.probe()
    assert (" of 128 cores" in cpu.api) == limited


def test_a_group_is_believed_before_slurm(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "4")
    cpu, _ = machine(tmp_path, VERSION_2["cpuset"]).probe()
    assert "8 of 128 cores (cpuset)" in cpu.api


def test_everything_of_a_node_that_slurm_writes_as_zero_is_no_limit(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "0")
    _, memory = machine(tmp_path, {"cgroup.procs": ""}).probe()
    assert " of " not in memory.api


def test_a_measured_machine_of_which_a_run_has_a_share_says_so(tmp_path, monkeypatch):
    write_tree(tmp_path, {"cpuset.cpus.effective": 0, "cpuset/cpuset.cpus": 0})
    monkeypatch.setattr(os, "cpu_count", lambda: 128)
    monkeypatch.setattr(sources, "GROUPS", tmp_path)
    powercap(
        tmp_path / "rapl",
        {
            "intel-rapl:0": ("package-0", 5_000_000, 262_143_328_850),
            "intel-rapl:0:0": ("core", 3_000_000, 262_143_328_850),
        },
    )
    package, core = sources.probed(Rapl(tmp_path / "rapl", "GenuineIntel"))
    assert "1 of 128 cores (cpuset)" in package.note
    assert core.note == ""
    assert not any(domain.note for domain in sources.probed(machine(tmp_path, {})))
    monkeypatch.setattr(sources, "GROUPS", tmp_path / "none")
    assert not any(domain.note for domain in sources.probed(Rapl(tmp_path / "rapl")))


@given(st.sets(st.integers(0, 300)))
def test_a_list_of_cores_is_read_as_the_kernel_writes_it(tmp_path_factory, cores):
    group, text = tmp_path_factory.mktemp("group"), []
    for core in sorted(cores):
        if text and text[-1][1] == core - 1:
            text[-1] = (text[-1][0], core)
        else:
            text.append((core, core))
    words = ",".join(str(a) if a == b else f"{a}-{b}" for a, b in text)
    (group / "cpuset.cpus").write_text(f"{words}\n")
    assert shares._allowed(group) == cores
