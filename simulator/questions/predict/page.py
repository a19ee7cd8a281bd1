"""The page of `simulator predict`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from energy.quantity import Quantity
from energy.record import RunRecord
from energy.reports.terminal import quantity_table, table
from simulator.runs.predict import Prediction

METRICS = {
    "step_time_s": "step time",
    "step_time_uncalibrated_s": "  predicted without your row",
    "tokens_per_s": "tokens a second",
    "model_flop_per_s": "model FLOP a second",
    "mfu_full": "  attention in full",
    "mfu_causal": "  causal attention",
    "hfu": "HFU",
    "chip_power_w": "watts per chip",
    "memory_bytes": "memory of the fullest chip",
}


def page(prediction: Prediction, console: Console) -> None:
    """Print a predicted record: its totals, then time and work by part."""
    record = prediction.record
    console.print(quantity_table(record.name, _totals(record)))
    if record.parts:
        console.print()
        console.print(_parts(record))
    for note in record.notes:
        console.print(f"note: {note}", markup=False)


def as_json(prediction: Prediction) -> dict[str, Any]:
    """The record."""
    return prediction.record.model_dump(mode="json")


def _totals(record: RunRecord) -> Iterator[tuple[str, Quantity]]:
    yield "tokens", record.tokens
    yield "parameters", record.params_total
    yield "  active a token", record.params_active
    counted = _counted(record)
    yield f"model FLOP{counted}", record.model_flop
    yield f"executed FLOP{counted}", record.executed_flop
    for name, value in record.metrics.items():
        label = METRICS.get(name, name.replace("_", " "))
        yield (f"MFU{counted}" if name == "mfu" else label), value
    yield "elapsed", record.elapsed_s
    for place, total in record.totals.items():
        yield f"energy, {place}", total
    yield "CO2e, location (gross)", record.co2_location_g
    yield "CO2e, market (net)", record.co2_market_g
    yield "CO2e, embodied", record.co2_embodied_g
    yield "water", record.water_l
    yield "cost", record.cost_usd


def _counted(record: RunRecord) -> str:
    """How a record counts attention scores, in words; nothing where it does not say."""
    convention = record.labels.get("attention_flop", "")
    return {"causal": ", causal attention", "full": ", attention in full"}.get(convention, "")


def _parts(record: RunRecord) -> Table:
    """Time, work and energy of each part of the run."""
    rows = table("part of the run", "time", "share", "executed FLOP", "energy")
    whole = sum(part.time_s.value or 0.0 for part in record.parts if part.time_s)
    for part in record.parts:
        seconds = part.time_s.value if part.time_s else None
        share = f"{seconds / whole:.1%}" if seconds is not None and whole else ""
        quantities = (part.time_s, part.executed_flop, part.energy_j)
        cells = [quantity.human() if quantity else "" for quantity in quantities]
        rows.add_row(part.name, cells[0], share, *cells[1:])
    return rows
