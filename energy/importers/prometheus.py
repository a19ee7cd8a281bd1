"""Samples of NVIDIA's DCGM exporter, as it serves them and as Prometheus keeps them.

A board that is cut into MIG instances has a series for each instance, and all of them show the
joules of the whole board: they count once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from energy.errors import InputError
from energy.importers.imported import (
    UNREADABLE,
    Device,
    Hints,
    ImportedRun,
    Importer,
    Skipped,
    board,
    number,
)
from energy.importers.moments import in_order, in_range
from energy.inputs import MOST_DEPTH, depth

ENERGY, POWER = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "DCGM_FI_DEV_POWER_USAGE"
"""Millijoules since the driver was loaded, and watts."""

J_PER_MJ = 1e-3

SAMPLE = re.compile(r"(\w+)\{([^}]*)\}\s+(\S+)(?:\s+(\d+))?\s*$")
"""A line of the text format: name, labels, value, and perhaps a moment in milliseconds."""

LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Sample = tuple[float, tuple[str, str, str, float]]
"""Moment, and name of the metric, board, its MIG instance and value."""


class Boards:
    """The boards that samples name, and what they show.

    Args:
        api: what served the samples.
    """

    def __init__(self, api: str) -> None:
        self.api = api
        self.samples: list[Sample] = []
        self.products: dict[str, str] = {}
        self.hosts: dict[str, None] = {}

    def add(self, time_s: float, metric: str, labels: Mapping[str, str], value: float) -> None:
        """Add a sample of one of the two metrics."""
        name = labels.get("UUID") or labels.get("uuid") or f"gpu-{labels.get('gpu', 0)}"
        self.products.setdefault(name, labels.get("modelName", ""))
        if host := labels.get("Hostname") or labels.get("instance", ""):
            self.hosts.setdefault(host)
        self.samples.append((time_s, (metric, name, labels.get("GPU_I_ID", ""), value)))

    def run(self, skipped: Skipped, notes: Sequence[str] = ()) -> list[ImportedRun]:
        """The run that the samples tell; none without samples."""
        if not self.samples:
            return []
        notes = list(notes)
        counts: dict[str, dict[float, float]] = {}
        powers: dict[str, dict[float, float]] = {}
        instances: dict[str, set[str]] = {}
        for time_s, (metric, name, instance, value) in sorted(self.samples, key=itemgetter(0)):
            scale, series = (J_PER_MJ, counts) if metric == ENERGY else (1.0, powers)
            series.setdefault(name, {})[time_s] = value * scale
            instances.setdefault(name, set()).add(instance)
        devices = [self._device(name, counts, powers) for name in self.products]
        if cut := [name for name, parts in instances.items() if len(parts) > 1]:
            notes.append(
                f"{', '.join(cut)}: every MIG instance shows the whole board, which counts once"
            )
        return [
            ImportedRun(
                devices=devices,
                chips=len(devices),
                chip=next(filter(None, self.products.values()), ""),
                host=next(iter(self.hosts), "") if len(self.hosts) == 1 else "",
                facts={"hosts": ", ".join(self.hosts)} if self.hosts else {},
                notes=[*skipped.notes(), *notes],
            )
        ]

    def _device(
        self,
        name: str,
        counts: Mapping[str, dict[float, float]],
        powers: Mapping[str, dict[float, float]],
    ) -> Device:
        by_power = name not in counts
        metric = POWER if by_power else ENERGY
        domain = board(name, self.products[name], f"{self.api}, {metric}", by_power=by_power)
        if by_power:
            return Device(domain, powers=list(powers[name].items()))
        return Device(domain, counts=list(counts[name].items()), checks=powers.get(name, {}))


def recognizes_samples(text: str) -> bool:
    """Whether a text has samples of the exporter, in its own format."""
    return not text.lstrip().startswith("{") and any(
        f"{metric}{{" in text for metric in (ENERGY, POWER)
    )


def read_samples(text: str, hints: Hints) -> list[ImportedRun]:
    """The boards of scrapes that were written one after the other.

    A scrape begins where a series comes again. Samples without a moment are `interval_s` apart.
    """
    boards, skipped = Boards("DCGM exporter"), Skipped()
    seen: set[tuple[str, str]] = set()
    scrape = 0
    for line_number, line in enumerate(text.splitlines(), 1):
        if not line.startswith((ENERGY, POWER)):
            continue
        match = SAMPLE.match(line)
        try:
            if match is None:
                raise ValueError("no sample")
            metric, labels, value, stamp = match.groups()
            if (metric, labels) in seen:
                scrape, seen = scrape + 1, set()
            seen.add((metric, labels))
            time_s = _moment(stamp, scrape, hints)
            boards.add(time_s, metric, dict(LABEL.findall(labels)), number(value))
        except UNREADABLE:
            skipped.add(line_number)
    boards.samples, notes = in_order(boards.samples)
    return boards.run(skipped, notes)


def _moment(stamp: str | None, scrape: int, hints: Hints) -> float:
    if stamp:
        return in_range(int(stamp) / 1e3)
    if hints.interval_s is None:
        raise InputError(
            f"expected samples with a moment in {hints.file}",
            "samples without one",
            "say how many seconds apart the scrapes are with --interval, or query Prometheus "
            "for a range",
        )
    return scrape * hints.interval_s


def recognizes_range(text: str) -> bool:
    """Whether a text looks like an answer of Prometheus."""
    return text.lstrip().startswith("{") and '"resultType"' in text


def read_range(text: str, hints: Hints) -> list[ImportedRun]:
    """The boards of a range that was queried from Prometheus (/api/v1/query_range)."""
    boards, skipped = Boards("DCGM exporter through Prometheus"), Skipped()
    for labels, values in _series(text, hints):
        metric = labels.get("__name__", "")
        if metric not in (ENERGY, POWER):
            skipped.add(0, f"series of {metric or 'an expression'}, whose unit is not known")
            continue
        for pair in values:
            try:
                moment, value = pair
                boards.add(in_range(float(moment)), metric, labels, number(str(value)))
            except UNREADABLE:
                skipped.add(0, "a value that cannot be read")
    return boards.run(skipped)


def _series(text: str, hints: Hints) -> Iterable[tuple[dict[str, str], list[Any]]]:
    """Labels and values of each series.

    Raises:
        InputError: it is no such answer.
    """
    fix = "save what /api/v1/query_range answers"
    try:
        answer = json.loads(text)
        if depth(answer) > MOST_DEPTH:
            raise ValueError("brackets nested too deeply")
        if answer["data"]["resultType"] != "matrix":
            raise ValueError(f"a {answer['data']['resultType']}")
        return list(_checked(answer["data"]["result"]))
    except UNREADABLE as error:
        raise InputError(
            f"expected a range of Prometheus in {hints.file}", str(error) or "brackets", fix
        ) from error


def _checked(result: list[Any]) -> Iterator[tuple[dict[str, str], list[Any]]]:
    for series in result:
        labels = {str(key): str(value) for key, value in series["metric"].items()}
        if not isinstance(series["values"], list):
            raise TypeError("values that are no list")
        yield labels, series["values"]


DCGM = Importer(
    "dcgm",
    "samples of the DCGM exporter",
    "curl localhost:9400/metrics >> FILE, once every so many seconds",
    recognizes_samples,
    read_samples,
)
RANGE = Importer(
    "prometheus",
    "a range of Prometheus",
    "curl 'http://HOST:9090/api/v1/query_range?query=DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION&"
    "start=..&end=..&step=5' > FILE",
    recognizes_range,
    read_range,
)
