"""Values that stand in for what a scenario leaves out.

The rows stand in `assumptions.toml` and `failures.toml`, each with its band and source.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from energy.quantity import Origin, Quantity


@cache
def defaults() -> dict[str, Quantity]:
    """What is assumed of failures where a user does not say otherwise, from `failures.toml`."""
    table = tomllib.loads((files("simulator.facts") / "failures.toml").read_text())
    return {
        name: Quantity(
            value=row["value"],
            low=row["low"],
            high=row["high"],
            unit=row["unit"],
            origin=Origin.ASSUMED,
            source=f"{row['meaning']}: {row['source']}",
        )
        for name, row in table.items()
    }


@cache
def assumptions() -> dict[str, dict[str, Quantity]]:
    """What stands in for values that a scenario leaves out, from `assumptions.toml`."""
    table = tomllib.loads((files("simulator.facts") / "assumptions.toml").read_text())
    return {
        group: {name: Quantity(**{"unit": "1"} | row) for name, row in rows.items()}
        for group, rows in table.items()
    }
