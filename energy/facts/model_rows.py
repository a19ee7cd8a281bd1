"""Models of the catalog: rows of sizes, rows of released models, and their dense twins."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from importlib.resources import files
from typing import cast, get_args

from energy.configurations.read import from_dict
from energy.facts.cells import cell
from energy.shape import ActiveConvention, Shape, dense_twin

SIZES = {item.name for item in fields(Shape)}


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model of the catalog: its shape, and what was published about it.

    Attributes:
        name: name of the row.
        title: as its authors write it.
        shape: shape of the decoder.
        params_total: published parameters; None is unknown.
        params_active: published parameters that one token passes through.
        active_convention: which embedding matrices that figure counts.
        tokens: tokens of its published training run.
        source: where the row comes from.
        year: of that publication.
        status: one of `energy.facts.rows.STATUSES`.
        notes: caveats.
    """

    name: str
    title: str
    shape: Shape = field(repr=False)
    params_total: float | None
    params_active: float | None
    active_convention: ActiveConvention = "with-both-embeddings"
    tokens: float | None
    source: str
    year: int
    status: str
    notes: str | None


def sized(row: dict[str, str]) -> Model:
    """A row of `models.csv`, which has a column for each size."""
    shape = Shape.from_dict({name: int(text) for name, text in row.items() if name in SIZES})
    return _model(row, shape, "with-both-embeddings")


def configured(row: dict[str, str]) -> Model:
    """A row of `released_models.csv`, whose sizes are those of a configuration."""
    file = f"{row['name']}.json"
    text = files("energy.facts.data.configurations").joinpath(file).read_text("utf-8")
    convention = row["active_convention"]
    if convention not in get_args(ActiveConvention):
        raise ValueError(f"{convention} is no convention of active parameters")
    shape = from_dict(json.loads(text), file, int(row["seq_len"])).shape
    return _model(row, shape, cast(ActiveConvention, convention))


def _model(row: dict[str, str], shape: Shape, convention: ActiveConvention) -> Model:
    """What both tables say beside the sizes."""
    return Model(
        name=row["name"],
        title=row["title"],
        shape=shape,
        params_total=cell(row["params_total"], float | None),
        params_active=cell(row["params_active"], float | None),
        active_convention=convention,
        tokens=cell(row["tokens"], float | None),
        source=row["source"],
        year=int(row["year"]),
        status=row["status"],
        notes=cell(row["notes"], str | None),
    )


def twin_of(row: Model) -> Model:
    """The dense model beside a mixture: as many FLOP a token, but for the router."""
    return replace(
        row,
        name=f"{row.name}-dense",
        title=f"{row.title}, dense twin",
        shape=dense_twin(row.shape),
        params_total=None,
        params_active=None,
        tokens=None,
        source=f"this project: {row.name} with dense networks as wide as a token's experts",
        status="assumed",
        notes=None,
    )
