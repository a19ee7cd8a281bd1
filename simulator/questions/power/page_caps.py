"""The page of `simulator power --cap`: time, joules and dollars against watts a chip."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from energy.reports.terminal import table
from energy.units import change
from simulator.questions.power.caps import Cap, Capped, Range


def page(answer: Capped, console: Console) -> None:
    """Print the caps, the least of each, and what was assumed."""
    console.print(answer.headline, style="bold", markup=False)
    console.print()
    amounts = {"days": "time of the run", "mwh": "energy of the run"}
    if answer.caps[0].spend.cost_usd.value is not None:
        amounts["usd"] = "cost of the run"
    rows = table("cap a chip", "clock", "time", "energy", *amounts.values(), "least of")
    rows.columns[-1].justify = "left"
    for cap in answer.caps:
        known = cap.spend.by_budget()
        rows.add_row(
            f"{cap.cap_w:.0f} W",
            f"{cap.clock[0]:.0%}",
            *(f"{change(ratio[0] - 1)} ({_ends(ratio)})" for ratio in (cap.time, cap.energy)),
            *(known[name].human() for name in amounts),
            ", ".join(cap.least),
        )
    console.print(rows)
    for watts, reason in answer.beyond.items():
        console.print(f"left out: {watts}: {reason}", markup=False)
    for note in notes(answer):
        console.print(f"note: {note}", markup=False)


def notes(answer: Capped) -> tuple[str, ...]:
    """What must be known before a board is capped."""
    exponent, least = answer.assumed.values()
    return (
        f"watts above idle of arithmetic and waiting go with clock^{exponent}, down to "
        f"{least} of the clock: assumed, nothing of it is fitted; the bands of the changes are its",
        "messages, memory and hosts take as long and draw as much at any clock; a cap acts on the "
        "mean of a step",
        *answer.prediction.record.notes,
    )


def as_json(answer: Capped) -> dict[str, Any]:
    """The caps with the names that scripts rely on."""
    return {
        "name": answer.name,
        "chip_w": answer.prediction.estimate.chip_power_w,
        "boundary": str(answer.prediction.boundary),
        "caps": [_cap(cap) for cap in answer.caps],
        "left_out": answer.beyond,
        "assumptions": answer.assumed,
        "notes": list(notes(answer)),
    }


def _cap(cap: Cap) -> dict[str, Any]:
    ratios = (("clock_ratio", cap.clock), ("time_ratio", cap.time), ("energy_ratio", cap.energy))
    return {
        "cap_w": cap.cap_w,
        "chip_w": cap.chip_w,
        **{name: dict(zip(("value", "low", "high"), ratio, strict=True)) for name, ratio in ratios},
        **cap.spend.by_budget(),
        "least_of": list(cap.least),
    }


def _ends(ratio: Range) -> str:
    return " to ".join(change(end - 1) for end in ratio[1:])
