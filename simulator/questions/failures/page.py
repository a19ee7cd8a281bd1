"""The page of `simulator failures`: what failures cost, and the interval that costs least."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from energy.reports.terminal import table
from energy.units import S_PER_HOUR, duration
from simulator.physics.failures import PARTS
from simulator.questions.failures.answer import FailureCosts
from simulator.runs.failures import ENOUGH

MEANING = {
    "training": "goodput",
    "saving": "writing the checkpoints that succeeded",
    "rework": "training since the last checkpoint, done again",
    "restarting": "from a failure to the next step",
    "waiting": "for a repair, with no spare left",
}


def page(costs: FailureCosts, console: Console) -> None:
    """Print where time and energy go, the best interval, and what was assumed."""
    console.print(costs.headline, style="bold")
    console.print()
    console.print(_shares(costs))
    console.print()
    for method, interval_s in costs.intervals_s.items():
        console.print(f"best interval, {method}: {duration(interval_s)}", markup=False)
    choice = "the exact best" if costs.chosen else "set by the user"
    console.print(
        f"used here: {duration(costs.interval_s)} of training between checkpoints ({choice})"
    )
    console.print(_spares(costs))
    console.print()
    for label, quantity in (
        ("without failures", costs.job.training_s),
        ("elapsed", costs.elapsed_s),
        ("facility energy", costs.energy_j),
        ("  lost to failures", costs.lost_j),
    ):
        console.print(f"{label}: {quantity}", markup=False)
    console.print()
    console.print(_assumptions(costs))


def _shares(costs: FailureCosts) -> Table:
    """Parts of the elapsed time."""
    rows = table("part of the elapsed time", "share", "80 % band", "")
    rows.columns[-1].justify = "left"
    for name in PARTS:
        value, low, high = costs.shares[name].numbers()
        rows.add_row(name, f"{value:.2%}", f"{low:.2%} to {high:.2%}", MEANING[name])
    return rows


def _assumptions(costs: FailureCosts) -> Table:
    """What is assumed of failures, with its sources."""
    rows = table("assumed", "value", "band", "source")
    rows.columns[-1].justify = "left"
    for name, quantity in costs.inputs.items():
        rows.add_row(name, quantity.human(), quantity.band(), quantity.source)
    return rows


def _spares(costs: FailureCosts) -> str:
    """How many chips wait in reserve, and how many are broken on average, in a sentence."""
    middle = costs.middle
    size = f" of {middle.unit_chips} chips" if middle.unit_chips > 1 else ""
    return (
        f"spares: {middle.spares} unit{'' if middle.spares == 1 else 's'}{size}; "
        f"{_broken_units(costs):.3g} broken on average; enough means that in 9 of 10 draws the job "
        f"waits at most {ENOUGH:.1%} of the time"
    )


def as_json(costs: FailureCosts) -> dict[str, Any]:
    """The answer with the names that scripts rely on."""
    middle = costs.middle
    return {
        "name": costs.job.name,
        "chips": costs.job.chips,
        "spare_units": middle.spares,
        "spare_chips": middle.spares * middle.unit_chips,
        "units_out_of_order": _broken_units(costs),
        "mtbf_job_h": float(middle.mtbf_s) / S_PER_HOUR,
        "interval_s": costs.interval_s,
        "interval_chosen": "exact" if costs.chosen else "given",
        "best_intervals_s": dict(
            zip(("young", "daly", "exact"), costs.intervals_s.values(), strict=True)
        ),
        "goodput": costs.goodput,
        "shares": costs.shares,
        "training_s": costs.job.training_s,
        "elapsed_s": costs.elapsed_s,
        "energy_j": costs.energy_j,
        "lost_j": costs.lost_j,
        "inputs": costs.inputs,
    }


def _broken_units(costs: FailureCosts) -> float:
    """Units that are broken at a time, on average."""
    return float(costs.middle.repair_s) / float(costs.middle.mtbf_s)
