"""The share of a machine that this process may use: limits of its container and of its Slurm job.

Control groups of both versions are read from the root down to the process's own group, and the
tightest limit counts; the group that sets it also counts the processor time of all its members.
Where no group limits anything, what Slurm says that it granted counts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from energy.meters.files import text_of

MIB = 1 << 20
CORE_FIELDS = ("physical id", "core id")
"""Fields of /proc/cpuinfo that two threads of one core share."""

S_PER_US, S_PER_NS = 1e-6, 1e-9


@dataclass(frozen=True)
class Limit:
    """A limit, the name of what sets it, and the folder of its control group if one does."""

    value: float
    name: str
    folder: Path | None = None


@dataclass(frozen=True)
class Share:
    """What this process may use.

    Attributes:
        cores: how many cores; None for all.
        cpus: numbers of the cores, if the limit is a list of them.
        memory: bytes; None for all.
    """

    cores: Limit | None = None
    cpus: frozenset[int] = frozenset()
    memory: Limit | None = None

    def used_core_s(self) -> float | None:
        """Core-seconds that the group has used which limits the cores; None if it cannot say."""
        if self.cores is None or self.cores.folder is None:
            return None
        folder = self.cores.folder
        for line in text_of(folder / "cpu.stat").splitlines():
            if line.startswith("usage_usec "):
                return int(line.split()[1]) * S_PER_US
        # Version 1 counts in another hierarchy, which most machines mount in the same place.
        for group in (folder, Path(str(folder).replace("/cpu/", "/cpuacct/", 1))):
            if (used := text_of(group / "cpuacct.usage")).isdigit():
                return int(used) * S_PER_NS
        return None


def share(proc: Path, groups: Path, environment: Mapping[str, str] = os.environ) -> Share:
    """The limits of this process on cores and memory.

    Args:
        proc: the proc file system.
        groups: where the control groups are mounted (/sys/fs/cgroup).
        environment: variables of the process; Slurm's are read.
    """
    cores: list[Limit] = []
    memory: list[Limit] = []
    for folder in _groups(proc, groups):
        cores += [*_quota(folder), *_cpuset(folder)]
        memory += _memory(folder)
    cpus_on_node = _granted(environment, "SLURM_CPUS_ON_NODE", 1.0)
    if cpus_on_node and not cores:
        # Slurm counts threads or cores, as its administrator chose: as many as cores is all.
        physical = _physical_cores(proc)
        cores = [limit for limit in cpus_on_node if limit.value < physical or not physical]
    if not memory:
        memory = _granted(environment, "SLURM_MEM_PER_NODE", MIB) or [
            limit
            for count in cpus_on_node
            for limit in _granted(environment, "SLURM_MEM_PER_CPU", MIB * count.value)
        ]
    # Of equal limits the first counts: its group is the outermost and has all members.
    tightest = min(cores, key=lambda limit: limit.value, default=None)
    cpus = _allowed(tightest.folder) if tightest and tightest.folder else frozenset()
    if tightest and len(cpus) != tightest.value:
        cpus = frozenset()
    return Share(tightest, cpus, min(memory, key=lambda limit: limit.value, default=None))


def whole_machine(limits: Share, cores: int) -> str:
    """What to know of joules of a whole machine, of which only a share is ours; else empty.

    Args:
        limits: our share.
        cores: cores of the machine.
    """
    own = limits.cores
    if own is None or own.value >= cores:
        return ""
    return (
        f"the joules are the whole machine's, of which this run may use {own.value:.4g} of {cores} "
        f"cores ({own.name})"
    )


def _groups(proc: Path, groups: Path) -> Iterator[Path]:
    """The folders of the groups of this process, each after its parent.

    Inside a container the root of the mount may be the process's own group, whatever path the
    kernel states; folders of the path that are not there are left out. In a copy of the files of
    a machine without its control groups, limits may stand beside meminfo.
    """
    if not groups.is_dir():
        yield proc
        return
    for line in text_of(proc / "self" / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for mount in (controllers, *controllers.split(","), "unified") if controllers else ("",):
            top = groups / mount
            if top.is_dir():
                ways = [top, *(top.joinpath(*parts[:n]) for n in range(1, len(parts) + 1))]
                yield from (way for way in ways if way.is_dir())
                break


def _physical_cores(proc: Path) -> int:
    """Cores of the machine, each counted once whatever its threads; 0 if it does not say."""
    text = text_of(proc / "cpuinfo")
    columns = [re.findall(rf"^{name}\s*: (\d+)", text, re.MULTILINE) for name in CORE_FIELDS]
    return len(set(zip(*columns, strict=False)))


def _quota(group: Path) -> Iterator[Limit]:
    """Cores of a quota of processor time: '800000 100000' is eight cores, 'max 100000' is all."""
    for name, text in (
        ("cpu.max", text_of(group / "cpu.max")),
        (
            "cpu.cfs_quota_us",
            f"{text_of(group / 'cpu.cfs_quota_us')} {text_of(group / 'cpu.cfs_period_us')}",
        ),
    ):
        quota, _, period = text.partition(" ")
        if quota.isdigit() and period.isdigit() and int(period) > 0:
            yield Limit(int(quota) / int(period), name, group)


def _cpuset(group: Path) -> Iterator[Limit]:
    if allowed := _allowed(group):
        yield Limit(len(allowed), "cpuset", group)


def _allowed(group: Path) -> frozenset[int]:
    """The cores that a group may use; empty if it does not say. '0-2,8' is 0, 1, 2 and 8."""
    cores: set[int] = set()
    for name in ("cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus"):
        for part in text_of(group / name).split(","):
            first, _, last = part.partition("-")
            if first.isdigit():
                cores.update(range(int(first), int(last or first) + 1))
        if cores:
            break
    return frozenset(cores)


def _memory(group: Path) -> Iterator[Limit]:
    for name in ("memory.max", "memory.limit_in_bytes"):
        if (text := text_of(group / name)).isdigit():
            yield Limit(int(text), name, group)


def _granted(environment: Mapping[str, str], name: str, unit: float) -> list[Limit]:
    """What a variable of Slurm grants; 0 stands for everything."""
    text = environment.get(name, "")
    return [Limit(int(text) * unit, name)] if text.isdigit() and int(text) else []
