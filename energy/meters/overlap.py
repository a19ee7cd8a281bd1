"""Which meter counts where two of them read the same joules: the one that was opened first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from energy.meters.base import Domain

NODE = ("cmd", "redfish", "cray", "hwmon", "node")

READ_BEFORE: dict[tuple[str, str], tuple[str, ...]] = {
    ("hwmon", "cpu"): ("rapl",),
    ("hwmon", "module"): ("nvml",),
    ("cray", "cpu"): ("rapl", "hwmon"),
    ("cray", "dram"): ("rapl",),
    ("cray", "gpu"): ("nvml", "amd"),
    **{(meter, "node"): tuple(other for other in NODE if other != meter) for meter in NODE},
}
"""Meter and kind: the meters that read the same devices. AMD's hwmon counters are those of RAPL, a
Cray blade reads the boards that have counters of their own, and a node has one power."""


def without_overlap(own: list[Domain], others: Iterable[Domain]) -> list[Domain]:
    """The domains of a meter that no meter opened before it reads.

    What lies within a module or a node that is left out is placed within that of the other meter,
    if both have as many of them. Else it is left out with its module, whose joules include it; a
    node is another boundary.

    Args:
        own: domains of one meter.
        others: those of the meters before it.
    """
    readable = [domain for domain in others if not domain.reason]
    left_out = {domain.id for domain in own if any(_same(domain, other) for other in readable)}
    kinds = {domain.id: domain.kind for domain in own}
    instead: dict[str | None, str] = {}
    for kind in ("module", "node"):
        mine = [name for name in kinds if kinds[name] == kind and name in left_out]
        their = [domain.id for domain in readable if domain.kind == kind]
        instead |= dict(zip(mine, their, strict=True)) if len(mine) == len(their) else {}
    kept = []
    for domain in own:
        container = instead.get(domain.within, domain.within)
        if domain.id in left_out or (container in left_out and kinds[container] == "module"):
            continue
        kept.append(replace(domain, within=None if container in left_out else container))
    return kept


def _same(own: Domain, other: Domain) -> bool:
    """Whether another meter reads what this domain is."""
    family = own.meter.split(":")[0]
    before = READ_BEFORE.get((family, own.kind), ())
    return own.kind == other.kind and other.meter.split(":")[0] in before
