"""Joules of processor packages and memory from the kernel's powercap files (RAPL).

Counters are in microjoules and wrap around at a stated range. psys contains the packages, and a
package contains its cores. DRAM sits in the package's folder, but its joules are not part of the
package's. Dies that mirror one counter are counted once. Every zone is listed: one whose range
cannot be read is read all the same, and a fall of its counter is then a reset; one whose name or
counter cannot be read is missing. A reading that fails later is a gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from energy.meters import cpu_rows, limits
from energy.meters.base import BaseSource, Domain, unreadable
from energy.meters.files import cpuinfo_field, text_of

ROOT = Path("/sys/class/powercap")
J_PER_UJ = 1e-6

BANDS = {
    "GenuineIntel": (0.95, 1.05),
    "AuthenticAMD": (0.85, 1.15),
}
"""95 % systematic band by vendor: Intel servers +-5 %, AMD (a model internally) +-15 %."""


@dataclass
class Zone:
    """One counter file and its domain."""

    domain: Domain
    file: Path
    last_uj: int | None = None

    def joules(self) -> float | None:
        """Raw counter in joules; None if the file cannot be read."""
        try:
            self.last_uj = int(self.file.read_text())
        except (OSError, ValueError):
            return None
        return self.last_uj * J_PER_UJ


class Rapl(BaseSource):
    """All RAPL zones below a powercap folder.

    Args:
        root: the folder; tests pass their own.
        vendor: processor vendor as in /proc/cpuinfo, which is read by default.
    """

    name = "rapl"

    def __init__(self, root: Path = ROOT, vendor: str | None = None) -> None:
        self._root, self._vendor = root, vendor
        self._zones: list[Zone] = []

    def probe(self) -> list[Domain]:
        """Packages, psys, DRAM and cores with their nesting; unreadable ones are missing."""
        zones: list[Zone] = []
        missing: list[Domain] = []
        domains: dict[Path, Domain] = {}
        for folder, name in self._listed():
            domain = domains[folder] = self._domain(folder, name, domains)
            zone = Zone(domain, folder / "energy_uj")
            if not name:
                domain = unreadable(domain, folder / "name", "the zone's name cannot be read")
                missing.append(domain)
            elif zone.joules() is None:
                missing.append(unreadable(domain, zone.file))
            else:
                zones.append(zone)
        self._zones = _without_mirrors(zones)
        read = {zone.domain.id for zone in self._zones}
        return [zone.domain for zone in self._zones] + [d for d in missing if d.id not in read]

    def read(self) -> dict[str, float | None]:
        """Raw joules by domain; the ledger's reader unwraps them."""
        return {zone.domain.id: zone.joules() for zone in self._zones}

    def states(self) -> dict[str, dict[str, Any]]:
        """The power limits of the zones that have any."""
        in_force = {z.domain.id: limits.constraints_of_zone(z.file.parent) for z in self._zones}
        return {name: {"power_limits_w": own} for name, own in in_force.items() if own}

    @cached_property
    def _cpuinfo(self) -> str:
        """Text of /proc/cpuinfo, read once there is a zone: many cores take the kernel a while."""
        return text_of(Path("/proc/cpuinfo"))

    def _listed(self) -> list[tuple[Path, str]]:
        """Folder and name of each zone, containers first; the name is empty if it cannot be read.

        psys comes first wherever the kernel lists it; then parents, which sort before their
        children (intel-rapl:0 before intel-rapl:0:0); zones of the MSR interface before those of
        the MMIO interface, which show the same counters again.
        """
        zones = [(folder, text_of(folder / "name")) for folder in self._root.glob("*rapl*:*")]
        return sorted(zones, key=lambda zone: (zone[1] != "psys", "mmio" in zone[0].name, zone[0]))

    def _domain(self, folder: Path, name: str, containers: dict[Path, Domain]) -> Domain:
        """The domain of a zone: package-0 is "cpu-package-0", its DRAM is "dram-package-0"."""
        vendor = self._vendor or cpuinfo_field(self._cpuinfo, "vendor_id")
        low, high = BANDS.get(vendor, (0.85, 1.15))
        parent = containers.get(folder.with_name(folder.name.rsplit(":", 1)[0]))
        psys = next((d.id for d in containers.values() if d.kind == "psys"), None)
        kind, within = "cpu", psys
        if name == "psys":
            kind, within = "psys", None
        elif name == "dram":
            kind, low, high = "dram", min(low, 0.9), max(high, 1.1)
        elif parent is not None:
            within = parent.id
        name = name or folder.name
        range_uj = text_of(folder / "max_energy_range_uj")
        turns = "" if range_uj.isdigit() else "; its range cannot be read: a fall is a reset"
        return Domain(
            id=f"cpu-{name}" if parent is None else f"{name}-{parent.id.removeprefix('cpu-')}",
            kind=kind,
            boundary="chip",
            within=within,
            api=f"powercap {folder.name} energy_uj{turns}",
            limit_w=self._limit_w(folder, kind, parent),
            never_zero=name.startswith("package"),
            wrap_j=0.0 if turns else int(range_uj) * J_PER_UJ,
            low=low,
            high=high,
            source="RAPL against external meters, by vendor",
        )

    def _limit_w(self, folder: Path, kind: str, parent: Domain | None) -> float:
        """The most watts of a zone: by its constraints, of its package, or by the name plate."""
        stated = limits.of_zone(folder)
        if stated or kind != "cpu":
            return stated
        return parent.limit_w if parent is not None else cpu_rows.socket_w(self._cpuinfo)


def _without_mirrors(zones: list[Zone]) -> list[Zone]:
    """Drop zones that show another zone's counter again (two dies, or MSR and MMIO).

    Those are zones of the same name, and outermost zones of one kind with equal counters, as AMD
    dies of one package show it.
    """
    kept: dict[str, Zone] = {}
    seen: set[tuple[str, int | None]] = set()
    dropped: set[str] = set()
    for zone in zones:
        domain, key = zone.domain, (zone.domain.kind, zone.last_uj)
        if domain.id in kept or domain.within in dropped:
            continue
        if domain.within is None and zone.last_uj and key in seen:
            dropped.add(domain.id)
            continue
        seen.add(key)
        kept[domain.id] = zone
    return list(kept.values())
