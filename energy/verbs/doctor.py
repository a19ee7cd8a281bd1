"""`energy doctor`: the meters of this machine, what each measures, and how to enable the rest."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from energy.ledger.curve import Curve
from energy.meters import sources
from energy.meters.base import Domain, Source
from energy.meters.unread import Reading, Unread, unread
from energy.verbs.readings import Integral, Readings, curves_of

ABSENT = {
    "nvml": "no NVIDIA driver on this machine",
    "amd": "no AMD compute driver on this machine (/dev/kfd)",
    "tpu": "no TPU on the PCI bus",
    "rapl": "no powercap files (/sys/class/powercap): a virtual machine, or no RAPL",
    "cray": "no Cray blade (/sys/cray/pm_counters)",
    "hwmon": "no power sensor of a processor, module or node (/sys/class/hwmon)",
    "node": "no management controller (/dev/ipmi0)",
    "apple": "no Mac with Apple silicon",
    "cpu_model": "/proc cannot be read",
}
"""Why a source has no domain at all."""

FIX = {
    "nvml": "with a board (lspci -d 10de:): install its driver, then run nvidia-smi",
    "amd": "with a board (lspci -d 1002:): sudo modprobe amdgpu",
    "rapl": "on a physical machine: sudo modprobe intel_rapl_msr",
    "node": "on a server: sudo modprobe ipmi_devintf ipmi_si",
}
"""What to run where the device exists and only its driver is not loaded."""

POLL_S = 0.05

SHOWN = 4
"""Places of a kind of device that are printed."""

NOT_OBSERVED = dict.fromkeys(("tick_s", "watts", "least_w", "counter_over_power", "cost_us"))

TOLERANCE = 0.05
"""A larger relative difference between counter and integrated power is reported."""


@dataclass
class _Observation:
    """A source, and what was read from it while the doctor watched.

    Attributes:
        meter: name of the source.
        source: the source itself, already probed.
        domains: what it can meter, unreadable domains included.
        curves: joules against time, by domain.
        powers: integrated power of domains that have both a counter and a power reading.
        cost_s: shortest time that one reading took.
    """

    meter: str
    source: Source
    domains: list[Domain]
    curves: dict[str, Curve] = field(init=False)
    powers: dict[str, Integral] = field(default_factory=dict)
    cost_s: float = 1.0

    def __post_init__(self) -> None:
        self._readings = Readings(self.source)
        self.curves = curves_of(self.domains)

    def read(self) -> None:
        """Take one reading of every domain."""
        begin = time.perf_counter()
        joules = self._readings.joules()
        self.cost_s = min(self.cost_s, time.perf_counter() - begin)
        for name, value in joules.items():
            if name in self.curves:
                self.curves[name].add(time.monotonic(), value)
        for device, watts in self.source.powers().items():
            self.powers.setdefault(device, Integral()).add(watts, time.monotonic())

    def rows(self) -> Iterator[dict[str, Any]]:
        """A row per domain; a single row when the source has none."""
        if not self.domains:
            row = _absent_row(self.meter)
            if self.source.absent:
                row["why"], row["fix"] = self.source.absent, ""
            yield row
        for domain in self.domains:
            row = _row(self.meter, domain)
            _add_power(row, self.curves[domain.id], self.powers.get(domain.id))
            row["cost_us"] = None if row["watts"] is None else self.cost_s * 1e6
            yield row


def examine(seconds: float | None, names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Watch every source for some time, and compare each counter with its integrated power.

    Args:
        seconds: how long; None is 10 s if there is a counter to compare with power, else 1 s.
        names: of the meters to watch; all of this machine if there are none.

    Returns:
        A row per domain, and a row for each source without domains: name, meter, kind, found,
        boundary, origin, api, within, low, high, tick_s, watts, least_w (mean of the lowest tenth
        of the time: idle power, on an idle machine), counter_over_power, cost_us (of one reading
        of the source), why, fix.

    Raises:
        InputError: there is no meter of a name, or it cannot be.
    """
    observations = []
    for name in names or sources.SOURCES:
        source = sources.typed(name)
        observations.append(_Observation(source.name, source, sources.probed(source)))
    if seconds is None:
        comparable = any(observation.source.powers() for observation in observations)
        seconds = 10.0 if comparable else 1.0
    stop_s = time.monotonic() + seconds
    while True:
        for observation in observations:
            observation.read()
        if time.monotonic() >= stop_s:
            break
        time.sleep(min(POLL_S, max(0.0, stop_s - time.monotonic())))
    rows = [row for observation in observations for row in observation.rows()]
    _add_contradictions(rows)
    for observation in observations:
        observation.source.close()
    return rows


@dataclass(frozen=True)
class Findings:
    """What the doctor has seen.

    Attributes:
        rows: what the meters read, as `examine` returns it.
        devices: what stands in the machine and no meter reads.
    """

    rows: list[dict[str, Any]]
    devices: list[Unread]

    def as_dict(self) -> dict[str, Any]:
        """Both lists, for JSON."""
        return {"meters": self.rows, "unread": [asdict(device) for device in self.devices]}

    def lines(self) -> Iterator[str]:
        """Both lists, for a terminal."""
        for row in self.rows:
            state = row["boundary"] if row["found"] else "missing"
            yield f"{row['meter']:10} {row['name']:24} {state:8}{_power_words(row)}"
            details = _details(row) if row["found"] else [_reason_words(row)]
            yield from (f"{'':11}{detail}" for detail in details)
        for device in self.devices:
            places = ", ".join(device.places[:SHOWN])
            count = len(device.places)
            yield (
                f"seen, not read: {device.name}{f' x {count}' if count > 1 else ''} "
                f"({places}{', ...' if count > SHOWN else ''}), because {device.why}"
            )
            yield f"{'':11}{device.fix}"


def look(seconds: float | None, names: Sequence[str] = ()) -> Findings:
    """Examine the meters, as `examine` does, and look for what none of them reads."""
    rows = examine(seconds, names)
    seen = [row for row in rows if row["origin"] != "missing"]
    read = [Reading(row["meter"], row["kind"], row["api"]) for row in seen]
    return Findings(rows, [] if names else unread(read))


def _power_words(row: dict[str, Any]) -> str:
    if row["watts"] is None:
        return ""
    return (
        f"  {row['watts']:.1f} W {row['origin']}, least {row['least_w']:.1f} W, "
        f"{row['cost_us']:.0f} us per reading"
    )


def _details(row: dict[str, Any]) -> Iterator[str]:
    band = ""
    if row["low"] is not None:
        band = f"; true value {row['low']:.2f} to {row['high']:.2f} times that (95 %)"
    yield f"{row['api']}{band}"
    yield row["why"]
    if row["counter_over_power"] is not None:
        yield f"counter over integrated power: {row['counter_over_power']:.3f}"


def _reason_words(row: dict[str, Any]) -> str:
    return f"{row['why']}; fix: {row['fix']}" if row["fix"] else str(row["why"])


def _add_power(row: dict[str, Any], curve: Curve, power: Integral | None) -> None:
    """Add what was observed to a row: mean and least watts, and counter over integrated power."""
    if len(curve.times) < 2:
        return
    start_s, stop_s = curve.times[0], curve.times[-1]
    edges = [curve.at(start_s + (stop_s - start_s) * i / 10) or 0.0 for i in range(11)]
    row["watts"] = (edges[-1] - edges[0]) / (stop_s - start_s)
    row["least_w"] = min(b - a for a, b in pairwise(edges)) / (stop_s - start_s) * 10
    if power is not None and power.joules > 0:
        ratio = row["counter_over_power"] = (edges[-1] - edges[0]) / power.joules
        if abs(ratio - 1) > TOLERANCE:
            row["why"] += f"; its counter is {ratio:.2f} times its integrated power: trust neither"


def _add_contradictions(rows: list[dict[str, Any]]) -> None:
    """Say of a reading that it is less than what lies within it, and so is not counted."""
    for row in rows:
        inner = [other for other in rows if other["within"] == row["name"] and other["watts"]]
        least_w = sum(other["watts"] * other["low"] for other in inner)
        if row["watts"] is not None and row["watts"] * row["high"] < least_w:
            row["why"] += (
                f"; it shows less than the {least_w:.1f} W or more that are within it: "
                "the inner readings count"
            )


def _absent_row(meter: str) -> dict[str, Any]:
    return {
        "name": meter,
        "meter": meter,
        "kind": None,
        "found": False,
        "boundary": None,
        "origin": "missing",
        "api": "",
        "within": None,
        "low": None,
        "high": None,
        **NOT_OBSERVED,
        "why": ABSENT.get(meter, "it has no device"),
        "fix": FIX.get(meter, ""),
    }


def _row(meter: str, domain: Domain) -> dict[str, Any]:
    return {
        "name": domain.id,
        "meter": meter,
        "kind": domain.kind,
        "found": not domain.reason,
        "boundary": domain.boundary,
        "origin": domain.origin,
        "api": domain.api,
        "within": domain.within,
        "low": domain.low,
        "high": domain.high,
        **NOT_OBSERVED,
        "tick_s": domain.tick_s or None,
        "why": domain.reason or domain.source,
        "fix": domain.fix,
    }
