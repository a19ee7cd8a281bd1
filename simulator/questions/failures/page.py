"""The page of `simulator failures`: what failures cost, and the interval that costs least."""

from __future__ import annotations

from typing import Any

from energy.quantity import Quantity
from energy.reports.words import band, console, human, table
from energy.units import S_PER_HOUR, duration
from simulator.physics.failures import PARTS
from simulator.runs.failures import ENOUGH, Losses

MEANING = {
    "training": "goodput",
    "saving": "checkpoints that were kept",
    "rework": "work since the last checkpoint, thrown away",
    "restarting": "from a failure to the next step",
    "waiting": "no spare left, until a repair",
}


def page(found: Losses) -> None:
    """Print what was assumed, the best interval, and where time and joules go."""
    out = console()
    chips = found.job.chips
    every = duration(float(found.middle.mtbf_s))
    out.print(
        f"{found.job.name}: goodput {percent(found.goodput)}; a failure every {every} "
        f"on {chips:,} chips",
        style="bold",
    )
    out.print()
    rows = table("part of the elapsed time", "share", "80 % band", "")
    rows.columns[-1].justify = "left"
    for name in PARTS:
        _, low, high = found.shares[name].numbers()
        rows.add_row(
            name, f"{found.shares[name].value:.2%}", f"{low:.2%} to {high:.2%}", MEANING[name]
        )
    out.print(rows)
    out.print()
    for name, interval_s in found.intervals_s.items():
        out.print(f"best interval, {name}: {duration(interval_s)}", markup=False)
    how = "the exact one" if found.chosen else "as given"
    out.print(f"used here: {duration(found.interval_s)} of training between checkpoints ({how})")
    out.print(spares(found))
    out.print()
    for label, quantity in (
        ("without failures", found.job.training_s),
        ("elapsed", found.elapsed_s),
        ("facility energy", found.energy_j),
        ("  of it lost", found.lost_j),
    ):
        out.print(f"{label}: {quantity}", markup=False)
    out.print()
    rows = table("assumed", "value", "band", "source")
    rows.columns[-1].justify = "left"
    for name, quantity in found.inputs.items():
        rows.add_row(name, human(quantity), band(quantity), quantity.source)
    out.print(rows)


def spares(found: Losses) -> str:
    """How many chips wait in reserve, and how many are out of order on average, in a sentence."""
    middle = found.middle
    units = middle.spares
    load = float(middle.repair_s) / float(middle.mtbf_s)
    each = f" of {middle.unit_chips} chips" if middle.unit_chips > 1 else ""
    return (
        f"spares: {units} unit{'' if units == 1 else 's'}{each}; {load:.3g} out of order on "
        f"average; enough is {ENOUGH:.1%} of waiting in 9 of 10 draws"
    )


def as_json(found: Losses) -> dict[str, Any]:
    """The answer with the names that scripts rely on."""
    middle = found.middle
    return {
        "name": found.job.name,
        "chips": found.job.chips,
        "spare_units": middle.spares,
        "spare_chips": middle.spares * middle.unit_chips,
        "units_out_of_order": float(middle.repair_s) / float(middle.mtbf_s),
        "mtbf_job_h": float(middle.mtbf_s) / S_PER_HOUR,
        "interval_s": found.interval_s,
        "interval_chosen": "exact" if found.chosen else "given",
        "best_intervals_s": dict(
            zip(("young", "daly", "exact"), found.intervals_s.values(), strict=True)
        ),
        "goodput": found.goodput,
        "shares": found.shares,
        "training_s": found.job.training_s,
        "elapsed_s": found.elapsed_s,
        "energy_j": found.energy_j,
        "lost_j": found.lost_j,
        "inputs": found.inputs,
    }


def percent(quantity: Quantity) -> str:
    """A share and its band in percent."""
    value, low, high = quantity.numbers()
    return f"{value:.1%} ({low:.1%} to {high:.1%}, {quantity.origin})"
