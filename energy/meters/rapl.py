"""Joules of processor packages and memory from the kernel's powercap files (RAPL).

Counters are microjoules that start again at a stated range. psys holds the packages, a package
holds its cores; DRAM lies in the package's folder and beside it in truth (its joules are not in
the package's). Dies that mirror one counter are counted once. An unreadable file is a gap.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from energy.meters.base import Domain, Steady

ROOT = Path("/sys/class/powercap")
J_PER_UJ = 1e-6

BANDS = {
    "GenuineIntel": (0.95, 1.05),
    "AuthenticAMD": (0.85, 1.15),
}
"""95 % systematic band by vendor: Intel servers +-5 %, AMD (a model inside) +-15 %; see docs."""


@dataclass
class Zone:
    """One counter file and its domain."""

    domain: Domain
    file: Path
    last_uj: int | None = None

    def joules(self) -> float | None:
        """Raw counter in joules; None when the file cannot be read."""
        try:
            self.last_uj = int(self.file.read_text())
        except (OSError, ValueError):
            return None
        return self.last_uj * J_PER_UJ


class Rapl(Steady):
    """All RAPL zones below a powercap folder.

    Args:
        root: the folder, for tests.
        vendor: processor vendor as /proc/cpuinfo writes it; read there when not given.
    """

    name = "rapl"

    def __init__(self, root: Path = ROOT, vendor: str | None = None) -> None:
        self._root, self._vendor = root, vendor or _vendor()
        self._zones: list[Zone] = []

    def probe(self) -> list[Domain]:
        """Packages, psys, DRAM and cores, with what holds what; unreadable ones are missing."""
        self._zones, missing = [], []
        found: dict[Path, Domain] = {}
        zones = []
        for folder in self._root.glob("*rapl*:*"):
            try:
                name = (folder / "name").read_text().strip()
                zones.append((folder, name, int((folder / "max_energy_range_uj").read_text())))
            except (OSError, ValueError):
                continue
        # What holds others comes first: psys wherever the kernel lists it, then parents, which
        # sort before their children (intel-rapl:0 before intel-rapl:0:0).
        for folder, name, range_uj in sorted(zones, key=lambda zone: (zone[1] != "psys", zone[0])):
            domain = self._domain(folder, name, range_uj, found)
            found[folder] = domain
            zone = Zone(domain, folder / "energy_uj")
            if zone.joules() is None:
                missing.append(_unreadable(domain, zone.file))
            else:
                self._zones.append(zone)
        self._zones = _unmirrored(self._zones)
        return [zone.domain for zone in self._zones] + missing

    def read(self) -> dict[str, float | None]:
        """Raw joules by domain; the reader of the ledger unwraps them."""
        return {zone.domain.id: zone.joules() for zone in self._zones}

    def _domain(self, folder: Path, name: str, range_uj: int, found: dict[Path, Domain]) -> Domain:
        """A zone as a domain; package-0 is "cpu-package-0", its DRAM "dram-package-0"."""
        low, high = BANDS.get(self._vendor, (0.85, 1.15))
        parent_folder = folder.with_name(folder.name.rsplit(":", 1)[0])
        parent = found.get(parent_folder)
        psys = next((d.id for d in found.values() if d.kind == "psys"), None)
        kind, within = "cpu", None
        if name == "psys":
            kind = "psys"
        elif name == "dram":
            kind, low, high = "dram", min(low, 0.9), max(high, 1.1)
        elif parent is not None:
            within = parent.id
        place = f"{parent.id.removeprefix('cpu-')}" if parent is not None else ""
        return Domain(
            id=f"cpu-{name}" if parent is None else f"{name}-{place}",
            kind=kind,
            boundary="chip",
            within=within or (psys if kind != "psys" else None),
            api=f"powercap {folder.name} energy_uj",
            wrap_j=range_uj * J_PER_UJ,
            low=low,
            high=high,
            source="RAPL against external meters, by vendor",
        )


def _unmirrored(zones: list[Zone]) -> list[Zone]:
    """Zones without the second sight of one counter (two dies, or MSR and MMIO).

    Two top zones of one name with equal counters are one; AMD dies of one package show it too.
    """
    kept: list[Zone] = []
    seen: dict[tuple[str, int | None], str] = {}
    dropped = set()
    for zone in zones:
        key = (zone.domain.kind, zone.last_uj)
        if zone.domain.within is None and zone.last_uj and key in seen:
            dropped.add(zone.domain.id)
            continue
        if zone.domain.within in dropped:
            continue
        seen[key] = zone.domain.id
        kept.append(zone)
    return kept


def _unreadable(domain: Domain, file: Path) -> Domain:
    """A domain that exists and cannot be read, with the command that mends it."""
    reason = "permission" if not os.access(file, os.R_OK) else "the counter cannot be read"
    return Domain(
        id=domain.id,
        kind=domain.kind,
        boundary=domain.boundary,
        within=domain.within,
        api=domain.api,
        origin="missing",
        reason=reason,
        fix=f"sudo chmod o+r {file}",
    )


def _vendor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("vendor_id"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return ""
