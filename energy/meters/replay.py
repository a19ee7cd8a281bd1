"""A recorded or drawn waveform, replayed as if it were a meter: for tests, demos and what-ifs.

The file is a CSV table with the columns t_s, device, watts. Each value lasts until the device's
next row, the last one for ever. On the command line the meter is `replay:PATH`. The joules are
those of the wave itself, exact at every moment, so a replay is read like a counter; it is never
labeled measured.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from pathlib import Path

from energy.meters.base import BaseSource, Domain, missing


class Replay(BaseSource):
    """Replays a file.

    Args:
        path: the CSV file.
        start_s: monotonic seconds at which the wave begins; when it is probed, by default.
        now: clock in monotonic seconds.
    """

    name = "replay"

    def __init__(
        self,
        path: Path,
        start_s: float | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path, self._start_s, self._now = path, start_s, now
        self._waves: dict[str, list[tuple[float, float]]] = {}
        self._read_s = 0.0

    def probe(self) -> list[Domain]:
        """One domain per device of the file; missing if the file cannot be read."""
        try:
            with self._path.open(encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    wave = self._waves.setdefault(row["device"], [])
                    wave.append((float(row["t_s"]), float(row["watts"])))
        except (OSError, KeyError, ValueError, TypeError) as error:
            self._waves.clear()
            return [missing("replay", "replay", str(self._path), f"not readable: {error}")]
        if self._start_s is None:
            self._start_s = self._now()
        return [
            Domain(
                id=device,
                kind="replay",
                boundary="chip",
                method="model",
                origin="modelled",
                api=f"replay of {self._path.name}",
                source="a recorded or drawn waveform, exact as such",
            )
            for device in self._waves
        ]

    def read(self) -> dict[str, float | None]:
        """Exact integral of each waveform since it began."""
        self._read_s = self._now()
        elapsed_s = self._read_s - (self._start_s or 0.0)
        return {device: integral_j(wave, elapsed_s) for device, wave in self._waves.items()}

    def dated_ns(self) -> int:
        """The moment for which the joules were computed; a busy machine may delay the reader."""
        return round(self._read_s * 1e9)


def integral_j(wave: list[tuple[float, float]], until_s: float) -> float:
    """Joules of a step waveform from 0 to a moment; [(0, 100), (2, 50)] until 3 s gives 250 J."""
    total = 0.0
    for i, (start_s, watts) in enumerate(wave):
        stop_s = wave[i + 1][0] if i + 1 < len(wave) else until_s
        total += watts * max(0.0, min(stop_s, until_s) - start_s)
    return total
