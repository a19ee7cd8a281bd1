"""The pages of `simulator models`, `chips` and `prices`: the catalog, each row with its source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from rich.console import Console
from rich.table import Table

from energy import units
from energy.facts.catalog import Chip
from energy.facts.model_rows import Model
from energy.facts.prices import Price
from energy.reports.terminal import table
from energy.shape import ACTIVE_CONVENTION
from energy.units import count
from simulator.questions.catalog.answer import Chips, Models, Prices, parameters


def page(answer: Models | Chips | Prices, console: Console) -> None:
    """Print one line for each row; what was not published reads unknown."""
    if isinstance(answer, Models):
        console.print(_models(answer.rows))
        console.print("active: without the input embedding, of which a token passes one row")
    elif isinstance(answer, Chips):
        console.print(_chips(answer.rows))
    else:
        console.print(_prices(answer.rows))
        console.print("prices change: each row is an assumption until your own bill replaces it")


def as_json(answer: Models | Chips | Prices) -> list[dict[str, Any]]:
    """The rows as plain data; None is unknown."""
    if isinstance(answer, Models):
        return [_model(row) for row in answer.rows]
    if isinstance(answer, Chips):
        return [asdict(row) for row in answer.rows]
    return [{field.name: getattr(row, field.name) for field in fields(row)} for row in answer.rows]


def _models(rows: Sequence[Model]) -> Table:
    """Counted parameters beside the published ones."""
    lines = table(
        "model",
        "total",
        "published",
        "active",
        "published",
        "share",
        "layers",
        "width",
        "experts",
        "top",
        "tokens",
        "status",
        "source",
    )
    lines.columns[-1].justify = "left"
    for row in rows:
        total, active = parameters(row.shape)
        sparse = float(row.shape.n_moe_layers) > 0
        lines.add_row(
            row.name,
            count(total),
            _count(row.params_total),
            count(active),
            _count(row.params_active),
            f"{active / total:.1%}",
            f"{row.shape.n_layers:g}",
            f"{row.shape.d_model:,}",
            f"{row.shape.n_experts:g}" if sparse else "dense",
            f"{row.shape.top_k:g}" if sparse else "",
            _count(row.tokens),
            row.status,
            row.source,
        )
    return lines


def _model(row: Model) -> dict[str, Any]:
    total, active = parameters(row.shape)
    _, both = parameters(row.shape, "with-both-embeddings")
    return {
        "name": row.name,
        "title": row.title,
        "params_total": total,
        "params_active": active,
        "active_convention": ACTIVE_CONVENTION,
        "params_active_with_both_embeddings": both,
        "published": {
            "params_total": row.params_total,
            "params_active": row.params_active,
            "tokens": row.tokens,
        },
        "shape": row.shape.as_dict(),
        "source": row.source,
        "status": row.status,
        "notes": row.notes,
    }


def _chips(rows: Sequence[Chip]) -> Table:
    """Dense peaks, memory and watts."""
    lines = table(
        "chip",
        "kind",
        "year",
        "bf16 FLOP/s",
        "fp32 FLOP/s",
        "memory",
        "bandwidth",
        "TDP",
        "idle",
        "mean",
        "status",
        "source",
    )
    lines.columns[-1].justify = "left"
    for row in rows:
        lines.add_row(
            row.id,
            row.kind,
            str(row.year or "unknown"),
            _si(row.peak_bf16_flop_per_s or row.peak_fp16_flop_per_s, ""),
            _si(row.peak_fp32_flop_per_s, ""),
            _si(row.memory_bytes, "B"),
            _si(row.memory_bytes_per_s, "B/s"),
            _si(row.tdp_w, "W"),
            _si(row.idle_w, "W"),
            _si(row.mean_w, "W"),
            row.status,
            row.source,
        )
    return lines


def _prices(rows: Sequence[Price]) -> Table:
    """The band of offers, with date, terms and source."""
    lines = table(
        "price", "for", "middle", "low", "high", "unit", "date", "term", "status", "source"
    )
    for column in (1, 5, 7, 8, 9):
        lines.columns[column].justify = "left"
    for row in rows:
        value, low, high = (f"{number:g}" for number in row.price.numbers())
        lines.add_row(
            row.id,
            row.chip or row.kind,
            value,
            low,
            high,
            row.price.unit,
            row.date,
            row.term,
            row.status,
            row.source,
        )
    return lines


def _count(value: float | None) -> str:
    return "unknown" if value is None else count(value)


def _si(value: float | None, unit: str) -> str:
    return "unknown" if value is None else units.si(value, unit)
