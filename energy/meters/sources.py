"""Which sources a tracker reads: those named, or all that this machine has.

Of two meters of one thing the first counts (`overlap`), and the processor model is only used where
no counter of the processor can be read.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from energy.errors import InputError
from energy.meters import sensors
from energy.meters.amd import Amd
from energy.meters.apple import Apple
from energy.meters.base import Domain, Source, missing
from energy.meters.cmd import Cmd
from energy.meters.cpu_model import CpuModel
from energy.meters.cpu_tree import CpuTree
from energy.meters.cray import Cray
from energy.meters.hwmon import Hwmon
from energy.meters.node import Node
from energy.meters.nvml import Nvml
from energy.meters.overlap import without_overlap
from energy.meters.rapl import Rapl
from energy.meters.redfish import Redfish
from energy.meters.replay import Replay
from energy.meters.share import share, whole_machine
from energy.meters.tpu import Tpu
from energy.outside import attempt

SOURCES: dict[str, Callable[[], Source]] = {
    "nvml": Nvml,
    "amd": Amd,
    "tpu": Tpu,
    "rapl": Rapl,
    "cray": Cray,
    "hwmon": Hwmon,
    "node": Node,
    "apple": Apple,
    "cpu_model": CpuModel,
}
"""Every source that "auto" probes; the processor model last, for what no other source covers."""

ON_REQUEST = ("replay:FILE", "cmd:PROGRAM", "redfish:URL", "cpu_tree", "cpu_tree:PID")
"""The sources that are only read where they are named."""


def require(names: str | list[str]) -> None:
    """Check names of meters that a user has typed.

    Raises:
        InputError: a name is neither in `SOURCES` nor in `ON_REQUEST`, or its file, program or
            address cannot be.
    """
    for name in [] if names == "auto" else names:
        if name != "cpu_tree":
            typed(name)


PROC, GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
"""Where the limits of this process are read."""

ACCELERATORS = ("gpu", "hbm", "tpu")
"""Kinds that are chosen for a run by themselves, whatever cores it may use."""


def typed(name: str) -> Source:
    """The source of a name that a user has typed; it has not been probed.

    Raises:
        InputError: there is no source of that name, or its file, program or address cannot be.
    """
    make = _maker(name)
    if make is None:
        raise InputError("expected a meter", name, f"one of: {', '.join([*SOURCES, *ON_REQUEST])}")
    source = make()
    source.check()
    return source


def open_sources(
    names: str | list[str], start_s: float | None = None
) -> tuple[list[Source], list[Domain]]:
    """Create and probe sources.

    Args:
        names: "auto", or names of sources; "replay:PATH" replays a file, "cmd:PROGRAM" reads the
            lines of a program, "redfish:URL" a management controller, and "cpu_tree:PID" models
            the energy of one process and its descendants.
        start_s: monotonic seconds at which replays begin; now, by default.

    Returns:
        The sources to read, and all domains; a domain that cannot be read carries a reason.
    """
    opening = Opening(names, start_s)
    while opening.waiting:
        opening.open_next()
    return opening.sources, opening.domains


class Opening:
    """Opens sources one by one, so that one that does not return can be left out.

    Args:
        names: as for `open_sources`.
        start_s: as for `open_sources`.
        wrap: replaces a source before it is probed.

    Attributes:
        waiting: names of the sources that are not opened yet; the first is opened next.
        sources: the sources to read.
        domains: all domains so far.
        names: under which name each source was opened.
    """

    def __init__(
        self,
        names: str | list[str],
        start_s: float | None = None,
        wrap: Callable[[Source], Source] = lambda source: source,
    ) -> None:
        self._auto, self._start_s, self._wrap = names == "auto", start_s, wrap
        self.waiting = list(SOURCES if names == "auto" else names)
        self.sources: list[Source] = []
        self.domains: list[Domain] = []
        self.names: dict[str, str] = {}
        self._left_out: dict[str, tuple[Source, list[Domain]]] = {}

    def open_next(self) -> None:
        """Create and probe the next source."""
        name = self.waiting[0]
        make = _maker(name, self._start_s)
        if make is None:
            own = [missing(name, "unknown", "", f"no meter of that name: {list(SOURCES)}")]
        else:
            source = self._wrap(make())
            alike = sum(other.name.split("#")[0] == source.name for other in self.sources)
            source.name += f"#{alike + 1}" if alike else ""
            self.names[source.name] = name
            own = _distinct(without_overlap(probed(source), self.domains), self.domains)
            if self._auto and name == "cpu_model":
                own = _uncovered(own, self.domains)
            if any(not domain.reason for domain in own):
                self.sources.append(source)
            else:
                source.close()
        self.waiting.pop(0)
        self.domains += own

    def leave_out(self, meter: str, reason: str) -> list[Domain]:
        """Go on without a source that does not return; returns its domains, which are missing."""
        for source in self.sources:
            if source.name == meter:
                self._left_out[meter] = source, self.domains
        self.sources = [source for source in self.sources if source.name != meter]
        self.domains = [
            replace(domain, origin="missing", reason=reason)
            if domain.meter == meter and not domain.reason
            else domain
            for domain in self.domains
        ]
        if all(domain.meter != meter for domain in self.domains):
            self.skip([replace(missing(meter, "unknown", meter, reason), meter=meter)])
        return [domain for domain in self.domains if domain.meter == meter]

    def take_back(self, meter: str) -> bool:
        """Read a source again that was left out; False if it was never opened."""
        if meter not in self._left_out:
            return False
        source, before = self._left_out.pop(meter)
        again = {domain.id: domain for domain in before if domain.meter == meter}
        self.sources.append(source)
        self.domains = [again.get(domain.id, domain) for domain in self.domains]
        return True

    def skip(self, domains: list[Domain]) -> None:
        """Do not open the next source; its domains are missing."""
        self.waiting.pop(0)
        self.domains += domains


def _maker(name: str, start_s: float | None = None) -> Callable[[], Source] | None:
    """What creates the source of a name; None if there is no such source."""
    kind, _, argument = name.partition(":")
    if kind == "replay" and argument:
        return lambda: Replay(Path(argument), start_s)
    if kind == "cpu_tree" and argument.isdecimal():
        return lambda: CpuTree(int(argument))
    if kind == "redfish" and argument:
        return lambda: Redfish(argument)
    if kind.split("@")[0] == "cmd" and argument:
        return lambda: Cmd(argument, kind.partition("@")[2] or "node")
    return SOURCES.get(name)


def probed(source: Source) -> list[Domain]:
    """The domains of a source; a source that fails unexpectedly is missing."""
    domains, error = attempt(source.probe)
    if domains is None:
        reason = f"{type(error).__name__}: {error}"
        domains = [missing(source.name, "unknown", source.name, reason)]
    return _noted(
        [sensors.by_default(replace(domain, meter=source.name), source.name) for domain in domains]
    )


def _noted(domains: list[Domain]) -> list[Domain]:
    """The domains, with a note on those that measure a machine of which this run has a share."""

    def is_whole(domain: Domain) -> bool:
        measured = domain.origin == "measured" and domain.kind not in ACCELERATORS
        return measured and not (domain.within or domain.note)

    if not any(map(is_whole, domains)):
        return domains
    note = whole_machine(share(PROC, GROUPS), os.cpu_count() or 0)
    return [replace(domain, note=note) if is_whole(domain) else domain for domain in domains]


def _distinct(own: list[Domain], others: list[Domain]) -> list[Domain]:
    """The domains of a source; missing if another source has one of their names."""
    taken = {domain.id: domain.meter for domain in others}
    for domain in own:
        if domain.id in taken:
            name, reason = domain.meter, f"{taken[domain.id]} has a device {domain.id} too"
            return [replace(missing(name, domain.kind, domain.api, reason), meter=name)]
    return own


def _uncovered(modelled: list[Domain], others: list[Domain]) -> list[Domain]:
    """Modelled domains of which no other source reads a counter.

    Beside a measured package or DRAM the model would count the same energy a second time.
    """
    kinds = {domain.kind for domain in others if not domain.reason}
    covered = kinds | ({"memory"} if kinds & {"dram", "psys", "module"} else set())
    covered |= {"cpu"} if "module" in kinds else set()
    return [domain for domain in modelled if domain.kind not in covered]
