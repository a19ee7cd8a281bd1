"""Published plans for a model on the same chips, with which a search is compared.

They come from the rows of published throughput, whose measured rates are not read here, and from
`published/plans.toml`, where a plan was published without a rate. What a source leaves out is what
its software did, where `simulator.published.candidates` knows it; otherwise it is searched.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from energy.errors import MissingDataError
from energy.facts import catalog
from energy.shape import Shape
from simulator.physics.plan import AXES
from simulator.published.candidates import plans_of
from simulator.published.shipped import shipped
from simulator.published.tables import read_table
from simulator.published.throughput import ThroughputRow, parse

CONVENTIONS = ("cp", "etp", "zero")
"""Fields that follow from the software where they are not printed."""

DISTINCTIVE = ("tp", "pp", "ep", "zero")
"""Fields of which a source prints at least one if it prints a plan."""


@dataclass(frozen=True, kw_only=True)
class KnownPlan:
    """What a source says of a plan.

    Attributes:
        name: of its row.
        fields: the fields that are printed, by the names of `AXES`.
        usual: fields that are not printed, as its software sets them.
        batch: sequences of a step; None where it is not printed.
        software: that ran it, by the names of `software.toml`.
        source: where it was published.
        notes: what a reader should know.
    """

    name: str
    fields: dict[str, Any]
    usual: dict[str, Any]
    batch: float | None
    software: str
    source: str
    notes: str


def known_plans(shape: Shape, chip: str, n_chips: int) -> list[KnownPlan]:
    """The published plans of a model on a number of chips; of equal plans, the first.

    Args:
        shape: of the model, recognized by its sizes.
        chip: row of the catalog.
        n_chips: of the run.
    """
    plans: dict[str, KnownPlan] = {}
    for plan in (*_of_rows(shape, chip, n_chips), *_of_file(shape, chip, n_chips)):
        if any(name in plan.fields for name in DISTINCTIVE):
            plans.setdefault(repr(sorted(plan.fields.items())), plan)
    return list(plans.values())


def _of_rows(shape: Shape, chip: str, n_chips: int) -> Iterator[KnownPlan]:
    """Plans of the rows of published throughput."""
    cells = read_table(
        shipped("throughput.csv"), "published throughput", ("chip",), "throughput.csv"
    )
    for row_cells in cells:
        if _may_match(row_cells, shape, chip, n_chips):
            for row in parse([row_cells]).rows:
                if _same_model(row.shape, shape):
                    yield _of_row(row, row_cells.get("other_opts") or "")


def _may_match(cells: dict[str, Any], shape: Shape, chip: str, n_chips: int) -> bool:
    """Whether a row has the same chips and width, which is quicker to see than its whole shape."""
    same_sizes = all(
        cells[name] and float(cells[name]) == size
        for name, size in (("n_chips", n_chips), ("d_model", float(shape.d_model)))
    )
    return same_sizes and _chip_id(cells["chip"]) == chip


def _of_row(row: ThroughputRow, notes: str) -> KnownPlan:
    """The plan of a row, with the conventions in which all its candidates agree."""
    printed = {name: value for name, value in row.fields.items() if name in AXES}
    candidates = plans_of(row)
    values = {name: {plan[name] for plan in candidates} for name in CONVENTIONS}
    return KnownPlan(
        name=row.row_id,
        fields=printed,
        usual={
            name: options.pop()
            for name, options in values.items()
            if len(options) == 1 and name not in printed
        },
        batch=row.fields.get("global_batch"),
        software=row.software.name,
        source=row.source,
        notes=notes,
    )


def _of_file(shape: Shape, chip: str, n_chips: int) -> Iterator[KnownPlan]:
    """Plans of `plans.toml`."""
    for row in _file():
        if (row["chip"], row["chips"]) != (chip, n_chips):
            continue
        if _same_model(catalog.model(row["model"]).shape, shape):
            yield KnownPlan(
                name=row["name"],
                fields={name: row[name] for name in AXES if name in row},
                usual={},
                batch=row.get("batch_sequences"),
                software=row["software"],
                source=row["source"],
                notes=row["notes"],
            )


@cache
def _file() -> list[dict[str, Any]]:
    plans: list[dict[str, Any]] = tomllib.loads(shipped("plans.toml").read_text())["plan"]
    return plans


def _same_model(first: Shape, second: Shape) -> bool:
    """Whether two shapes are of one model; one may count a layer of multi-token prediction."""
    names = ("d_model", "n_experts", "top_k", "d_expert", "n_heads")
    return (
        all(float(getattr(first, name)) == float(getattr(second, name)) for name in names)
        and abs(float(first.n_layers) - float(second.n_layers)) <= 1
    )


def _chip_id(name: str) -> str | None:
    try:
        return catalog.chip(name).id
    except MissingDataError:
        return None
