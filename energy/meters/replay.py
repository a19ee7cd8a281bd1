"""A recorded or drawn waveform, replayed as if it were a meter: for tests, demos and what-ifs.

The file is a CSV table with the columns t_s, device, watts. Each value lasts until the device's
next row, the last one for ever. On the command line the meter is `replay:PATH`. A replay is never
labeled measured.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from pathlib import Path

from energy.meters.base import BaseSource, Domain, missing


class Replay(BaseSource):
    """Replays a file, starting when it is probed.

    Args:
        path: the CSV file.
        now: clock in monotonic seconds.
    """

    name = "replay"

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        self._path, self._now = path, now
        self._waves: dict[str, list[tuple[float, float]]] = {}
        self._start_s = 0.0

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
        self._start_s = self._now()
        return [
            Domain(
                id=device,
                kind="replay",
                boundary="chip",
                method="power",
                origin="modelled",
                api=f"replay of {self._path.name}",
                source="a recorded or drawn waveform, exact as such",
            )
            for device in self._waves
        ]

    def read(self) -> dict[str, float | None]:
        """Exact integral of each waveform since the probe."""
        elapsed_s = self._now() - self._start_s
        return {device: integral_j(wave, elapsed_s) for device, wave in self._waves.items()}


def integral_j(wave: list[tuple[float, float]], until_s: float) -> float:
    """Joules of a step waveform from 0 to a moment; [(0, 100), (2, 50)] until 3 s gives 250 J."""
    total = 0.0
    for i, (start_s, watts) in enumerate(wave):
        stop_s = wave[i + 1][0] if i + 1 < len(wave) else until_s
        total += watts * max(0.0, min(stop_s, until_s) - start_s)
    return total
