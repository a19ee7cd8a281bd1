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

    What lies within a module that is left out is placed within the same module of the other meter,
    if both have as many modules.

    Args:
        own: domains of one meter.
        others: those of the meters before it.
    """
    readable = [domain for domain in others if not domain.reason]
    left_out = {domain.id for domain in own if any(_same(domain, other) for other in readable)}
    modules = [domain.id for domain in own if domain.kind == "module" and domain.id in left_out]
    their = [domain.id for domain in readable if domain.kind == "module"]
    instead = dict(zip(modules, their, strict=True)) if len(modules) == len(their) else {}
    kept = []
    for domain in own:
        if domain.id in left_out or (domain.within in left_out and domain.within not in instead):
            continue
        kept.append(replace(domain, within=instead.get(domain.within or "", domain.within)))
    return kept


def _same(own: Domain, other: Domain) -> bool:
    """Whether another meter reads what this domain is."""
    family = own.meter.split(":")[0]
    before = READ_BEFORE.get((family, own.kind), ())
    return own.kind == other.kind and other.meter.split(":")[0] in before
