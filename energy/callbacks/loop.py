"""What all callbacks share: windows that begin and end by name, metrics for the logs, one record.

A callback receives the beginning and the end of a window as separate events, so open windows are
kept here by name.
"""

from __future__ import annotations

import atexit
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from energy.facts.site import Site, site_from_options
from energy.footprint.account import account, quantity_times
from energy.quantity import Boundary, Quantity
from energy.tracking.tracker import Tracker
from energy.units import J_PER_KWH

UNFINISHED = "training ended without saying so, as after an exception; metered to the last sample"


class Loop:
    """A tracker driven by events; before `open`, every call does nothing.

    Args:
        out_dir: folder of ledger and record.json.
        sync: called at the edges of windows.
        zone: grid zone, for grams of CO2e in record and metrics; see `energy grid`.
        pue: facility over IT energy.
        **settings: further arguments of `Tracker`.

    Raises:
        InputError: there is no such zone, or the PUE is below 1.
    """

    def __init__(
        self,
        out_dir: str | Path,
        *,
        sync: Callable[[], object] | None = None,
        zone: str | None = None,
        pue: float | None = None,
        **settings: Any,
    ) -> None:
        self.out_dir, self._sync, self._settings = Path(out_dir), sync, settings
        self._zone = zone
        self._site: Site = site_from_options(zone, pue)
        self.tracker: Tracker | None = None
        self._was_open = False
        self._open: dict[str, contextlib.AbstractContextManager[None]] = {}
        self._last_j = 0.0

    @classmethod
    def of(cls, tracker: Tracker, *, zone: str | None = None, pue: float | None = None) -> Self:
        """The metrics of a tracker that somebody else opens and closes."""
        loop = cls(tracker.out_dir, zone=zone, pue=pue)
        loop.tracker = tracker
        return loop

    def open(self, resume_step: int = 0) -> None:
        """Start metering; a run that resumes at a step discards what its ledger has after it.

        A run that raises out of its trainer ends here at the next start, or when Python exits.
        """
        self.close(raised=UNFINISHED)
        # A Trainer that trains again goes on with its own run.
        resume = {"step": resume_step} if resume_step else {} if self._was_open else None
        tracker = Tracker(
            self.out_dir, sync=self._sync, resume_at=resume, site=self._site, **self._settings
        )
        tracker.open()
        self.tracker, self._was_open = tracker, True
        self._last_j = 0.0
        atexit.register(self.close, raised=UNFINISHED)

    def begin(self, name: str, phase: str = "compute") -> None:
        """Open a window, unless a window of that name is open."""
        if self.tracker is None or name in self._open:
            return
        window = self.tracker.window(name, phase)
        window.__enter__()
        self._open[name] = window

    def end(self, name: str) -> None:
        """Close a window, if it is open."""
        window = self._open.pop(name, None)
        if window is not None:
            window.__exit__(None, None, None)

    def cancel(self, name: str) -> None:
        """Forget a window that is open: what it was opened for did not happen."""
        self._open.pop(name, None)

    def mark(self, kind: str, **fields: Any) -> None:
        """Write a mark, such as a step or a checkpoint, into the ledger."""
        if self.tracker is not None:
            self.tracker.mark(kind, **fields)

    def metrics(self) -> dict[str, float]:
        """What was spent so far, for any logger; empty before the first sample.

        energy_j and energy_kwh are sums since this start, energy_interval_j is what came since the
        last call: loggers that keep single precision (TensorBoard) round a sum of 4 GJ to 256 J.
        power_w is the mean between the last two samples. co2_g is there if a zone is known. No name
        contains an origin, which would break a curve in two where it changes; the record says what
        was measured.
        """
        if self.tracker is None:
            return {}
        snapshot = self.tracker.snapshot()
        energy = snapshot.energy
        if energy.value is None:
            return {}
        interval_j, self._last_j = energy.value - self._last_j, energy.value
        values = {
            "energy_j": energy.value,
            "energy_kwh": energy.value / J_PER_KWH,
            "energy_interval_j": max(0.0, interval_j),
        }
        if snapshot.power_w.value is not None:
            values["power_w"] = snapshot.power_w.value
        if self._zone is not None and (grams := self._grams(energy)) is not None:
            values["co2_g"] = grams
        return values

    def stop(self, raised: str | None = None) -> None:
        """End all windows and the metering; `metrics` is then that of the whole run.

        Args:
            raised: why training ended before its time, if it did; a note of the record.
        """
        for name in list(self._open):
            self.end(name)
        if self.tracker is not None:
            self.tracker.close(raised)

    def close(
        self,
        tokens: float = 0,
        raised: str | None = None,
        fields: Mapping[str, Any] | None = None,
        log: Callable[[dict[str, float]], None] | None = None,
    ) -> None:
        """Stop metering and write the record.

        Args:
            tokens: tokens that the run counted; 0 if it does not count them.
            raised: why training ended before its time, if it did; a note of the record.
            fields: further fields of the record.
            log: gets the metrics of the whole run, which now ends with its last sample.
        """
        if self.tracker is None:
            return
        tracker = self.tracker
        atexit.unregister(self.close)
        self.stop(raised)
        if log is not None:
            log(self.metrics())
        self.tracker = None
        counted = Quantity.exact(tokens, "1", "tokens that entered the model in training")
        extra = {**({"tokens": counted} if tokens else {}), **(fields or {})}
        tracker.save(**extra)

    def _grams(self, energy: Quantity) -> float | None:
        """Grams of CO2e by location, of joules at the chip boundary."""
        seconds = Quantity.exact(0.0, "s", "not used")
        grams = account({Boundary.CHIP: energy}, self._site, quantity_times, seconds).co2_location_g
        return None if grams is None else grams.value
