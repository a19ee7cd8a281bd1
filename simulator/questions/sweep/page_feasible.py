"""The page of `simulator feasible`: each limit with its slack, what keeps to all, or what would."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from energy.quantity import Quantity
from energy.reports.terminal import table
from energy.units import significant
from simulator.questions.sweep.cells import MEASURES, Configuration
from simulator.questions.sweep.feasible import MOST_ROWS, Feasible
from simulator.questions.sweep.keeping import Bound, Keeper, Relaxation
from simulator.questions.sweep.known import MEASURED, origins
from simulator.questions.sweep.limits import OPTIONS, WORDS, raised_by
from simulator.runs.spend import UNITS


def page(answer: Feasible, console: Console) -> None:
    """Print the limits, then the configurations that keep to them or that nearly do."""
    console.print(answer.headline, style="bold")
    console.print()
    console.print(_bounds(answer))
    console.print()
    console.print(_keepers(answer) if answer.keepers else _relaxations(answer))
    console.print()
    console.print(_bands(answer))
    console.print(f"all of it: {origins(answer.configurations[:MOST_ROWS])}")
    console.print()
    if len(answer.keepers) > MOST_ROWS:
        console.print(
            f"{len(answer.keepers) - MOST_ROWS:,} slower ones of other cells are in --json"
        )
    console.print(
        f"{answer.considered:,} configurations predicted (each plan at each place), "
        f"{answer.fit:,} fit in memory, {answer.keeping:,} of them keep to every limit at the "
        "middle of their bands"
    )
    for where, reason in answer.left_out.items():
        console.print(f"left out: {where}: {reason}", markup=False)
    for note in answer.notes:
        console.print(f"note: {note}", markup=False)


def headline(answer: Feasible) -> str:
    """The answer in a line."""
    limits = answer.limits
    wanted = ", ".join(_limit(answer, name) for name in limits.most)
    of = f"of {answer.fit:,} configurations that fit in memory"
    if answer.keepers:
        first = next(bound for bound in answer.bounds if bound.name in answer.binding)
        binds = "binds" if first.breaking else "is nearest, and breaks none"
        name = WORDS[first.name]
        return f"{answer.name}: {answer.keeping:,} {of} keep to {wanted}; {name} {binds}"
    return f"{answer.name}: none {of} keeps to {wanted}; {answer.relaxed} would be enough"


SHARES = {"used": "share_used_of", "used_at_high_ends": "share_used_at_high_ends_of"}
"""Keys with shares of limits, and their beginning of a column, which ends in the limit's name."""


def frame_rows(answer: Feasible) -> list[dict[str, Any]]:
    """A row for each configuration of the page; what is used of a limit is a share."""
    data = as_json(answer)
    configurations = data["configurations"] or data["relaxations"]
    return [{SHARES.get(key, key): value for key, value in row.items()} for row in configurations]


def as_json(answer: Feasible) -> dict[str, Any]:
    """The answer with the names that scripts rely on."""
    limits = answer.limits
    return {
        "name": answer.name,
        "feasible": bool(answer.keepers),
        "start": limits.start.isoformat(),
        "considered": answer.considered,
        "fit": answer.fit,
        "keeping": answer.keeping,
        "binding": answer.binding,
        "limits": {bound.name: _bound_json(answer, bound) for bound in answer.bounds},
        "configurations": [
            _configuration_json(answer, keeper) | _keeper_json(keeper) for keeper in answer.keepers
        ],
        "relaxations": [
            _configuration_json(answer, relaxation) | _relaxation_json(answer, relaxation)
            for relaxation in answer.relaxations
        ],
        "left_out": answer.left_out,
        "notes": list(answer.notes),
    }


def _bound_json(answer: Feasible, bound: Bound) -> dict[str, Any]:
    return {
        "limit": bound.limit,
        "unit": answer.limits.unit(bound.name),
        "option": OPTIONS[bound.name],
        "least": bound.least,
        "slack": bound.slack,
        "alone": bound.alone,
        "breaking": bound.breaking,
        "breaking_nothing_else": bound.only,
    }


def _keeper_json(keeper: Keeper) -> dict[str, Any]:
    most = keeper.limits.most
    return {
        "plans": keeper.keeping,
        "used": keeper.used,
        "used_at_high_ends": keeper.high,
        "binding": keeper.binding,
        "breaks_at_high_ends": keeper.breaks_at_high,
        "slack": {name: most[name] * (1 - part) for name, part in keeper.used.items()},
    }


def _relaxation_json(answer: Feasible, relaxation: Relaxation) -> dict[str, Any]:
    needed = relaxation.needed
    return {
        "needed": needed,
        "factor": relaxation.factor,
        "options": [answer.limits.option(name, amount) for name, amount in needed.items()],
    }


def _bounds(answer: Feasible) -> Table:
    """A row a limit: what it is, what it could be, what breaks it."""
    lowered = "could be lowered to" if answer.keepers else "would do alone at"
    slack = ["slack"] if answer.keepers else []
    rows = table("limit", "at most", lowered, *slack, "broken by", "by nothing else", "")
    rows.columns[-1].justify = "left"
    for bound in answer.bounds:
        end = bound.least if answer.keepers else bound.alone
        binds = "binds" if bound.breaking else "nearest"
        binds = binds if answer.keepers else "in the way"
        rows.add_row(
            WORDS[bound.name],
            _limit(answer, bound.name),
            "no" if end is None else answer.limits.words(bound.name, end),
            *([_slack(answer, bound)] if answer.keepers else []),
            f"{bound.breaking:,}",
            f"{bound.only:,}",
            binds if bound.name in answer.binding else "",
        )
    return rows


def _keepers(answer: Feasible) -> Table:
    rows = _configurations("tightest limit", "at the high ends")
    for number, keeper in enumerate(answer.keepers[:MOST_ROWS], 1):
        breaks = ", ".join(WORDS[name] for name in keeper.breaks_at_high)
        rows.add_row(
            *_cells(answer, number, keeper),
            f"{WORDS[keeper.binding]} {keeper.used[keeper.binding]:.0%}",
            f"breaks {breaks}" if breaks else "keeps to all",
        )
    return rows


def _relaxations(answer: Feasible) -> Table:
    rows = _configurations("keeps to all with", "raised by")
    most = answer.limits.most
    for number, relaxation in enumerate(answer.relaxations, 1):
        needed = relaxation.needed
        options = [answer.limits.option(name, amount) for name, amount in needed.items()]
        raises = [raised_by(amount / most[name]) for name, amount in needed.items()]
        rows.add_row(*_cells(answer, number, relaxation), " ".join(options), ", ".join(raises))
    return rows


def _configurations(*further: str) -> Table:
    rows = table(
        "",
        "model",
        "chips",
        MEASURED,
        "place",
        "time",
        "over on",
        "power",
        "energy",
        "CO2e",
        "dollars",
        *further,
    )
    for column in (1, 4, 11, 12):
        rows.columns[column].justify = "left"
    return rows


def _cells(answer: Feasible, number: int, configuration: Configuration) -> list[str]:
    cell, known = configuration.cell, configuration.spend.by_budget()
    hardware = cell.scenario.hardware
    return [
        str(number),
        cell.model,
        f"{hardware.count:,} {hardware.chip}",
        cell.measured,
        cell.place,
        _cell(known["days"]),
        answer.limits.day(known["days"].numbers()[0]).isoformat(),
        *(_cell(known[name]) for name in ("mw", "mwh", "co2", "usd")),
    ]


def _bands(answer: Feasible) -> Table:
    """Plans and bands of time, energy and what has a limit."""
    names = [name for name in UNITS if name in (*answer.limits.most, "days", "mwh")]
    rows = table("", "plan", *(f"{WORDS[name]}, 80 % band" for name in names))
    rows.columns[1].justify = "left"
    for number, configuration in enumerate(answer.configurations[:MOST_ROWS], 1):
        known = configuration.spend.by_budget()
        bands = (known[name].ends() for name in names)
        rows.add_row(str(number), configuration.plan_words, *bands)
    return rows


def _configuration_json(answer: Feasible, configuration: Configuration) -> dict[str, Any]:
    days = configuration.spend.by_budget()["days"]
    quantities = configuration.quantities
    return {
        **configuration.where(),
        "days": days,
        "over_on": answer.limits.day(days.numbers()[0]).isoformat(),
        **{name: quantities[name] for name in MEASURES if name != "weeks"},
        "plan": configuration.degrees(),
    }


def _limit(answer: Feasible, name: str) -> str:
    """A limit as the user set it, and the days that a date leaves."""
    limit = answer.limits.most[name]
    if name == "days":
        return f"{answer.limits.day(limit).isoformat()} ({limit:,.0f} d)"
    return f"{limit:,.7g} {UNITS.get(name, 'chips')}"


def _slack(answer: Feasible, bound: Bound) -> str:
    if not bound.slack:
        return "none"
    digits = f"{bound.slack:,.0f}" if bound.name == "chips" else significant(bound.slack)
    return f"{digits} {answer.limits.unit(bound.name)}, {bound.slack / bound.limit:.0%}"


def _cell(quantity: Quantity) -> str:
    if quantity.value is None:
        return "missing"
    return f"{significant(quantity.value)} {quantity.unit}"
