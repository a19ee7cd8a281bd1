"""A table of chip-hours: what a bill or a model card says of a run that nobody metered.

The joules are hours times watts, so they are assumed: the watts are those of the table, or the name
plate's. A chip in training draws less than its plate most of the time, hence the assumed band.
"""

from __future__ import annotations

from collections.abc import Mapping

from energy.errors import InputError
from energy.facts.catalog import chip
from energy.importers.imported import Device, Hints, ImportedRun, Importer, Skipped, number
from energy.importers.tables import cells_of
from energy.meters.base import Domain
from energy.units import S_PER_HOUR

HOURS = ("chip_hours", "gpu_hours", "tpu_hours", "accelerator_hours")
CHIP = ("chip", "hardware", "gpu", "accelerator")
WATTS = ("watts", "power_w", "tdp_w")
NAME = ("run", "model", "name")

LAYOUT = "run,chip,chip_hours[,chips][,watts]"

PLATE = (0.4, 1.1)
"""Mean watts of a training over those of the name plate: an assumption."""


def recognizes(text: str) -> bool:
    """Whether its columns stand in the first line."""
    first = [cell.lower() for _, cells in cells_of(text.partition("\n")[0]) for cell in cells]
    return any(name in first for name in HOURS) and any(name in first for name in CHIP)


def read(text: str, hints: Hints) -> list[ImportedRun]:
    """A run for each line."""
    skipped = Skipped()
    runs: list[ImportedRun] = []
    names: list[str] = []
    for line, cells in cells_of(text):
        if not names:
            names = [cell.lower() for cell in cells]
            continue
        row = dict(zip(names, cells, strict=False))
        try:
            runs.append(_run(row, hints))
        except ValueError:
            skipped.add(line)
        except InputError as error:
            skipped.add(line, f"left out: {error}")
    if not runs and skipped.count:
        raise InputError(
            f"expected chip-hours in {hints.file}", skipped.notes()[0], f"columns: {LAYOUT}"
        )
    for run in runs:
        run.notes += skipped.notes()
    return runs


def _cell(row: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((row[name] for name in names if row.get(name)), "")


def _run(row: Mapping[str, str], hints: Hints) -> ImportedRun:
    hours = number(_cell(row, HOURS).replace(",", ""), 1e-9, 1e12)
    product, stated = _cell(row, CHIP), _cell(row, WATTS)
    watts = number(stated, 1e-3, 1e5) if stated else _plate(product)
    chips = round(number(row.get("chips") or str(hints.chips or 1), 1, 1e7))
    seconds = hours * S_PER_HOUR / chips
    notes = []
    if not (row.get("chips") or hints.chips):
        notes.append("the table has no number of chips: its hours are shown as those of one")
    domain = Domain(
        id="chips",
        kind="gpu",
        boundary="chip",
        method="constant",
        origin="assumed",
        api=f"{hours:g} chip-hours x {watts:g} W ({product})",
        low=PLATE[0],
        high=PLATE[1],
        limit_w=watts * chips,
        meter="chip-hours",
        source="watts of the table" if stated else "name plate of the chip",
    )
    return ImportedRun(
        name=_cell(row, NAME) or product,
        devices=[Device(domain, spent=[(0.0, seconds, seconds * watts * chips)])],
        chips=chips,
        chip=product,
        notes=notes,
    )


def _plate(product: str) -> float:
    """Watts of the name plate of a chip of the catalog.

    Raises:
        InputError: the chip is unknown or its plate is.
    """
    row = chip(product)
    watts = row.tdp_w or row.max_w
    if watts is None:
        raise InputError("expected watts", f"no name plate of {row.id}", "add a column watts")
    return watts


IMPORTER = Importer("chip-hours", "a table of chip-hours", LAYOUT, recognizes, read)
