"""Which sources a tracker reads: those named, or all that this machine has.

The processor's model stands in only where no counter of the processor can be read.
"""

from __future__ import annotations

from collections.abc import Callable

from energy.meters.base import Domain, Source
from energy.meters.cpu_model import CpuModel
from energy.meters.nvml import Nvml
from energy.meters.rapl import Rapl

SOURCES: dict[str, Callable[[], Source]] = {"nvml": Nvml, "rapl": Rapl, "cpu_model": CpuModel}


def opened(names: str | list[str]) -> tuple[list[Source], list[Domain]]:
    """Probe the sources of a choice.

    Args:
        names: "auto", or names of sources.

    Returns:
        The sources to read, and their domains; a domain that cannot be read has its reason.
    """
    wanted = list(SOURCES) if names == "auto" else list(names)
    sources: list[Source] = []
    domains: list[Domain] = []
    for name in wanted:
        source = SOURCES[name]()
        found = source.probe()
        kinds = {domain.kind for domain in domains if not domain.reason}
        if names == "auto" and name == "cpu_model":
            # A measured package or DRAM makes the model of the same thing a second count.
            covered = kinds | ({"memory"} if "dram" in kinds or "psys" in kinds else set())
            found = [domain for domain in found if domain.kind not in covered]
        if any(not domain.reason for domain in found):
            sources.append(source)
        domains += found
    return sources, domains
