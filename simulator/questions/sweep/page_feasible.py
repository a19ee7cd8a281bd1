"""The page of `simulator feasible`: each limit with its slack, what keeps to all, or what would."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from energy.quantity import Quantity
from energy.reports.words import band, console, table
from energy.units import significant
from simulator.physics.plan import AXES
from simulator.questions.sweep.cells import MEASURES, Chosen
from simulator.questions.sweep.feasible import Bound, Feasible, Keeper
from simulator.questions.sweep.limits import OPTIONS, WORDS
from simulator.runs.spend import UNITS

MOST_ROWS = 20
"""Cells that the page tells; --json has all."""


def page(found: Feasible) -> None:
    """Print the limits, then the configurations that keep to them or that nearly do."""
    out = console()
    out.print(headline(found), style="bold")
    out.print()
    out.print(_bounds(found))
    out.print()
    out.print(_keepers(found) if found.keepers else _relaxations(found))
    out.print()
    out.print(_bands(found))
    out.print()
    if len(found.keepers) > MOST_ROWS:
        out.print(f"{len(found.keepers) - MOST_ROWS:,} slower ones of other cells are in --json")
    out.print(
        f"{found.considered:,} configurations predicted (each plan at each place), "
        f"{found.fit:,} fit in memory, {found.keeping:,} of them keep to every limit at the "
        "middle of their bands"
    )
    for where, reason in found.left_out.items():
        out.print(f"left out: {where}: {reason}", markup=False)
    for note in found.notes:
        out.print(f"note: {note}", markup=False)


def headline(found: Feasible) -> str:
    """The answer in a line."""
    limits = found.limits
    asked = ", ".join(_given(found, name) for name in limits.most)
    of = f"of {found.fit:,} configurations that fit in memory"
    if found.keepers:
        return (
            f"{found.name}: {found.keeping:,} {of} keep to {asked}; {WORDS[found.binding[0]]} binds"
        )
    return f"{found.name}: none {of} keeps to {asked}; {relaxed(found)} would be enough"


def relaxed(found: Feasible) -> str:
    """The least relaxation, as options: '--by 2027-01-15 and --budget 31000 (+12% at most)'."""
    least = found.relaxations[0]
    words = " and ".join(found.limits.option(name, amount) for name, amount in least.needed.items())
    most = " at most" if len(least.needed) > 1 else ""
    return f"{words} ({_more(least.factor)}{most})"


def as_json(found: Feasible) -> dict[str, Any]:
    """The same with the names that scripts rely on."""
    limits = found.limits
    return {
        "name": found.name,
        "feasible": bool(found.keepers),
        "start": limits.start.isoformat(),
        "considered": found.considered,
        "fit": found.fit,
        "keeping": found.keeping,
        "binding": found.binding,
        "limits": {
            one.name: {
                "limit": one.limit,
                "unit": limits.unit(one.name),
                "option": OPTIONS[one.name],
                "least": one.least,
                "slack": one.slack,
                "alone": one.alone,
                "breaking": one.breaking,
                "breaking_nothing_else": one.only,
            }
            for one in found.bounds
        },
        "configurations": [
            _configuration(found, one)
            | {
                "plans": one.keeping,
                "used": one.used,
                "used_at_high_ends": one.high,
                "binding": one.binding,
                "breaks_at_high_ends": one.breaks_at_high,
                "slack": {name: limits.most[name] * (1 - part) for name, part in one.used.items()},
            }
            for one in found.keepers
        ],
        "relaxations": [
            _configuration(found, one)
            | {
                "needed": one.needed,
                "factor": one.factor,
                "options": [limits.option(name, amount) for name, amount in one.needed.items()],
            }
            for one in found.relaxations
        ],
        "left_out": found.left_out,
        "notes": list(found.notes),
    }


def _bounds(found: Feasible) -> Table:
    lowered = "could be lowered to" if found.keepers else "would do alone at"
    rows = table(
        "limit",
        "at most",
        lowered,
        *(["slack"] if found.keepers else []),
        "broken by",
        "by nothing else",
        "",
    )
    rows.columns[-1].justify = "left"
    for one in found.bounds:
        end = one.least if found.keepers else one.alone
        told = "no" if end is None else found.limits.told(one.name, end)
        slack = [_slack(found, one)] if found.keepers else []
        binds = "binds" if found.keepers else "in the way"
        rows.add_row(
            WORDS[one.name],
            _given(found, one.name),
            told,
            *slack,
            f"{one.breaking:,}",
            f"{one.only:,}",
            binds if one.name in found.binding else "",
        )
    return rows


def _keepers(found: Feasible) -> Table:
    rows = _configurations("tightest limit", "at the high ends")
    for number, one in enumerate(found.keepers[:MOST_ROWS], 1):
        breaks = ", ".join(WORDS[name] for name in one.breaks_at_high)
        rows.add_row(
            *_cells(found, number, one),
            f"{WORDS[one.binding]} {_used(one)}",
            f"breaks {breaks}" if breaks else "keeps to all",
        )
    return rows


def _relaxations(found: Feasible) -> Table:
    rows = _configurations("keeps to all with", "raised by")
    for number, one in enumerate(found.relaxations, 1):
        options = [found.limits.option(name, amount) for name, amount in one.needed.items()]
        raises = [_more(amount / found.limits.most[name]) for name, amount in one.needed.items()]
        rows.add_row(*_cells(found, number, one), " ".join(options), ", ".join(raises))
    return rows


def _configurations(*more: str) -> Table:
    rows = table(
        "",
        "model",
        "chips",
        "place",
        "time",
        "over on",
        "power",
        "energy",
        "CO2e",
        "dollars",
        *more,
    )
    for column in (1, 3, 10, 11):
        rows.columns[column].justify = "left"
    return rows


def _cells(found: Feasible, number: int, one: Chosen) -> list[str]:
    hardware, known = one.cell.scenario.hardware, one.spend.by_budget()
    return [
        str(number),
        one.cell.model,
        f"{hardware.count:,} {hardware.chip}",
        one.cell.place,
        _cell(known["days"]),
        found.limits.day(known["days"].numbers()[0]).isoformat(),
        *(_cell(known[name]) for name in ("mw", "mwh", "co2", "usd")),
    ]


def _bands(found: Feasible) -> Table:
    """Plans and bands of time, energy and what has a limit."""
    names = [name for name in UNITS if name in (*found.limits.most, "days", "mwh")]
    rows = table("", "plan", *(f"{WORDS[name]}, band" for name in names), "origin")
    rows.columns[1].justify = "left"
    for number, one in enumerate(found.told[:MOST_ROWS], 1):
        known = one.spend.by_budget()
        rows.add_row(
            str(number), one.plan_words, *(band(known[name]) for name in names), known["mwh"].origin
        )
    return rows


def _configuration(found: Feasible, one: Chosen) -> dict[str, Any]:
    hardware = one.cell.scenario.hardware
    days = one.spend.by_budget()["days"]
    return {
        "model": one.cell.model,
        "kind": "moe" if one.cell.sparse else "dense",
        "chip": hardware.chip,
        "chips": hardware.count,
        "place": one.cell.place,
        "days": days,
        "over_on": found.limits.day(days.numbers()[0]).isoformat(),
        **{name: one.quantities[name] for name in MEASURES if name != "weeks"},
        "plan": {name: getattr(one.plan, name) for name in AXES},
    }


def _given(found: Feasible, name: str) -> str:
    """A limit as it was given, and the days that a date leaves."""
    limit = found.limits.most[name]
    if name == "days":
        return f"{found.limits.day(limit).isoformat()} ({limit:,.0f} d)"
    return f"{limit:,.7g} {UNITS.get(name, 'chips')}"


def _slack(found: Feasible, one: Bound) -> str:
    if not one.slack:
        return "none"
    digits = f"{one.slack:,.0f}" if one.name == "chips" else significant(one.slack)
    return f"{digits} {found.limits.unit(one.name)}, {one.slack / one.limit:.0%}"


def _more(factor: float) -> str:
    return f"+{significant(100 * (factor - 1), 2)}%"


def _used(one: Keeper) -> str:
    return f"{one.used[one.binding]:.0%}"


def _cell(quantity: Quantity) -> str:
    if quantity.value is None:
        return "missing"
    return f"{significant(quantity.value)} {quantity.unit}"
