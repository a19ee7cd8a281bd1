"""The page of `simulator power`: what a site sees of a run, by boundary, part and event."""

from __future__ import annotations

from typing import Any

from energy.quantity import Quantity
from energy.reports.words import band, console, human, table
from energy.units import duration, si
from simulator.questions.power.answer import Level, LoadProfile

MEANING = {
    "compute": "forward and backward, with the messages that hide behind them",
    "communication": "messages that nothing hides",
    "bubble": "waiting for other stages of the pipeline",
    "optimizer": "update of the weights",
    "host": "launches, and the time between steps",
    "checkpoint": "all chips stop to save",
    "restart": "from a failure to the next step",
}


FROM_FAILURES = ("mtbf_chip_h", "save_s", "restart_s", "stalled_share")


def page(found: LoadProfile) -> None:
    """Print the load by boundary, over a step and over the run, and what was assumed."""
    out = console()
    widest = list(found.mean_w)[-1]
    out.print(
        f"{found.name}: {human(found.mean_w[widest])} in the mean at the {widest}, "
        f"{human(found.peak_w(widest))} at the peak of a step, "
        f"{human(found.least_w(widest))} at least",
        style="bold",
    )
    out.print()
    for heads, answers in (
        (
            ("mean", "peak of a step", "least"),
            [(at, mean, found.peak_w(at), found.least_w(at)) for at, mean in found.mean_w.items()],
        ),
        (
            ("ramp in a step", "ramp into a stop"),
            [
                (at, found.ramp_w_per_s(at), found.ramp_w_per_s(at, events=True))
                for at in found.mean_w
            ],
        ),
    ):
        rows = table("boundary", *(cell for head in heads for cell in (head, "80 % band", "")))
        for at, *quantities in answers:
            rows.add_row(
                str(at),
                *(
                    cell
                    for one in quantities
                    for cell in (_watts(one), _ends(one), str(one.origin))
                ),
            )
        out.print(rows)
        out.print()
    for title, levels in (
        (f"one step, {si(found.step_s, 's')}", found.parts),
        ("the run, beside training", found.events),
    ):
        rows = table(title, "lasts", "share of the time", "a chip", *map(str, found.mean_w), "")
        rows.columns[-1].justify = "left"
        for level in levels:
            rows.add_row(
                level.name,
                si(level.lasts_s, "s"),
                _share(level),
                si(level.chip_w, "W"),
                *(human(power) for power in level.power_w.values()),
                MEANING[level.name],
            )
        out.print(rows)
        out.print()
    rows = table("assumed", "value", "band", "source")
    rows.columns[-1].justify = "left"
    for name, quantity in assumed(found).items():
        rows.add_row(name, human(quantity), band(quantity), quantity.source)
    out.print(rows)
    for note in found.notes:
        out.print(f"note: {note}", markup=False)


def assumed(found: LoadProfile) -> dict[str, Quantity]:
    """What stands in for what nobody measured here, by name."""
    return {"edge_s": found.edge_s, **{name: found.failures.inputs[name] for name in FROM_FAILURES}}


def as_json(found: LoadProfile) -> dict[str, Any]:
    """The same with the names that scripts rely on."""
    return {
        "name": found.name,
        "chips": found.chips,
        "step_s": found.step_s,
        "boundaries": {
            str(at): {
                "mean_mw": _mega(mean),
                "peak_mw": _mega(found.peak_w(at)),
                "least_mw": _mega(found.least_w(at)),
                "mean_with_stops_mw": _mega(found.with_events_w[at]),
                "ramp_in_step_mw_per_s": _mega(found.ramp_w_per_s(at), "MW/s"),
                "ramp_into_stop_mw_per_s": _mega(found.ramp_w_per_s(at, events=True), "MW/s"),
            }
            for at, mean in found.mean_w.items()
        },
        "step": [_level(part) for part in found.parts],
        "run": [_level(event) for event in found.events],
        "assumed": assumed(found),
        "notes": list(found.notes),
    }


def _level(level: Level) -> dict[str, Any]:
    return {
        "name": level.name,
        "lasts_s": level.lasts_s,
        "every_s": level.every_s,
        "chip_w": level.chip_w,
        "power_mw": {str(at): _mega(power) for at, power in level.power_w.items()},
    }


def _mega(quantity: Quantity, unit: str = "MW") -> Quantity:
    return quantity.scaled(1e-6, unit)


def _watts(quantity: Quantity) -> str:
    return si(quantity.numbers()[0], quantity.unit)


def _ends(quantity: Quantity) -> str:
    return " to ".join(si(end, quantity.unit) for end in quantity.numbers()[1:])


def _share(level: Level) -> str:
    return f"{level.lasts_s / level.every_s:.2%}, every {duration(level.every_s)}"
