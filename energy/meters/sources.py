"""Which sources a tracker reads: those named, or all that this machine has.

The processor's model stands in only where no counter of the processor can be read.
"""

from __future__ import annotations

from collections.abc import Callable
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
"""Every source that is looked for; the processor's model last, for what no other covers."""


def require(names: str | list[str]) -> None:
    """Refuse names that no meter has, where a person has typed them.

    Raises:
        InputError: a name is none of `SOURCES`, "replay:PATH", "cpu_tree" and "cpu_tree:PID".
    """
    for name in [] if names == "auto" else names:
        kind, _, told = name.partition(":")
        known = told.isdecimal() if kind == "cpu_tree" else kind == "replay" and told
        if name not in (*SOURCES, "cpu_tree") and not known:
            known_names = ", ".join([*SOURCES, "replay:FILE", "cpu_tree", "cpu_tree:PID"])
            raise InputError("expected a meter", name, f"one of {known_names}")


def open_sources(names: str | list[str]) -> tuple[list[Source], list[Domain]]:
    """Probe the sources of a choice.

    Args:
        names: "auto", or names of sources; "replay:PATH" plays a file, "cpu_tree:PID" models what
            one process and its descendants spend.

    Returns:
        The sources to read, and their domains; a domain that cannot be read has its reason.
    """
    wanted = list(SOURCES) if names == "auto" else list(names)
    sources: list[Source] = []
    domains: list[Domain] = []
    for name in wanted:
        if name.startswith("replay:"):
            source: Source = Replay(Path(name.removeprefix("replay:")))
        elif name.startswith("cpu_tree:") and name.removeprefix("cpu_tree:").isdecimal():
            source = CpuTree(int(name.removeprefix("cpu_tree:")))
        elif name in SOURCES:
            source = SOURCES[name]()
        else:
            domains.append(missing(name, "unknown", "", f"no meter of that name: {list(SOURCES)}"))
            continue
        found = _probed(source)
        kinds = {domain.kind for domain in domains if not domain.reason}
        if names == "auto" and name == "cpu_model":
            # A measured package or DRAM makes the model of the same thing a second count.
            covered = kinds | ({"memory"} if "dram" in kinds or "psys" in kinds else set())
            found = [domain for domain in found if domain.kind not in covered]
        if any(not domain.reason for domain in found):
            sources.append(source)
        domains += found
    return sources, domains


def _probed(source: Source) -> list[Domain]:
    """The domains of a source; one that fails in a way that it did not foresee is missing."""
    try:
        return source.probe()
    except Exception as error:
        return [missing(source.name, "unknown", source.name, f"{type(error).__name__}: {error}")]
