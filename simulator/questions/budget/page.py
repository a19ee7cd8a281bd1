"""The pages of `simulator inverse` and `simulator crossover`."""

from __future__ import annotations

from typing import Any

from energy.quantity import Quantity
from energy.reports.words import band, console, human, table
from energy.units import count, significant
from simulator.questions.budget.crossover import Crossover
from simulator.questions.budget.inverse import Most
from simulator.runs.spend import NAMES


def page(found: Most, how: str, *, explain: bool = False) -> None:
    """Print the most that fits, what it leaves of each budget, and how that came about."""
    out = console()
    out.print(
        f"{found.scenario.name}: at most {human(found.answer)} {found.what} ({band(found.answer)})",
        style="bold",
    )
    out.print()
    rows = table("", "budget", "used", "band", "of the budget", "slack", "")
    rows.columns[-1].justify = "left"
    known = found.spend.by_budget()
    for name, quantity in known.items():
        limit = found.budgets.get(name)
        part = found.used.get(name)
        rows.add_row(
            NAMES[name],
            "" if limit is None else f"{significant(limit)} {quantity.unit}",
            _plain(quantity),
            _ends(quantity),
            "" if part is None else f"{part:.1%}",
            "" if limit is None or part is None else _slack(limit * (1 - part), quantity.unit),
            "binds" if name == found.binding else "",
        )
    out.print(rows)
    out.print(f"spending by {how}", markup=False)
    shape = found.scenario.model.resolve()
    if found.what == "parameters":
        sparse = f", {shape.n_experts:g} experts" if float(shape.n_moe_layers) else ""
        out.print(
            f"{shape.n_layers:g} layers of width {shape.d_model:g}{sparse}; "
            f"{count(_tokens(found))} tokens"
        )
    if explain:
        out.print()
        for name, quantity in known.items():
            how_so = "" if quantity.value is None else f" = {quantity.source}"
            out.print(f"{NAMES[name]} {quantity}{how_so}", markup=False)


def as_json(found: Most, how: str) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "name": found.scenario.name,
        "by": how,
        "most": found.what,
        "answer": found.answer,
        "binding": found.binding,
        "budgets": {
            name: {
                "limit": limit,
                "used": found.used[name],
                "slack": limit * (1 - found.used[name]),
            }
            for name, limit in found.budgets.items()
        },
        "spend": found.spend.by_budget(),
        "tokens": _tokens(found),
        "shape": found.scenario.model.resolve().as_dict(),
    }


def crossover_page(found: Crossover) -> None:
    """Print the quotient over the range, and where it passes 1."""
    out = console()
    out.print(found.verdict(), style="bold")
    out.print()
    rows = table(found.key, f"{NAMES[found.of]}, sparse / dense", "spread of the laws", "")
    rows.columns[-1].justify = "left"
    for point in found.points:
        if point.ratio is None:
            rows.add_row(f"{point.value:.4g}", "cannot run", "", point.why)
            continue
        ends = "" if point.low == point.high else f"{point.low:.3g} to {point.high:.3g}"
        rows.add_row(
            f"{point.value:.4g}",
            f"{point.ratio:.3f}",
            ends,
            "sparse pays" if point.ratio < 1 else "",
        )
    out.print(rows)
    out.print(f"{found.sparse} against {found.dense} at equal {found.equal}")


def crossover_json(found: Crossover) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "sparse": found.sparse,
        "dense": found.dense,
        "key": found.key,
        "of": found.of,
        "equal": found.equal,
        "verdict": found.verdict(),
        "crossings": found.crossings,
        "points": [
            {
                "value": point.value,
                "ratio": point.ratio,
                "low": point.low,
                "high": point.high,
                "why": point.why,
            }
            for point in found.points
        ],
    }


def _tokens(found: Most) -> float:
    scenario = found.scenario
    return scenario.run.total_tokens(float(scenario.model.resolve().seq_len))


def _slack(left: float, unit: str) -> str:
    """What is left; the last millionth is the end of a bisection, not a slack."""
    return "none" if abs(left) < 1e-6 else f"{significant(left)} {unit}"


def _plain(quantity: Quantity) -> str:
    if quantity.value is None:
        return "missing"
    return f"{significant(quantity.value)} {quantity.unit}"


def _ends(quantity: Quantity) -> str:
    if quantity.value is None:
        return quantity.source
    _, low, high = quantity.numbers()
    return f"{significant(low)} to {significant(high)} {quantity.unit}"
