"""What CodeCarbon says of the same run, beside our own number and never in its place.

Its offline tracker alone (no location look-up, no file), in the process of `energy run`. Each of
its three numbers gets the origin of the backend behind it, which its own output does not say: a
processor told by load is modelled, one told by a constant assumed, memory by modules assumed.
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
"""CodeCarbon's words for how it reads the processor; a word not here counts as assumed."""


class SecondOpinion:
    """CodeCarbon's offline tracker around a block of code."""

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
            # Only joules are taken; the country that it insists on plays no part in them.
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
        """Stop it and take its three numbers."""
        with _silent():
            self._tracker.stop()
        told = self._tracker.final_emissions_data
        mode = str(getattr(self._tracker, "_cpu_tracking_mode", "") or _mode(self._tracker))
        origins = {
            "cpu": BACKENDS.get(mode, Origin.ASSUMED),
            "gpu": Origin.MEASURED,
            "ram": Origin.ASSUMED,
        }
        how = {"cpu": mode or "unknown backend", "gpu": "NVML", "ram": "watts per module"}
        for part, origin in origins.items():
            joules = float(getattr(told, f"{part}_energy")) * J_PER_KWH
            if joules > 0:
                self.parts[part] = Quantity.exact(
                    joules, "J", f"CodeCarbon {part}: {how[part]}", origin
                )

    def explain(self, record: RunRecord) -> tuple[Quantity, str]:
        """Its total, and in words how it differs from the record, part by part, and why."""
        if not self.parts:
            reason = "CodeCarbon gave no joule (a run of less than its interval?)"
            return Quantity.absent("J", reason), reason
        total = add(list(self.parts.values()), source="CodeCarbon, offline tracker")
        ours = {part: _of_part(record, part) for part in OURS}
        told = {
            part: _against(self.parts.get(part), own)
            for part, own in ours.items()
            if own or part in self.parts
        }
        apart = {part: abs(_j(self.parts.get(part)) - _j(ours[part])) for part in told}
        most = max(apart, key=lambda part: apart[part])
        whole = sum(map(_j, ours.values()))
        ratio = f", {_j(total) / whole:.2f} times ours" if whole else ""
        return total, (
            f"CodeCarbon says {_j(total):.0f} J{ratio}; most of the difference is {most}: "
            f"{told.pop(most)}" + "".join(f"; {part}: {words}" for part, words in told.items())
        )


OURS = {"cpu": ("cpu", "psys"), "gpu": ("GPU", "gpu", "MIG"), "ram": ("memory", "dram")}
"""How the names of our devices begin, by CodeCarbon's parts."""


def _of_part(record: RunRecord, part: str) -> Quantity | None:
    """Our joules of one of CodeCarbon's parts; None where we have none."""
    own = [
        entry
        for entry in record.energy
        if entry.device.startswith(OURS[part]) and entry.within is None and entry.value is not None
    ]
    sources = sorted({entry.api for entry in own})
    return add(own, source="; ".join(sources)) if own else None


def _against(theirs: Quantity | None, own: Quantity | None) -> str:
    """A part as both tell it, with how each came by it."""
    left = (
        "nothing"
        if theirs is None
        else (f"{_j(theirs):.0f} J {theirs.origin} ({theirs.source.split(': ')[1]})")
    )
    right = "nothing" if own is None else f"{_j(own):.0f} J {own.origin} ({own.source})"
    return f"{left} against {right}"


def _j(quantity: Quantity | None) -> float:
    return 0.0 if quantity is None else quantity.value or 0.0


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep its talk, and that of the libraries that it tries, out of the command's output."""
    logger = logging.getLogger("codecarbon")
    logger.disabled = True
    heard = io.StringIO()
    with contextlib.redirect_stderr(heard), contextlib.redirect_stdout(heard):
        yield


def _mode(tracker: Any) -> str:
    """How it reads the processor, from its hardware list."""
    for part in getattr(tracker, "_hardware", []):
        if type(part).__name__ == "CPU":
            return str(getattr(part, "_mode", ""))
    return ""
