"""Plans that others published for a model on the same chips, to hold a search against.

They stand in the rows of published throughput, whose measured figures are not read here, and in
`published/plans.toml` where a plan was printed and no rate. What a source leaves out is what its
software did, where `simulator.published.candidates` knows that, and searched where it does not.
"""

from __future__ import annotations

import tomllib
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
from simulator.published.throughput import parse

CONVENTIONS = ("cp", "etp", "zero")


TELLING = ("tp", "pp", "ep", "zero")
"""Fields of which a source prints at least one, if it prints a plan."""


@dataclass(frozen=True, kw_only=True)
class KnownPlan:
    """What a source says of a plan.

    Attributes:
        name: of its row.
        fields: what is printed of it, by names of `AXES`.
        usual: what its software did of what is not printed.
        batch: sequences of a step; None is not printed.
        software: that ran it, by the names of `software.toml`.
        source: where it was published.
        notes: what a reader must know.
    """

    name: str
    fields: dict[str, Any]
    usual: dict[str, Any]
    batch: float | None
    software: str
    source: str
    notes: str


def known_plans(shape: Shape, chip: str, n_chips: int) -> list[KnownPlan]:
    """The published plans of a model on so many chips; of those that say the same, the first.

    Args:
        shape: of the model, recognised by its sizes.
        chip: row of the catalog.
        n_chips: of the run.
    """
    found: dict[str, KnownPlan] = {}
    for plan in (*_of_rows(shape, chip, n_chips), *_of_file(shape, chip, n_chips)):
        said = repr(sorted(plan.fields.items()))
        if any(name in plan.fields for name in TELLING) and said not in found:
            found[said] = plan
    return list(found.values())


def _of_rows(shape: Shape, chip: str, n_chips: int) -> list[KnownPlan]:
    """Plans of the rows of throughput."""
    cells = read_table(
        shipped("throughput.csv"), "published throughput", ("chip",), "throughput.csv"
    )
    same = [
        row
        for row in cells
        if row["n_chips"]
        and float(row["n_chips"]) == n_chips
        and row["d_model"]
        and float(row["d_model"]) == float(shape.d_model)
        and _chip(row["chip"]) == chip
    ]
    found = []
    for text in same:
        for row in parse([text]).rows:
            if not _alike(row.shape, shape):
                continue
            fields = {name: value for name, value in row.fields.items() if name in AXES}
            tried = {name: {plan[name] for plan in plans_of(row)} for name in CONVENTIONS}
            usual = {
                name: values.pop()
                for name, values in tried.items()
                if len(values) == 1 and name not in fields
            }
            found.append(
                KnownPlan(
                    name=row.row_id,
                    fields=fields,
                    usual=usual,
                    batch=row.fields.get("global_batch"),
                    software=row.software.name,
                    source=row.source,
                    notes=text.get("other_opts") or "",
                )
            )
    return found


def _of_file(shape: Shape, chip: str, n_chips: int) -> list[KnownPlan]:
    """Plans of `plans.toml`."""
    return [
        KnownPlan(
            name=row["name"],
            fields={name: row[name] for name in AXES if name in row},
            usual={},
            batch=row.get("batch_sequences"),
            software=row["software"],
            source=row["source"],
            notes=row["notes"],
        )
        for row in _file()
        if (row["chip"], row["chips"]) == (chip, n_chips)
        and _alike(catalog.model(row["model"]).shape, shape)
    ]


@cache
def _file() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads(shipped("plans.toml").read_text())["plan"]
    return found


def _alike(one: Shape, other: Shape) -> bool:
    """Whether two shapes are of one model; one may count a layer of multi-token prediction."""
    names = ("d_model", "n_experts", "top_k", "d_expert", "n_heads")
    return (
        all(float(getattr(one, name)) == float(getattr(other, name)) for name in names)
        and abs(float(one.n_layers) - float(other.n_layers)) <= 1
    )


def _chip(name: str) -> str | None:
    try:
        return catalog.chip(name).id
    except MissingDataError:
        return None
