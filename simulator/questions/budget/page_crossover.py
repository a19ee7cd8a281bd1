"""The page of `simulator crossover`: the ratio over the range, and where it passes 1."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from energy.reports.terminal import table
from simulator.questions.budget.crossover import Crossover
from simulator.runs.spend import NAMES


def page(crossover: Crossover, console: Console) -> None:
    """Print the ratio over the range, and where it passes 1."""
    console.print(crossover.headline, style="bold")
    console.print()
    rows = table(crossover.key, f"{NAMES[crossover.of]}, sparse / dense", "spread of the laws", "")
    rows.columns[-1].justify = "left"
    for point in crossover.points:
        if point.ratio is None:
            rows.add_row(f"{point.value:.4g}", "cannot run", "", point.why)
            continue
        ends = "" if point.low == point.high else f"{point.low:.3g} to {point.high:.3g}"
        pays = "sparse pays" if point.ratio < 1 else ""
        rows.add_row(f"{point.value:.4g}", f"{point.ratio:.3f}", ends, pays)
    console.print(rows)
    console.print(f"{crossover.sparse} against {crossover.dense} at equal {crossover.equal}")


def frame_rows(crossover: Crossover) -> list[dict[str, Any]]:
    """A row for each value of the parameter, which names its column."""
    return [
        {
            crossover.key.replace(".", "_"): point.value,
            "ratio": point.ratio,
            "ratio_low": point.low,
            "ratio_high": point.high,
            "why": point.why,
        }
        for point in crossover.points
    ]


def as_json(crossover: Crossover) -> dict[str, Any]:
    """The points and the crossings."""
    return {
        "sparse": crossover.sparse,
        "dense": crossover.dense,
        "key": crossover.key,
        "of": crossover.of,
        "equal": crossover.equal,
        "verdict": crossover.headline,
        "crossings": crossover.crossings,
        "points": [
            {
                "value": point.value,
                "ratio": point.ratio,
                "low": point.low,
                "high": point.high,
                "why": point.why,
            }
            for point in crossover.points
        ],
    }
