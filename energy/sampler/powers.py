"""Readings of the power of one source, kept in memory until the next sample takes them along."""

from __future__ import annotations

import random
import time

from energy.meters.base import Source
from energy.outside import attempt
from energy.sampler.edges import rounded

JITTER = 0.2
"""Share of the period by which a reading may come early or late, so that no periodic load can hide
between the readings."""

AGAIN_NS = 1_000_000
"""A sample reads the power again if the last reading is older than this."""


class Powers:
    """Reads the power of one source, and keeps the readings.

    Args:
        source: the source.
        domains: ids of its domains that are read by power, in the order of the header.

    Attributes:
        meter: name of the source.
        due_ns: when the next reading is due.
    """

    def __init__(self, source: Source, domains: list[str]) -> None:
        self.meter, self._source, self._domains = source.name, source, domains
        self._period_ns = round(source.poll_s() * 1e9)
        self.due_ns = self._read_ns = 0
        self._readings: list[tuple[int, list[float | None]]] = []

    def read(self) -> None:
        """Read every domain once, and schedule the next reading."""
        begin_ns = time.monotonic_ns()
        self.due_ns = begin_ns + round(self._period_ns * random.uniform(1 - JITTER, 1 + JITTER))
        readings, error = attempt(self._source.dated_watts)
        if error is not None or readings is None:  # a source that fails unexpectedly is a gap
            readings = [(begin_ns, dict.fromkeys(self._domains))]
        self._read_ns = time.monotonic_ns()
        self._readings += [
            (moment, [rounded(watts.get(name)) for name in self._domains])
            for moment, watts in readings
        ]

    def read_again(self) -> None:
        """Read for a sample, unless that was done a moment ago."""
        if time.monotonic_ns() - self._read_ns > AGAIN_NS:
            self.read()

    def taken(self, now_ns: int) -> list[list[float | None]]:
        """The readings since the last call: age in microseconds, then watts by domain."""
        readings, self._readings = self._readings, []
        return [[(now_ns - moment) // 1000, *watts] for moment, watts in readings]
