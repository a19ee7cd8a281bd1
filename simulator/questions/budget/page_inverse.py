"""The page of `simulator inverse`: the most that fits, and what it leaves of each budget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from energy.quantity import Quantity
from energy.reports.terminal import table
from energy.units import count, significant
from simulator.questions.budget.inverse import MIDDLE, WithinBudget
from simulator.questions.budget.spending import Spent
from simulator.runs.spend import NAMES, used


def page(answer: WithinBudget, console: Console) -> None:
    """Print the most that fits, what it uses of each budget, and its size."""
    console.print(answer.headline, style="bold")
    console.print()
    console.print(_budgets(answer))
    console.print(f"spending by {answer.by}", markup=False)
    for line in _beyond(answer):
        console.print(line, markup=False)
    shape = answer.run.scenario.model.resolve()
    if answer.what == "parameters":
        sparse = f", {shape.n_experts:g} experts" if float(shape.n_moe_layers) else ""
        console.print(
            f"{shape.n_layers:g} layers of width {shape.d_model:g}{sparse}; "
            f"{count(answer.run.tokens)} tokens"
        )


def frame_rows(answer: WithinBudget) -> list[dict[str, Any]]:
    """One row: what is used of a budget is a share, unlike the limit."""
    data = as_json(answer)
    data[f"most_{data.pop('most')}"] = data.pop("answer")
    shares = {f"share_used_of_{name}": share for name, share in answer.used.items()}
    for budget in data["budgets"].values():
        del budget["used"]
    return [data | shares]


def as_json(answer: WithinBudget) -> dict[str, Any]:
    """The most that fits, the budgets and what the run uses."""
    used = answer.used
    return {
        "name": answer.run.scenario.name,
        "by": answer.by,
        "most": answer.what,
        "answer": answer.most,
        "binding": answer.binding,
        "budgets": {
            name: {"limit": limit, "used": used[name], "slack": limit * (1 - used[name])}
            for name, limit in answer.budgets.items()
        },
        "spend": answer.run.spend.by_budget(),
        "tokens": answer.run.tokens,
        "shape": answer.run.scenario.model.resolve().as_dict(),
    }


def _beyond(answer: WithinBudget) -> Iterator[str]:
    """What is in the way of more, where that is not plain from the table."""
    if isinstance(answer.beyond, Spent):
        layers = f"{answer.beyond.scenario.model.resolve().n_layers:g} layers"
        parts = used(answer.beyond.spend, answer.budgets, MIDDLE)
        over = ", ".join(f"{part:.0%} of the {NAMES[name]}" for name, part in parts.items())
        yield f"the next size, {layers}, takes {over}"
    elif answer.beyond is not None:
        yield f"the next size cannot run: {answer.beyond}"
    elif answer.binding is None:
        yield "no budget is in the way: none of them grows with more"


def _budgets(answer: WithinBudget) -> Table:
    """What the run uses, beside the limits."""
    rows = table("", "budget", "used", "band", "of the budget", "slack", "")
    rows.columns[-1].justify = "left"
    used = answer.used
    for name, quantity in answer.run.spend.by_budget().items():
        limit, unit = answer.budgets.get(name), quantity.unit
        known = quantity.value is not None
        cells = ("", "", "")
        if limit is not None:
            part = used[name]
            cells = (
                f"{significant(limit)} {unit}",
                f"{part:.1%}",
                _slack(limit * (1 - part), unit),
            )
        rows.add_row(
            NAMES[name],
            cells[0],
            f"{significant(quantity.numbers()[0])} {unit}" if known else "missing",
            _ends(quantity) if known else quantity.source,
            *cells[1:],
            "binds" if name == answer.binding else "",
        )
    return rows


def _slack(left: float, unit: str) -> str:
    """What is left; less than a millionth is the tolerance of the bisection."""
    return "none" if abs(left) < 1e-6 else f"{significant(left)} {unit}"


def _ends(quantity: Quantity) -> str:
    _, low, high = quantity.numbers()
    return f"{significant(low)} to {significant(high)} {quantity.unit}"
