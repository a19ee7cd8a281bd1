"""Values that stand in for what a scenario or a user leaves out.

The rows of `assumptions.toml` and `failures.toml` have a band and a source each.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from energy.quantity import Origin, Quantity
from simulator.facts.tables import table


@cache
def failure_assumptions() -> dict[str, Quantity]:
    """Assumptions on failures, from `failures.toml`, by name."""
    return {name: assumed(row) for name, row in table("failures.toml").items()}


def assumed(row: dict[str, Any]) -> Quantity:
    """A row of assumptions with value, low, high, unit, meaning and source."""
    return Quantity(
        value=row["value"],
        low=row["low"],
        high=row["high"],
        unit=row["unit"],
        origin=Origin.ASSUMED,
        source=f"{row['meaning']}: {row['source']}",
    )


@cache
def scenario_assumptions() -> dict[str, dict[str, Quantity]]:
    """Assumptions that replace missing values of a scenario, from `assumptions.toml`, by group."""
    return {
        group: {name: Quantity(**{"unit": "1"} | row) for name, row in rows.items()}
        for group, rows in table("assumptions.toml").items()
    }


def unbalanced_routing() -> Quantity:
    """Step time of a mixture whose routing nobody balances by force, over that of one that is."""
    return scenario_assumptions()["routing"]["step_time"]


def step_tokens() -> Quantity:
    """Tokens of an optimizer step where nobody names a batch."""
    return scenario_assumptions()["batch"]["tokens"]


def goodput(stated: Quantity | None, chips: int) -> Quantity:
    """Productive over elapsed time: as stated, or a band that is loudly assumed."""
    if stated is not None:
        return stated
    return scenario_assumptions()["goodput"]["one_machine" if chips == 1 else "cluster"]
