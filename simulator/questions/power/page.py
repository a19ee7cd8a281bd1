"""The page of `simulator power`: what a site sees of a run, by boundary, part and event."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from energy.quantity import Boundary, Quantity
from energy.reports.terminal import table
from energy.units import duration, si
from simulator.questions.power.answer import Level, LoadProfile

MEANING = {
    "compute": "forward and backward, with the messages that hide behind them",
    "communication": "exposed communication",
    "bubble": "waiting for other stages of the pipeline",
    "optimizer": "update of the weights",
    "host": "launches, and the time between steps",
    "checkpoint": "all chips stop to save",
    "restart": "from a failure to the next step",
}


FROM_FAILURES = ("mtbf_chip_h", "save_s", "restart_s", "stalled_share")


def page(profile: LoadProfile, console: Console) -> None:
    """Print the load by boundary, over a step and over the run, and what was assumed."""
    console.print(profile.headline, style="bold")
    console.print()
    for rows in (*_boundaries(profile), *_levels(profile)):
        console.print(rows)
        console.print()
    rows = table("assumed", "value", "band", "source")
    rows.columns[-1].justify = "left"
    for name, quantity in assumed(profile).items():
        rows.add_row(name, quantity.human(), quantity.band(), quantity.source)
    console.print(rows)
    for note in profile.notes:
        console.print(f"note: {note}", markup=False)


def _boundaries(profile: LoadProfile) -> Iterator[Table]:
    """Power by boundary, then how fast it changes."""
    power = [
        (at, mean, profile.peak_w(at), profile.least_w(at)) for at, mean in profile.mean_w.items()
    ]
    ramps = [
        (at, profile.ramp_w_per_s(at), profile.ramp_w_per_s(at, events=True))
        for at in profile.mean_w
    ]
    yield _banded(("mean", "peak of a step", "least"), power)
    yield _banded(("ramp in a step", "ramp into a stop"), ramps)


def _banded(
    heads: tuple[str, ...], rows: Sequence[tuple[Boundary, *tuple[Quantity, ...]]]
) -> Table:
    """A row a boundary: each quantity with its band and origin."""
    result = table("boundary", *(cell for head in heads for cell in (head, "80 % band", "origin")))
    for at, *quantities in rows:
        cells = [(_watts(each), _ends(each), str(each.origin)) for each in quantities]
        result.add_row(str(at), *(cell for row in cells for cell in row))
    return result


def _levels(profile: LoadProfile) -> Iterator[Table]:
    """The phases of a step, then the events of the run."""
    for title, levels in (
        (f"one step, {si(profile.step_s, 's')}", profile.parts),
        ("the run, beside training", profile.events),
    ):
        rows = table(title, "lasts", "share of the time", "a chip", *map(str, profile.mean_w), "")
        rows.columns[-1].justify = "left"
        for level in levels:
            rows.add_row(
                level.name,
                si(level.lasts_s, "s"),
                _share(level),
                si(level.chip_w, "W"),
                *(power.human() for power in level.power_w.values()),
                MEANING[level.name],
            )
        yield rows


def assumed(profile: LoadProfile) -> dict[str, Quantity]:
    """What is assumed where nothing was measured, by name."""
    return {
        "edge_s": profile.edge_s,
        **{name: profile.failures.inputs[name] for name in FROM_FAILURES},
    }


def as_json(profile: LoadProfile) -> dict[str, Any]:
    """The load with the names that scripts rely on."""
    return {
        "name": profile.name,
        "chips": profile.chips,
        "step_s": profile.step_s,
        "boundaries": {
            str(at): {
                "mean_mw": _mega(mean),
                "peak_mw": _mega(profile.peak_w(at)),
                "least_mw": _mega(profile.least_w(at)),
                "mean_with_stops_mw": _mega(profile.with_events_w[at]),
                "ramp_in_step_mw_per_s": _mega(profile.ramp_w_per_s(at), "MW/s"),
                "ramp_into_stop_mw_per_s": _mega(profile.ramp_w_per_s(at, events=True), "MW/s"),
            }
            for at, mean in profile.mean_w.items()
        },
        "step": [_level(part) for part in profile.parts],
        "run": [_level(event) for event in profile.events],
        "assumed": assumed(profile),
        "notes": list(profile.notes),
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
