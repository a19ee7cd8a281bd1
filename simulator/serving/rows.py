"""Rows of served models that were measured: `serving_energy.csv`, or a table with its columns.

Columns are known by name, in any order; a missing one is blank in every row. A row needs a model, a
chip, their number, the length of answers, and the batch or its limit. What was measured is kept
apart from what a prediction may use.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.configurations.read import is_configuration
from energy.errors import AccountingError, InputError
from energy.facts import catalog
from energy.facts.rows import plain_name
from energy.shape import Shape, total
from energy.shape import parameters as count
from simulator.published.shipped import PUBLISHED, shipped
from simulator.published.tables import Cells, read_table
from simulator.serving.constants import ServingConstants
from simulator.serving.model import ServedModel
from simulator.serving.service import Board, Service, formats

Array = NDArray[np.float64]

REQUIRED = ("model", "gpu", "gpus", "out_len")

PROMPTS = {
    "gpqa": "prompt_gpqa",
    "lm-arena-chat": "prompt_chat",
    "sourcegraph-fim": "prompt_code",
}
"""The constant that is the length of a prompt of a task, where a row has none of its own."""

PRECISIONS = {
    "bfloat16": "bf16",
    "float16": "fp16",
    "half": "fp16",
    "mxfp4": "fp4",
    "nvfp4": "fp4",
    "float8": "fp8",
    "fp8": "fp8",
    "w8a8": "int8",
    "awq": "int4",
    "gptq": "int4",
}

MEASURED = ("j_per_token", "itl_ms", "watts", "tok_s")


@dataclass(frozen=True, kw_only=True)
class ServingRow:
    """A measured service.

    Attributes:
        row_id: its name in the file.
        source: where it was published.
        family: of the model; rows of one family are alike.
        model_name: as the row has it.
        model: what is served.
        known_as: model of the catalog, or how its sizes were assumed.
        is_assumed: whether they were.
        chip: of the catalog.
        task: whose prompts it has.
        chips: how many.
        dp: replicas of the attention.
        ep: chips over which experts are spread.
        precision: of the weights.
        batch: mean sequences in flight.
        prompt: tokens of a prompt; None where the row does not say.
        answer: mean tokens of an answer.
        measured: figures by the names of `MEASURED`, those that the row has; watts of all chips.
    """

    row_id: str
    source: str
    family: str
    model_name: str
    model: ServedModel
    known_as: str
    is_assumed: bool
    chip: catalog.Chip
    task: str
    chips: int
    dp: int
    ep: int
    precision: str
    batch: float
    prompt: float | None
    answer: float
    measured: dict[str, float]

    @property
    def kind(self) -> str:
        """Dense or moe."""
        return "moe" if float(self.model.mixtures) > 0 else "dense"


@dataclass(frozen=True)
class ServingTable:
    """The rows of a file that can be predicted, and why the others cannot."""

    rows: tuple[ServingRow, ...]
    skipped: dict[str, str]


def read_serving(name: Path | str) -> ServingTable:
    """Read a table of served models; `published` is the package's own.

    Raises:
        InputError: there is no such file, or it is not a table, or a required column is missing.
    """
    path = shipped("serving_energy.csv") if str(name) == PUBLISHED else Path(name)
    rows, skipped = [], {}
    cells = read_table(path, "served models", REQUIRED, "serving_energy.csv")
    for number, row in enumerate(cells, start=1):
        identity = (row.get("row_id") or "").strip() or f"row {number}"
        try:
            rows.append(_row(identity, Cells(row)))
        except AccountingError as error:
            skipped[identity] = str(error)
    return ServingTable(tuple(rows), skipped)


def _row(identity: str, cells: Cells) -> ServingRow:
    chips, dp = int(cells.required("gpus")), int(cells.number("dp") or 1)
    batch = cells.number("batch") or cells.number("max_seqs")
    if not batch:
        raise InputError("expected batch or max_seqs", "blank", "fill the cell")
    if chips % dp:
        raise InputError("expected dp that divides gpus", f"dp {dp} of {chips}")
    name = cells.text("model")
    known = _model(name, cells)
    return ServingRow(
        row_id=identity,
        source=cells.text("source"),
        family=known.family,
        model_name=name,
        model=known.model,
        known_as=known.name,
        is_assumed=known.is_assumed,
        chip=catalog.chip(cells.text("gpu")),
        task=cells.text("task"),
        chips=chips,
        dp=dp,
        ep=min(int(cells.number("ep") or 1), chips),
        precision=precision_of(cells.text("precision") or "bfloat16"),
        batch=batch,
        prompt=cells.number("prompt_len") or cells.number("in_len"),
        answer=cells.required("out_len"),
        measured={key: value for key in MEASURED if (value := cells.number(key))},
    )


def precision_of(words: str) -> str:
    """Our name of a precision: "bfloat16" is bf16, "mxfp4" is fp4."""
    plain = words.lower()
    return next((ours for theirs, ours in PRECISIONS.items() if theirs in plain), plain)


@dataclass(frozen=True)
class _Known:
    name: str
    family: str
    model: ServedModel
    is_assumed: bool = False


def _model(name: str, cells: Cells) -> _Known:
    """The model of a row: by its name, by a configuration, or by its published sizes."""
    if row := first_name(name):
        return _Known(row["model"], row["family"], _counted(row["model"]))
    if is_configuration(name):
        from energy.configurations.read import model_name, read

        return _Known(model_name(name), model_name(name), ServedModel.of(read(Path(name)).shape))
    whole, active = cells.number("total_b"), cells.number("active_b")
    if whole is None:
        raise InputError("expected a model that the catalog knows, or its total_b", name)
    return _assumed(name, whole * 1e9, (active or whole) * 1e9)


def first_name(name: str) -> dict[str, str] | None:
    """The row of `served_models.csv` for the name of some weights; a catalog name is its own."""
    for row in _names():
        if row["model"] == name or re.search(row["pattern"], name, re.IGNORECASE):
            return row
    plain = plain_name(name)
    for model in catalog.models():
        if plain_name(model.name) == plain:
            return {"model": model.name, "family": re.split(r"[-\d]", model.name)[0]}
    return None


@cache
def _names() -> list[dict[str, str]]:
    with shipped("served_models.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@cache
def _counted(name: str) -> ServedModel:
    return ServedModel.of(catalog.model(name).shape)


def _assumed(name: str, whole: float, active: float) -> _Known:
    """A model of the catalog with the nearest sizes, scaled to those of a row."""
    is_mixture = active < 0.9 * whole
    known = [row for row in catalog.models() if not row.name.endswith("-dense")]
    alike = [row for row in known if (row.shape.n_moe_layers > 0) is is_mixture]

    def distance(shape: Shape) -> float:
        experts = float(count(shape)["experts"])
        rest = float(total(count(shape))) - experts
        own = rest + experts * float(shape.top_k) / float(shape.n_experts)
        return abs(math.log((rest + experts) / whole)) + abs(math.log(own / active))

    nearest = min(alike, key=lambda row: distance(row.shape))
    model = _counted(nearest.name)
    experts, rest = float(model.expert_total), float(model.all_weights - model.expert_total)
    share = float(model.chosen) / float(model.experts)
    if is_mixture:
        # rest * a + experts * t = whole, rest * a + share * experts * t = active
        t = (whole - active) / (experts * (1 - share))
        a = max((active - share * experts * t) / rest, 0.05)
    else:
        t, a = 1.0, whole / rest
    return _Known(
        f"sizes of {nearest.name}, scaled to {whole / 1e9:g}B",
        name.rpartition("/")[2].split("-")[0].lower(),
        model.scaled(t, a),
        is_assumed=True,
    )


@dataclass(frozen=True)
class Problem:
    """Rows as arrays, with the prompts that a constant stands for.

    Attributes:
        service: all rows; its prompts count where `prompt_of` is empty.
        prompt_of: constant that is the prompt of a row (rows).
        families: of the rows.
        cases: a model on a chip each (rows).
        kinds: of the rows.
        measured: by the names of `MEASURED`; not a number where a row has none.
    """

    service: Service
    prompt_of: NDArray[np.str_]
    families: NDArray[np.str_]
    cases: NDArray[np.str_]
    kinds: NDArray[np.str_]
    measured: dict[str, Array]

    @classmethod
    def of(cls, rows: Sequence[ServingRow]) -> Problem:
        """Rows as arrays."""
        boards = [Board.of(row.chip) for row in rows]
        own = [formats(row.precision, is_mixture=row.kind == "moe") for row in rows]

        def column(name: str) -> Array:
            return np.array([getattr(row, name) for row in rows], float)

        known = [row.prompt for row in rows]
        return cls(
            service=Service(
                model=ServedModel.stack([row.model for row in rows]),
                board=Board(**_stacked(boards)),
                **{name: column(name) for name in ("chips", "dp", "ep", "batch", "answer")},
                **{name: np.array([fmt[name] for fmt in own]) for name in own[0]},
                prompt=np.array([prompt or np.nan for prompt in known]),
            ),
            prompt_of=np.array(
                ["" if row.prompt else PROMPTS.get(row.task.lower(), "prompt_chat") for row in rows]
            ),
            families=np.array([row.family for row in rows]),
            cases=np.array([f"{row.known_as} on {row.chip.id}" for row in rows]),
            kinds=np.array([row.kind for row in rows]),
            measured={
                name: np.array([row.measured.get(name, np.nan) for row in rows])
                for name in MEASURED
            },
        )

    def take(self, chosen: NDArray[np.bool_]) -> Problem:
        """Some of the rows."""
        return Problem(
            _taken(self.service, chosen),
            self.prompt_of[chosen],
            self.families[chosen],
            self.cases[chosen],
            self.kinds[chosen],
            {name: values[chosen] for name, values in self.measured.items()},
        )

    def at(self, constants: ServingConstants) -> Service:
        """The services with the prompts of these constants."""
        prompt = np.array(self.service.prompt)
        for name in set(self.prompt_of) - {""}:
            prompt[self.prompt_of == name] = getattr(constants, name)
        return replace(self.service, prompt=prompt)


def _stacked(items: Sequence[Any]) -> dict[str, Array]:
    return {
        name: np.array([getattr(item, name) for item in items], float) for name in vars(items[0])
    }


def _taken(item: Any, chosen: NDArray[np.bool_]) -> Any:
    """An object of arrays with some of their places; single numbers stay."""
    changes = {}
    for name, value in vars(item).items():
        if hasattr(value, "__dataclass_fields__"):
            changes[name] = _taken(value, chosen)
        elif isinstance(value, np.ndarray) and value.shape == chosen.shape:
            changes[name] = value[chosen]
    return replace(item, **changes)
