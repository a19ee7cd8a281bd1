"""A recorded or drawn waveform played through the same protocol: for tests, demos and what-ifs.

A CSV file with the columns t_s, device, watts; each value holds until the device's next row, and
the last one for ever. The name on the command line is `replay:PATH`. What a file tells is never
called measured.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from pathlib import Path

from energy.meters.base import Domain, Steady, missing


class Replay(Steady):
    """Plays a file from the moment of its probe.

    Args:
        path: of the file.
        now: monotonic seconds.
    """

    name = "replay"

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        self._path, self._now = path, now
        self._waves: dict[str, list[tuple[float, float]]] = {}
        self._start_s = 0.0

    def probe(self) -> list[Domain]:
        """A domain a device of the file; missing where the file cannot be read."""
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
        """Exact integral of each wave since the probe."""
        elapsed_s = self._now() - self._start_s
        return {device: held_j(wave, elapsed_s) for device, wave in self._waves.items()}


def held_j(wave: list[tuple[float, float]], until_s: float) -> float:
    """Joules of held values from 0 to a moment; [(0, 100), (2, 50)] to 3 s are 250 J."""
    total = 0.0
    for i, (start_s, watts) in enumerate(wave):
        stop_s = wave[i + 1][0] if i + 1 < len(wave) else until_s
        total += watts * max(0.0, min(stop_s, until_s) - start_s)
    return total
