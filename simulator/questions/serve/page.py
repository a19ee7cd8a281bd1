"""The page of `simulator serve`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from energy.quantity import Boundary, Quantity
from energy.reports.terminal import table
from energy.units import si
from simulator.kit.answer import Terminal
from simulator.questions.serve.answer import MILLION, Serving

LABELS = {
    "j_per_token": "joules a token, chips",
    "j_per_request": "joules a request, chips",
    "prefill_j_per_request": "  of its prompt",
    "decode_j_per_token": "  of decode, a token",
    "ttft_s": "time to first token, no queue",
    "itl_s": "time between tokens, median",
    "tokens_per_s": "tokens a second",
    "chip_power_w": "watts of a chip",
    "weight_bytes": "weights of a chip",
    "kv_bytes": "cache of a chip",
    "largest_batch": "largest batch",
}

PARTS = {
    "dense": "dense weights and products",
    "experts": "experts",
    "cache": "caches",
    "messages": "messages between chips",
    "layers": "fixed time of layers",
    "host": "host",
    "prompts": "prompts that join",
}


def page(answer: Serving, console: Terminal) -> None:
    """Print latency, memory, joules by boundary, and where time and watts go."""
    console.print(answer.headline, style="bold", markup=False)
    console.print()
    shown = {label: answer.quantities[name] for name, label in LABELS.items()}
    million = _per_million(answer).items()
    shown |= {f"{label} per million tokens": amount for label, amount in million}
    console.print(predicted(shown))
    if answer.ladder:
        console.print()
        ladder = table("a token, up to", "joules", "80 % band", "adds", "share")
        for rung in answer.ladder:
            ladder.add_row(
                rung.name,
                rung.total.human(),
                rung.total.ends(),
                f"{rung.added:.3g} J" if rung.added is not None else "",
                f"{rung.share:.0%}" if rung.share is not None else "",
            )
        console.print(ladder)
    console.print()
    console.print(_parts(answer))
    for note in answer.notes:
        console.print(f"note: {note}", markup=False)


def predicted(quantities: Mapping[str, Quantity]) -> Any:
    """A table of quantities by their labels, each with band and origin."""
    rows = table("", "predicted", "band", "origin")
    for label, quantity in quantities.items():
        rows.add_row(label, quantity.human(), quantity.band(), quantity.origins)
    return rows


def _parts(answer: Serving) -> Any:
    step, draw = answer.served.step, answer.served.draw
    rows = table("part of a step", "time", "share", "", "watts of a chip", "share")
    watts = [(name, float(value)) for name, value in draw.parts_w.items()]
    whole_w = float(draw.chip_w)
    for place, (name, label) in enumerate(PARTS.items()):
        seconds = float(getattr(step, name))
        part, value = watts[place]
        known = value == value
        rows.add_row(
            label,
            si(seconds, "s"),
            f"{seconds / float(step.mean_s):.0%}",
            part,
            f"{value:.0f} W" if known else "missing",
            f"{value / whole_w:.0%}" if known else "",
        )
    return rows


def _per_million(answer: Serving) -> dict[str, Quantity]:
    """CO2e, water and dollars of a million tokens."""
    totals = answer.account
    if totals is None:
        return {}
    known = {"CO2e": totals.co2_location_g, "water": totals.water_l, "dollars": totals.cost_usd}
    return {name: value.scaled(MILLION) for name, value in known.items() if value is not None}


def as_json(answer: Serving) -> dict[str, Any]:
    """The answer with the names that scripts rely on."""
    request, resolved, step = answer.request, answer.resolved, answer.served.step
    totals = answer.account
    million = _per_million(answer)
    return {
        "model": resolved.name,
        "chip": resolved.chip.id,
        "chips": request.chips,
        "batch": request.batch,
        "isl": request.isl,
        "osl": request.osl,
        "tp": resolved.tp,
        "ep": resolved.ep,
        "dp": resolved.dp,
        "precision": request.precision,
        "kv_precision": request.kv_precision,
        "feasible": not resolved.problem,
        "reason": answer.problem,
        **answer.quantities,
        "ladder": [
            {
                "name": rung.name,
                "boundary": str(rung.boundary),
                "j_per_token": rung.total,
                "share": rung.share,
            }
            for rung in answer.ladder
        ],
        "facility_j_per_token": totals.totals[Boundary.FACILITY] if totals else None,
        "co2_g_per_million": million.get("CO2e"),
        "water_l_per_million": million.get("water"),
        "cost_usd_per_million": million.get("dollars"),
        "step": {name: float(getattr(step, name)) for name in PARTS}
        | {"mean_s": float(step.mean_s)},
        "watts": {
            name: None if value != value else float(value)
            for name, value in answer.served.draw.parts_w.items()
        },
        "notes": list(answer.notes),
    }


def frame_rows(answer: Serving) -> list[dict[str, Any]]:
    """A row of the request and its quantities."""
    data = as_json(answer)
    nested = ("ladder", "step", "watts", "notes")
    return [{name: value for name, value in data.items() if name not in nested}]
