"""Which sources a tracker reads: those named, or all that this machine has.

The processor model is only used where no counter of the processor can be read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from energy.errors import InputError
from energy.meters.amd import Amd
from energy.meters.base import Domain, Source, missing
from energy.meters.cpu_model import CpuModel
from energy.meters.cpu_tree import CpuTree
from energy.meters.hwmon import Hwmon
from energy.meters.node import Node
from energy.meters.nvml import Nvml
from energy.meters.rapl import Rapl
from energy.meters.replay import Replay
from energy.meters.tpu import Tpu

SOURCES: dict[str, Callable[[], Source]] = {
    "nvml": Nvml,
    "amd": Amd,
    "tpu": Tpu,
    "rapl": Rapl,
    "hwmon": Hwmon,
    "node": Node,
    "cpu_model": CpuModel,
}
"""Every source that "auto" probes; the processor model last, for what no other source covers."""


def require(names: str | list[str]) -> None:
    """Check names of meters that a user has typed.

    Raises:
        InputError: a name is not in `SOURCES` and not "replay:PATH", "cpu_tree" or "cpu_tree:PID".
    """
    for name in [] if names == "auto" else names:
        if name != "cpu_tree" and _maker(name) is None:
            known_names = ", ".join([*SOURCES, "replay:FILE", "cpu_tree", "cpu_tree:PID"])
            raise InputError("expected a meter", name, f"one of: {known_names}")


def open_sources(
    names: str | list[str], start_s: float | None = None
) -> tuple[list[Source], list[Domain]]:
    """Create and probe sources.

    Args:
        names: "auto", or names of sources; "replay:PATH" replays a file, "cpu_tree:PID" models the
            energy of one process and its descendants.
        start_s: monotonic seconds at which replays begin; now, by default.

    Returns:
        The sources to read, and all domains; a domain that cannot be read carries a reason.
    """
    sources: list[Source] = []
    domains: list[Domain] = []
    for name in SOURCES if names == "auto" else names:
        make = _maker(name, start_s)
        if make is None:
            domains.append(missing(name, "unknown", "", f"no meter of that name: {list(SOURCES)}"))
            continue
        source = make()
        own = _probed(source)
        if names == "auto" and name == "cpu_model":
            own = _uncovered(own, domains)
        if any(not domain.reason for domain in own):
            sources.append(source)
        domains += own
    return sources, domains


def _maker(name: str, start_s: float | None = None) -> Callable[[], Source] | None:
    """What creates the source of a name; None if there is no such source."""
    kind, _, argument = name.partition(":")
    if kind == "replay" and argument:
        return lambda: Replay(Path(argument), start_s)
    if kind == "cpu_tree" and argument.isdecimal():
        return lambda: CpuTree(int(argument))
    return SOURCES.get(name)


def _probed(source: Source) -> list[Domain]:
    """The domains of a source; a source that fails unexpectedly is missing."""
    try:
        domains = source.probe()
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        domains = [missing(source.name, "unknown", source.name, reason)]
    return [replace(domain, meter=source.name) for domain in domains]


def _uncovered(modelled: list[Domain], others: list[Domain]) -> list[Domain]:
    """Modelled domains of which no other source reads a counter.

    Beside a measured package or DRAM the model would count the same energy a second time.
    """
    kinds = {domain.kind for domain in others if not domain.reason}
    covered = kinds | ({"memory"} if "dram" in kinds or "psys" in kinds else set())
    return [domain for domain in modelled if domain.kind not in covered]
