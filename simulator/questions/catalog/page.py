"""The pages of `simulator models` and `simulator chips`: the catalog, each row with its source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from energy import shape, units
from energy.facts.catalog import Chip, Model
from energy.facts.prices import Price
from energy.reports.words import console, table
from energy.units import count


def models(rows: Sequence[Model]) -> None:
    """Print models: counted parameters beside the published ones."""
    page = table(
        "model",
        "total",
        "published",
        "active",
        "share",
        "layers",
        "width",
        "experts",
        "top",
        "tokens",
        "status",
        "source",
    )
    page.columns[-1].justify = "left"
    for row in rows:
        total, active = _parameters(row)
        sparse = float(row.shape.n_moe_layers) > 0
        page.add_row(
            row.name,
            count(total),
            _known(row.params_total),
            count(active),
            f"{active / total:.1%}",
            f"{row.shape.n_layers:g}",
            f"{row.shape.d_model:,}",
            f"{row.shape.n_experts:g}" if sparse else "dense",
            f"{row.shape.top_k:g}" if sparse else "",
            _known(row.tokens),
            row.status,
            row.source,
        )
    console().print(page)


def models_json(rows: Sequence[Model]) -> list[dict[str, Any]]:
    """Models as plain data."""
    found = []
    for row in rows:
        total, active = _parameters(row)
        found.append(
            {
                "name": row.name,
                "title": row.title,
                "params_total": total,
                "params_active": active,
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
        )
    return found


def chips(rows: Sequence[Chip]) -> None:
    """Print chips: dense peaks, memory, watts; what nobody published says unknown."""
    page = table(
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
    page.columns[-1].justify = "left"
    for row in rows:
        page.add_row(
            row.id,
            row.kind,
            str(row.year or "unknown"),
            _rate(row.peak_bf16_flop_per_s or row.peak_fp16_flop_per_s),
            _rate(row.peak_fp32_flop_per_s),
            _si(row.memory_bytes, "B"),
            _si(row.memory_bytes_per_s, "B/s"),
            _si(row.tdp_w, "W"),
            _si(row.idle_w, "W"),
            _si(row.mean_w, "W"),
            row.status,
            row.source,
        )
    console().print(page)


def chips_json(rows: Sequence[Chip]) -> list[dict[str, Any]]:
    """Chips as plain data; None is unknown."""
    return [asdict(row) for row in rows]


def prices(rows: Sequence[Price]) -> None:
    """Print prices with the band of offers, date, terms and source."""
    page = table(
        "price", "for", "middle", "low", "high", "unit", "date", "terms", "status", "source"
    )
    for column in (1, 5, 7, 8, 9):
        page.columns[column].justify = "left"
    for row in rows:
        value, low, high = (f"{number:g}" for number in row.price.numbers())
        page.add_row(
            row.id,
            row.chip or row.kind,
            value,
            low,
            high,
            row.price.unit,
            row.date,
            row.terms,
            row.status,
            row.source,
        )
    console().print(page)
    console().print("prices change: each row is an assumption until your own bill replaces it")


def prices_json(rows: Sequence[Price]) -> list[dict[str, Any]]:
    """Prices as plain data."""
    return [{field.name: getattr(row, field.name) for field in fields(row)} for row in rows]


def _parameters(row: Model) -> tuple[float, float]:
    total = shape.total(shape.parameters(row.shape))
    return float(total), float(shape.total(shape.active_parameters(row.shape)))


def _known(value: float | None) -> str:
    return "unknown" if value is None else count(value)


def _si(value: float | None, unit: str) -> str:
    return "unknown" if value is None else units.si(value, unit)


def _rate(value: float | None) -> str:
    return _si(value, "")
