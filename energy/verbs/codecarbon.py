"""CodeCarbon's measurement of the same run, shown beside ours and never in its place.

It runs as the offline tracker (no location lookup, no file) in the process of `energy run`. Each of
its three numbers gets the origin of its backend, which CodeCarbon's own output does not state: a
processor estimated from its load is modelled, one estimated from a constant is assumed, and so is
memory, which is estimated from the number of modules.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator
from typing import Any

from energy.arithmetic import add
from energy.errors import MissingDataError
from energy.quantity import Origin, Quantity
from energy.record import RunRecord
from energy.units import J_PER_KWH

BACKENDS = {
    "cpu_load": Origin.MODELLED,
    "intel_rapl": Origin.MEASURED,
    "rapl": Origin.MEASURED,
    "intel_power_gadget": Origin.MEASURED,
    "constant": Origin.ASSUMED,
}
"""Origin by CodeCarbon's name of its processor backend; an unknown backend is assumed."""

DEVICES = {"cpu": ("cpu", "psys"), "gpu": ("GPU", "gpu", "MIG"), "ram": ("memory", "dram")}
"""Prefixes of our device names, by CodeCarbon's parts."""


class SecondOpinion:
    """CodeCarbon's offline tracker around a block of code.

    Attributes:
        parts: its joules of cpu, gpu and ram, once the block has ended; parts without joules are
            left out.
    """

    def __init__(self) -> None:
        self._tracker: Any = None
        self.parts: dict[str, Quantity] = {}

    def __enter__(self) -> SecondOpinion:
        """Start it.

        Raises:
            MissingDataError: CodeCarbon is not installed.
        """
        try:
            with _silent():
                from codecarbon import OfflineEmissionsTracker
        except ImportError as error:
            raise MissingDataError(
                "expected the package codecarbon",
                "not installed",
                "pip install 'glam-energy[carbon]'",
            ) from error
        with _silent():
            # Only the joules are used; the country is a required argument without effect on them.
            self._tracker = OfflineEmissionsTracker(
                country_iso_code="USA",
                measure_power_secs=1,
                save_to_file=False,
                log_level="critical",
                allow_multiple_runs=True,
            )
            self._tracker.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it and read its three numbers."""
        with _silent():
            self._tracker.stop()
        totals = self._tracker.final_emissions_data
        mode = str(getattr(self._tracker, "_cpu_tracking_mode", "") or _mode(self._tracker))
        origins = {
            "cpu": BACKENDS.get(mode, Origin.ASSUMED),
            "gpu": Origin.MEASURED,
            "ram": Origin.ASSUMED,
        }
        methods = {"cpu": mode or "unknown backend", "gpu": "NVML", "ram": "watts per module"}
        for part, origin in origins.items():
            joules = float(getattr(totals, f"{part}_energy")) * J_PER_KWH
            if joules > 0:
                self.parts[part] = Quantity.exact(
                    joules, "J", f"CodeCarbon {part}: {methods[part]}", origin
                )

    def compare(self, record: RunRecord) -> tuple[Quantity, str]:
        """CodeCarbon's total, and a note on how it differs from the record, part by part."""
        if not self.parts:
            reason = "CodeCarbon reported no energy (was the run shorter than its interval?)"
            return Quantity.absent("J", reason), reason
        total = add(list(self.parts.values()), source="CodeCarbon, offline tracker")
        ours = {part: _our_joules(record, part) for part in DEVICES}
        lines = {
            part: f"{part}: {_with_method(self.parts.get(part))} against {_with_source(own)}"
            for part, own in ours.items()
            if own or part in self.parts
        }
        difference = {
            part: abs(_joules(self.parts.get(part)) - _joules(ours[part])) for part in lines
        }
        largest = max(difference, key=lambda part: difference[part])
        our_total = sum(map(_joules, ours.values()))
        ratio = f", {_joules(total) / our_total:.2f} times ours" if our_total else ""
        note = (
            f"CodeCarbon reports {_joules(total):.0f} J{ratio}; most of the difference is "
            f"{lines.pop(largest)}"
        )
        return total, "; ".join([note, *lines.values()])


def _our_joules(record: RunRecord, part: str) -> Quantity | None:
    """The record's joules of one of CodeCarbon's parts; None where it has none."""
    entries = [
        entry
        for entry in record.energy
        if entry.device.startswith(DEVICES[part])
        and entry.within is None
        and entry.value is not None
    ]
    sources = sorted({entry.api for entry in entries})
    return add(entries, source="; ".join(sources)) if entries else None


def _with_method(part: Quantity | None) -> str:
    """CodeCarbon's joules with their origin and backend."""
    if part is None:
        return "nothing"
    return f"{_joules(part):.0f} J {part.origin} ({part.source.split(': ')[1]})"


def _with_source(own: Quantity | None) -> str:
    """Our joules with their origin and source."""
    return "nothing" if own is None else f"{_joules(own):.0f} J {own.origin} ({own.source})"


def _joules(quantity: Quantity | None) -> float:
    return 0.0 if quantity is None else quantity.value or 0.0


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep messages of CodeCarbon, and of the libraries it tries, out of the command's output."""
    logging.getLogger("codecarbon").disabled = True
    discarded = io.StringIO()
    with contextlib.redirect_stderr(discarded), contextlib.redirect_stdout(discarded):
        yield


def _mode(tracker: Any) -> str:
    """The processor backend according to the tracker's list of hardware."""
    for part in getattr(tracker, "_hardware", []):
        if type(part).__name__ == "CPU":
            return str(getattr(part, "_mode", ""))
    return ""
