"""The picture of `simulator predict`: where the time goes, and what the site adds to the joules."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes

from energy.quantity import Quantity
from energy.record import RunRecord
from simulator.kit.style import ANSWER, Panel, bar, human_unit, named_rows
from simulator.runs.predict import Prediction


def panels(prediction: Prediction) -> Sequence[Panel]:
    """Time by part of the run, then energy by boundary."""
    record = prediction.record
    return [partial(time_by_part, record), partial(energy_by_boundary, record)]


def time_by_part(record: RunRecord, axes: Axes) -> Axes:
    """Wall clock of each part of the run, with its band."""
    rows = {part.name.replace("_", " "): part.time_s for part in record.parts if part.time_s}
    return _bars(axes, rows, "s", "time of each part of the run")


def energy_by_boundary(record: RunRecord, axes: Axes) -> Axes:
    """Joules at each boundary, with their bands."""
    rows = {
        str(boundary): joules
        for boundary, joules in record.totals.items()
        if joules.value is not None
    }
    return _bars(axes, rows, "J", "energy up to each boundary")


def _bars(axes: Axes, rows: dict[str, Quantity], unit: str, label: str) -> Axes:
    scale, word = human_unit(max(row.numbers()[0] for row in rows.values()), unit)
    for place, quantity in enumerate(rows.values()):
        bar(axes, place, quantity, 1 / scale, ANSWER, "80 % band" if place == 0 else None)
    axes.set_xlabel(f"{label} / {word}")
    return named_rows(axes, list(rows))
