"""The tables of `energy list`, `compare` and `hourly` for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table

from energy import units
from energy.quantity import Quantity
from energy.reports.comparing import COMPARED, Compared
from energy.reports.listing import Group, Listed
from energy.reports.terminal import table

TITLES = {
    "elapsed_s": "time",
    "energy_j": "energy",
    "energy_j_per_token": "J/token",
    "co2_g": "CO2e",
    "cost_usd": "dollars",
    "tokens": "tokens",
}
"""How a column of a quantity is called."""


SPENT = ("energy", "band", "origin")
"""Columns of joules (`_spent`)."""


def of_runs(runs: Sequence[Listed]) -> Table:
    """A line for each run."""
    titles = ("run", *SPENT, "at", "time", "CO2e", "written", "status")
    left = ("origin", "at", "written", "status", "user", "project")
    lines = table(*titles, "user", "project", "dollars", left=left)
    for run in runs:
        lines.add_row(
            str(run.folder),
            *_spent(run.energy_j),
            run.boundary,
            run.elapsed_s.human(),
            run.co2_g.human(),
            f"{run.written:%Y-%m-%d %H:%M}" if run.written else "",
            run.status,
            run.user,
            run.project,
            run.cost_usd.human(),
        )
    return lines


def of_groups(groups: Sequence[Group], by: str) -> Table:
    """A line for each group and boundary: sums with bands."""
    titles = (by, *SPENT, "at", "runs", "time", "CO2e", "CO2e band", "dollars")
    lines = table(*titles, left=("origin", "at"))
    for group in groups:
        joules, co2 = group.total("energy_j"), group.total("co2_g")
        lines.add_row(
            group.key,
            *_spent(joules),
            group.boundary,
            str(len(group.runs)),
            group.total("elapsed_s").human(),
            co2.human(),
            co2.band(),
            group.total("cost_usd").human(),
        )
    return lines


def of_sides(answer: Compared) -> Table:
    """What each run spent."""
    title = f"joules at the {answer.boundary} boundary"
    titles = ("run", *SPENT, *(TITLES[name] for name in REST))
    lines = table(*titles, left=("origin",), title=title)
    for side in answer.sides:
        spent = side.quantities()
        joules = spent["energy_j"]
        lines.add_row(side.name, *_spent(joules), *(_cell(name, spent[name]) for name in REST))
    return lines


REST = tuple(name for name in COMPARED if name != "energy_j")
"""Columns after the joules."""


def of_ratios(answer: Compared) -> Table:
    """What each later run spent over what the first did, with bands."""
    first = answer.sides[0]
    names = ("energy_j", *REST)
    titles = [word for name in names for word in (TITLES[name], "band")]
    lines = table("run", *titles, title=f"over {first.name}")
    for side in answer.sides[1:]:
        ratios = side.over(first)
        cells = [word for name in names for word in (_ratio(ratios[name]), ratios[name].band())]
        lines.add_row(side.name, *cells)
    return lines


def _ratio(ratio: Quantity) -> str:
    return "" if ratio.value is None else units.significant(ratio.value)


def _cell(name: str, quantity: Quantity) -> str:
    """A quantity; J/token as a plain number, as its title has the unit."""
    if name == "energy_j_per_token" and quantity.value is not None:
        return units.significant(quantity.value)
    return "" if quantity.value is None else quantity.human()


def _spent(joules: Quantity) -> tuple[str, str, str]:
    """Kilowatt-hours, in which bills are, their band and origins."""
    energy = joules.scaled(1 / units.J_PER_KWH, "kWh")
    return energy.human(), energy.band(), energy.origins


def of_hours(figures: Iterable[tuple[str, Quantity, Quantity]]) -> Table:
    """A line for each figure of CO2e: title, factor of the grid, grams."""
    lines = table(
        "CO2e by", "factor", "CO2e", "band", "origin", "source", left=("origin", "source")
    )
    for title, factor, grams in figures:
        lines.add_row(
            title,
            factor.human(),
            grams.human(),
            grams.band(),
            grams.origins,
            factor.source if grams.value is not None else grams.source,
        )
    return lines
