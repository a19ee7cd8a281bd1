"""`energy doctor`: which meters this machine has, what each can see, and how to mend the rest."""

from __future__ import annotations

import time
from typing import Any

from energy.meters import sources
from energy.meters.base import Domain, Source

ABSENT = {
    "nvml": "no NVIDIA driver on this machine",
    "amd": "no AMD compute driver on this machine (/dev/kfd)",
    "tpu": "no TPU on the PCI bus",
    "rapl": "no powercap files (/sys/class/powercap): a virtual machine, or no RAPL",
    "hwmon": "no power sensor of a processor, module or node (/sys/class/hwmon)",
    "node": "no management controller (/dev/ipmi0)",
    "cpu_model": "/proc cannot be read",
}


def examine(seconds: float) -> list[dict[str, Any]]:
    """Every source and domain, read twice `seconds` apart for its watts now.

    Returns:
        A row a domain, and a row for each source that has none: name, meter, found, boundary,
        origin, api, within, low, high, watts, cost_us (of one reading of its source), why, fix.
    """
    opened: list[tuple[str, Source, list[Domain]]] = []
    for name, make in sources.SOURCES.items():
        source = make()
        opened.append((name, source, source.probe()))
    first = {name: source.read() for name, source, _ in opened}
    start = time.monotonic()
    time.sleep(seconds)
    elapsed_s = time.monotonic() - start
    rows: list[dict[str, Any]] = []
    for name, source, domains in opened:
        begin = time.perf_counter()
        now = source.read()
        cost_us = (time.perf_counter() - begin) * 1e6
        if not domains:
            rows.append(_row(name, None, ABSENT[name]))
        for domain in domains:
            row = _row(name, domain, domain.reason)
            before, after = first[name].get(domain.id), now.get(domain.id)
            if before is not None and after is not None:
                row["watts"] = (after - before) / elapsed_s
                row["cost_us"] = cost_us
            rows.append(row)
        source.close()
    return rows


def _row(meter: str, domain: Domain | None, why: str) -> dict[str, Any]:
    if domain is None:
        return {"name": meter, "meter": meter, "found": False, "boundary": None,
                "origin": "missing", "api": "", "within": None, "low": None, "high": None,
                "watts": None, "cost_us": None, "why": why, "fix": ""}  # fmt: skip
    return {"name": domain.id, "meter": meter, "found": not domain.reason,
            "boundary": domain.boundary, "origin": domain.origin, "api": domain.api,
            "within": domain.within, "low": domain.low, "high": domain.high, "watts": None,
            "cost_us": None, "why": why or domain.source, "fix": domain.fix}  # fmt: skip
