"""A prediction beside the measured run that it was made for, number by number.

Errors are signed: predicted / measured - 1, so +0.10 is a prediction 10 % too high. Where both
sides are modelled (on a machine without a meter, watts come from a model on both) an agreement
proves nothing about watts, and the row says so: its error is then that of the time alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from energy.arithmetic import multiply
from energy.errors import InputError, MissingDataError, ToleranceError
from energy.quantity import Boundary, Origin, Quantity
from energy.record import Kind, RunRecord

STEP = "step"
"""Name of the window that a trainer opens around each optimizer step."""

COUNTED = ("tokens", "parameters", "active parameters", "model FLOP", "executed FLOP")
"""Rows that both sides count by one formula."""

WATTS = ("mean power", *(f"{boundary} energy" for boundary in Boundary))
"""Rows that depend on watts."""


@dataclass(frozen=True)
class Row:
    """One number of a run, predicted and measured.

    Attributes:
        name: what it is; the unit is in both quantities.
        predicted: with its band.
        measured: from the run's own record; its origin may still be modelled.
    """

    name: str
    predicted: Quantity
    measured: Quantity

    @property
    def error(self) -> float | None:
        """Signed relative error; None where a side is missing or the measured value is zero."""
        if self.predicted.value is None or not self.measured.value:
            return None
        return self.predicted.value / self.measured.value - 1

    @property
    def in_band(self) -> bool | None:
        """Whether the measured value is within the band; None where a side is missing."""
        if self.predicted.value is None or self.measured.value is None:
            return None
        _, low, high = self.predicted.numbers()
        slack = 1e-9 * abs(high)
        return low - slack <= self.measured.value <= high + slack

    @property
    def counted(self) -> bool:
        """Whether both sides are counted by one formula: an agreement is no measurement."""
        return self.name in COUNTED

    @property
    def both_modelled(self) -> bool:
        """Whether neither side was read from a meter, so that an agreement is no evidence."""
        weak = (Origin.MODELLED, Origin.ASSUMED)
        return self.predicted.origin in weak and self.measured.origin in weak

    def as_json(self) -> dict[str, Any]:
        """The row as plain data."""
        return {
            "name": self.name,
            "predicted": self.predicted.model_dump(mode="json"),
            "measured": self.measured.model_dump(mode="json"),
            "error": self.error,
            "in_band": self.in_band,
            "both_modelled": self.both_modelled,
            "counted": self.counted,
        }


@dataclass(frozen=True)
class Agreement:
    """A prediction and the run that it was made for."""

    name: str
    predicted: RunRecord
    measured: RunRecord
    rows: tuple[Row, ...]

    @property
    def predicted_before(self) -> bool | None:
        """Whether the prediction was written first; None where a time is not known."""
        if not self.predicted.created_utc or not self.measured.created_utc:
            return None
        return self.predicted.created_utc <= self.measured.created_utc

    def notes(self) -> list[str]:
        """What a reader needs to know before trusting the errors."""
        notes = []
        counted = [row for row in self.rows if row.counted]
        if equal := [row.name for row in counted if row.in_band is not False]:
            notes.append(
                f"{', '.join(equal)}: counted on both sides by one formula, and not measured"
            )
        if apart := [row.name for row in counted if row.in_band is False]:
            notes.append(
                f"{', '.join(apart)}: counted on both sides, and not the same; a run counts the "
                "rows by which experts are padded, a prediction does not"
            )
        modelled = [row.name for row in self.rows if row.both_modelled and not row.counted]
        if modelled:
            notes.append(
                f"{', '.join(modelled)}: modelled on both sides, so an agreement is one of two "
                "models and proves nothing"
            )
        if any(row.both_modelled and row.name in WATTS for row in self.rows):
            notes.append(
                "no meter read this machine's power: the error in joules is the error in time, and "
                "says nothing about watts"
            )
        if self.predicted_before is False:
            notes.append("the prediction was written after the run that it is judged by")
        return notes

    def as_json(self) -> dict[str, Any]:
        """The agreement as plain data."""
        return {
            "name": self.name,
            "predicted_before": self.predicted_before,
            "rows": [row.as_json() for row in self.rows],
            "notes": self.notes(),
        }


def agreement(predicted: RunRecord, measured: RunRecord) -> Agreement:
    """Compare every number that either record has."""
    rows = [Row(name, read(predicted), read(measured)) for name, read in READERS.items()]
    rows += [
        Row(f"{boundary} energy", _total(predicted, boundary), _total(measured, boundary))
        for boundary in Boundary
        if boundary in predicted.totals or boundary in measured.totals
    ]
    rows += [
        Row("CO2, location", predicted.co2_location_g, measured.co2_location_g),
        Row("CO2, market", predicted.co2_market_g, measured.co2_market_g),
        Row("water", predicted.water_l, measured.water_l),
        Row("cost", predicted.cost_usd, measured.cost_usd),
    ]
    known = [
        row for row in rows if row.predicted.value is not None or row.measured.value is not None
    ]
    return Agreement(measured.name, predicted, measured, tuple(known))


def pairs(records: Iterable[RunRecord]) -> list[tuple[RunRecord, RunRecord]]:
    """Each measured record with the prediction of the same name.

    Raises:
        InputError: a name has more than one prediction.
        MissingDataError: there is no pair.
    """
    predicted: dict[str, RunRecord] = {}
    measured = []
    for record in records:
        if record.kind is Kind.MEASURED:
            measured.append(record)
        elif record.name in predicted:
            raise InputError(
                "expected one prediction of each run",
                f"two of {record.name}",
                "name the folder of one of them",
            )
        else:
            predicted[record.name] = record
    if len(predicted) == 1 and len(measured) == 1:
        return [(next(iter(predicted.values())), measured[0])]
    matching = [(predicted[record.name], record) for record in measured if record.name in predicted]
    if not matching:
        raise MissingDataError(
            "expected a predicted and a measured record of the same name",
            f"predicted: {', '.join(predicted) or 'none'}; "
            f"measured: {', '.join(record.name for record in measured) or 'none'}",
            "write a prediction with simulator predict --out, a measurement with glam train --out",
        )
    return matching


def read_records(places: Sequence[Path]) -> list[RunRecord]:
    """Every record among some files and below some folders, each once.

    Raises:
        InputError: there is no record in one of the places, or it is not valid.
    """
    paths: list[Path] = []
    for place in places:
        below = sorted(place.rglob("record.json")) if place.is_dir() else [place]
        if not below:
            raise InputError(
                f"expected a record.json at or below {place}",
                "none",
                "name the folder of a run or of a prediction",
            )
        paths += [path for path in below if path not in paths]
    return [RunRecord.load(path) for path in paths]


def require_within(agreements: Iterable[Agreement], tolerance: float) -> None:
    """Check every error that a meter or a clock can judge against a tolerance.

    Raises:
        ToleranceError: the worst error is larger; the message names it.
    """
    judged = [
        (abs(row.error), row.error, agreement.name, row.name)
        for agreement in agreements
        for row in agreement.rows
        if row.error is not None and not row.both_modelled and not row.counted
    ]
    worst = max(judged, default=None)
    if worst is not None and worst[0] > tolerance:
        raise ToleranceError(
            f"expected errors within {tolerance:.0%}",
            f"{worst[1]:+.1%} in {worst[3]} of {worst[2]}",
            "see the table",
        )


def step_time(record: RunRecord) -> Quantity:
    """Mean seconds of one optimizer step."""
    for window in record.windows:
        if window.name == STEP and window.count:
            return window.elapsed_s.scaled(1 / window.count)
    return Quantity.absent("s", f"{record.name} has no window named {STEP}")


def mean_power(record: RunRecord) -> Quantity:
    """Mean watts of the run at its innermost boundary."""
    for boundary in Boundary:
        if boundary in record.totals:
            watts = multiply(record.totals[boundary], record.elapsed_s, "W", divide=True)
            return watts.model_copy(update={"source": f"{boundary} energy / elapsed time"})
    return Quantity.absent("W", f"{record.name} has no energy")


READERS: dict[str, Callable[[RunRecord], Quantity]] = {
    "tokens": lambda record: record.tokens,
    "parameters": lambda record: record.params_total,
    "active parameters": lambda record: record.params_active,
    "model FLOP": lambda record: record.model_flop,
    "executed FLOP": lambda record: record.executed_flop,
    "step time": step_time,
    "elapsed time": lambda record: record.elapsed_s,
    "mean power": mean_power,
}


def _total(record: RunRecord, boundary: Boundary) -> Quantity:
    reason = f"{record.name} has no total at the {boundary} boundary"
    return record.totals.get(boundary, Quantity.absent("J", reason))
