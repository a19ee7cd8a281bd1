"""A recorded or drawn waveform, replayed as if it were a meter: for tests, demos and what-ifs.

On the command line the meter is `replay:PATH`; `waveform` describes the file. Each value lasts
until the device's next line, the last one for ever. The joules are those of the wave itself, exact
at every moment, so a replay is read like a counter; a device with a power that is not known is read
by power, so that this stretch is missing and not 0. A replay is never labeled measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from energy.errors import InputError
from energy.meters.base import BaseSource, Domain, missing
from energy.meters.waveform import Wave, integral_j, watts_at, waves

POLL_S = 0.1
"""Seconds between two readings of a device that has a power that is not known."""


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
        self._whole: dict[str, Wave] = {}
        self._broken: dict[str, Wave] = {}
        self._read_s = 0.0

    def check(self) -> None:
        """Check the file before the run starts.

        Raises:
            InputError: it cannot be read, or a line of it cannot be.
        """
        waves(self._path)

    def probe(self) -> list[Domain]:
        """One domain per device of the file; missing if the file cannot be read."""
        try:
            by_device = waves(self._path)
        except InputError as error:
            return [missing("replay", "replay", str(self._path), str(error))]
        if self._start_s is None:
            self._start_s = self._now()
        known = {device: all(w is not None for _, w in wave) for device, wave in by_device.items()}
        self._whole = {device: wave for device, wave in by_device.items() if known[device]}
        self._broken = {device: wave for device, wave in by_device.items() if not known[device]}
        return [self._domain(device, wave) for device, wave in by_device.items()]

    def read(self) -> dict[str, float | None]:
        """Exact integral of each waveform since it began."""
        self._read_s = self._now()
        elapsed_s = self._read_s - (self._start_s or 0.0)
        return {device: integral_j(wave, elapsed_s) for device, wave in self._whole.items()}

    def poll_s(self) -> float:
        """Ten readings a second if there is a power that is not known."""
        return POLL_S if self._broken else 0.0

    def watts(self) -> dict[str, float | None]:
        """Watts of the devices with a power that is not known."""
        elapsed_s = self._now() - (self._start_s or 0.0)
        return {device: watts_at(wave, elapsed_s) for device, wave in self._broken.items()}

    def dated_ns(self) -> int:
        """The moment for which the joules were computed; a busy machine may delay the reader."""
        return round(self._read_s * 1e9)

    def _domain(self, device: str, wave: Wave) -> Domain:
        return Domain(
            id=device,
            kind="replay",
            boundary="chip",
            method="model" if device in self._whole else "power",
            origin="modelled",
            tick_s=0.0 if device in self._whole else POLL_S,
            limit_w=max((watts for _, watts in wave if watts is not None), default=0.0),
            api=f"replay of {self._path.name}",
            source="a recorded or drawn waveform, exact as such",
        )
