"""`energy doctor`: which meters this machine has, what each can see, and how to mend the rest."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

from energy.ledger.curve import Curve
from energy.meters import sources
from energy.meters.base import Domain, Integral, Source

ABSENT = {
    "nvml": "no NVIDIA driver on this machine",
    "amd": "no AMD compute driver on this machine (/dev/kfd)",
    "tpu": "no TPU on the PCI bus",
    "rapl": "no powercap files (/sys/class/powercap): a virtual machine, or no RAPL",
    "hwmon": "no power sensor of a processor, module or node (/sys/class/hwmon)",
    "node": "no management controller (/dev/ipmi0)",
    "cpu_model": "/proc cannot be read",
}


FIX = {
    "nvml": "with a board (lspci -d 10de:): install its driver, then run nvidia-smi",
    "amd": "with a board (lspci -d 1002:): sudo modprobe amdgpu",
    "rapl": "on a machine of its own: sudo modprobe intel_rapl_msr",
    "node": "on a server: sudo modprobe ipmi_devintf ipmi_si",
}
"""What to run where the device is there and only its driver is not loaded."""


LOOK_S = 0.05


UNSEEN = dict.fromkeys(("tick_s", "watts", "least_w", "counter_over_power", "cost_us"))


AGREE = 0.05
"""Counter and integrated power that differ by more are told as a finding."""


def examine(seconds: float | None) -> list[dict[str, Any]]:
    """Every source and domain, watched for its watts, and each counter held against power.

    Args:
        seconds: how long; None is 10 s where a counter can be held against power, else 1 s.

    Returns:
        A row a domain, and a row for each source that has none: name, meter, found, boundary,
        origin, api, within, low, high, tick_s, watts, least_w (over a tenth of the time: idle
        watts, on an idle machine), counter_over_power, cost_us (of one reading of its source),
        why, fix.
    """
    opened: list[tuple[str, Source, list[Domain]]] = []
    for name, make in sources.SOURCES.items():
        source = make()
        opened.append((name, source, source.probe()))
    if seconds is None:
        seconds = 10.0 if any(source.powers() for _, source, _ in opened) else 1.0
    curves: dict[tuple[str, str], Curve] = {}
    powers: dict[tuple[str, str], Integral] = {}
    costs: dict[str, float] = {}
    stop_s = time.monotonic() + seconds
    while True:
        for name, source, domains in opened:
            begin = time.perf_counter()
            now = source.read()
            costs[name] = min(costs.get(name, 1.0), time.perf_counter() - begin)
            for domain in domains:
                curve = curves.setdefault((name, domain.id), Curve(domain.wrap_j))
                curve.add(time.monotonic(), now.get(domain.id))
            for device, watts in source.powers().items():
                powers.setdefault((name, device), Integral()).add(watts, time.monotonic())
        if time.monotonic() >= stop_s:
            break
        time.sleep(min(LOOK_S, max(0.0, stop_s - time.monotonic())))
    rows: list[dict[str, Any]] = []
    for name, source, domains in opened:
        if not domains:
            rows.append(_row(name, None, ABSENT[name]))
        for domain in domains:
            row = _row(name, domain, domain.reason)
            _watched(row, curves[name, domain.id], powers.get((name, domain.id)))
            row["cost_us"] = None if row["watts"] is None else costs[name] * 1e6
            rows.append(row)
        source.close()
    return rows


def _watched(row: dict[str, Any], curve: Curve, power: Integral | None) -> None:
    """Put what was seen into a row: mean and least watts, and counter over integrated power."""
    if len(curve.times) < 2:
        return
    start_s, stop_s = curve.times[0], curve.times[-1]
    edges = [curve.at(start_s + (stop_s - start_s) * i / 10) or 0.0 for i in range(11)]
    row["watts"] = (edges[-1] - edges[0]) / (stop_s - start_s)
    row["least_w"] = min(b - a for a, b in pairwise(edges)) / (stop_s - start_s) * 10
    if power is not None and power.joules > 0:
        ratio = row["counter_over_power"] = (edges[-1] - edges[0]) / power.joules
        if abs(ratio - 1) > AGREE:
            row["why"] += f"; its counter is {ratio:.2f} times its integrated power: trust neither"


def _row(meter: str, domain: Domain | None, why: str) -> dict[str, Any]:
    if domain is None:
        return {
            "name": meter,
            "meter": meter,
            "found": False,
            "boundary": None,
            "origin": "missing",
            "api": "",
            "within": None,
            "low": None,
            "high": None,
            **UNSEEN,
            "why": why,
            "fix": FIX.get(meter, ""),
        }
    return {
        "name": domain.id,
        "meter": meter,
        "found": not domain.reason,
        "boundary": domain.boundary,
        "origin": domain.origin,
        "api": domain.api,
        "within": domain.within,
        "low": domain.low,
        "high": domain.high,
        **UNSEEN,
        "tick_s": domain.tick_s or None,
        "why": why or domain.source,
        "fix": domain.fix,
    }
