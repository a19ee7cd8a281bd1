"""Limits that a site sets: megawatts, chips, a date, dollars, tonnes, megawatt-hours.

A configuration keeps to a limit when the middle of what it takes is at most the limit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from energy.errors import InputError, MissingDataError
from energy.units import significant
from simulator.questions.sweep.cells import MEASURES, Array, Cell, Configuration
from simulator.runs.spend import NAMES, UNITS

OPTIONS = {
    "mw": "--max-mw",
    "chips": "--max-chips",
    "days": "--by",
    "usd": "--budget",
    "mwh": "--max-mwh",
    "co2": "--max-co2",
}


WORDS = NAMES | {"chips": "chips"}


DAYS_A_WEEK = 7


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a run must keep to.

    Attributes:
        most: limits by the names of `OPTIONS`, in their units; days are those from the start.
        start: first day of the run.
        today: that day was not named.
    """

    most: dict[str, float]
    start: date
    today: bool = False

    def __post_init__(self) -> None:
        if not self.most:
            raise InputError("expected a limit", "none", f"name one: {', '.join(OPTIONS.values())}")
        for name, limit in self.most.items():
            if not 0 < limit < float("inf"):
                raise InputError(f"expected {OPTIONS[name]} above 0", f"{limit:g}")

    def parts(self, cell: Cell) -> Array:
        """(plans, limits): what each plan of a cell takes over each limit; above 1 breaks it.

        Raises:
            MissingDataError: there is a limit of dollars and nothing has a price, or one of watts,
                joules or CO2e and the watts of the chip are not known.
        """
        columns = dict(zip(MEASURES, cell.costs.T, strict=True))
        amounts = columns | {
            "days": DAYS_A_WEEK * columns["weeks"],
            "chips": np.full(len(cell.costs), float(cell.scenario.hardware.count)),
        }
        if "usd" in self.most and np.any(np.isnan(amounts["usd"])):
            raise MissingDataError(
                f"expected a price of {cell.scenario.hardware.chip}",
                "none",
                "name a row of simulator prices with --price, or dollars an hour with --chip-price",
            )
        if any(np.any(np.isnan(amounts[name])) for name in self.most):
            cell.setup.hardware.require_watts()
        return np.column_stack([amounts[name] / limit for name, limit in self.most.items()])

    def used(self, configuration: Configuration, end: int) -> dict[str, float]:
        """Part of each limit that a configuration uses.

        Args:
            configuration: with its bands.
            end: 0 for their middle, 1 for their low ends, 2 for their high ends.
        """
        known = configuration.spend.by_budget()
        chips = float(configuration.cell.scenario.hardware.count)
        return {
            name: (chips if name == "chips" else known[name].numbers()[end]) / limit
            for name, limit in self.most.items()
        }

    def day(self, days: float) -> date:
        """The day on which something that lasts so long is over."""
        return self.start + timedelta(days=math.ceil(days))

    def unit(self, name: str) -> str:
        """The unit of a limit."""
        return UNITS.get(name, "chips")

    def words(self, name: str, amount: float) -> str:
        """An amount that keeps to a limit, as a person reads it and never less than it is."""
        if name == "days":
            return f"{self.day(amount).isoformat()} ({significant(rounded_up(amount))} d)"
        digits = f"{amount:,.0f}" if name == "chips" else significant(rounded_up(amount))
        return f"{digits} {self.unit(name)}"

    def option(self, name: str, amount: float) -> str:
        """The option that sets a limit to an amount, or a little above it: '--max-mw 2.32'."""
        if name == "days":
            return f"{OPTIONS[name]} {self.day(amount).isoformat()}"
        return f"{OPTIONS[name]} {amount if name == 'chips' else rounded_up(amount):.10g}"


def limits_of(
    amounts: Mapping[str, float | None], by: str | date | None, start: str | date | None
) -> Limits:
    """The limits of a command line.

    Args:
        amounts: those with a unit, by the names of `OPTIONS`.
        by: the day on which the run is over, as 2027-03-31.
        start: the day on which it begins; today, in UTC, without it.

    Raises:
        InputError: there is none, one is not above 0, or a day is none or before the start.
    """
    first = datetime.now(UTC).date() if start is None else _day(start, "--start")
    most = {name: float(limit) for name, limit in amounts.items() if limit is not None}
    if by is not None:
        most["days"] = (_day(by, "--by") - first).days
        if most["days"] < 1:
            raise InputError(
                f"expected --by after the start, {first}", str(by), "name the start: --start"
            )
    ordered = {name: most[name] for name in OPTIONS if name in most}
    return Limits(most=ordered, start=first, today=start is None)


def raised_by(factor: float) -> str:
    """How much a limit is raised by a factor above 1: '+12%'."""
    return f"+{significant(100 * (factor - 1), 2)}%"


def rounded_up(value: float) -> float:
    """To three digits and not below the value: a limit set to it is kept.

    2.3121 -> 2.32; 2.31 -> 2.31.
    """
    scale = 10.0 ** (math.floor(math.log10(value)) - 2)
    up = math.ceil(value / scale - 1e-9) * scale
    return up if up >= value else up + scale


def _day(day: str | date, option: str) -> date:
    try:
        return date.fromisoformat(str(day))
    except ValueError as error:
        raise InputError(f"expected {option} as a day, for example 2027-03-31", str(day)) from error
