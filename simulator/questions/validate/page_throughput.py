"""The pages of `simulator validate --throughput` and of fitted constants."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table as Page

from energy.errors import ToleranceError
from energy.reports.words import console, table
from simulator.fit.folds import folds
from simulator.published.throughput import Table
from simulator.questions.validate.throughput import Summary, Validation, fits_in_memory

SHOWN_ROWS = 40


Errors = dict[str, NDArray[np.float64]]


def throughput_page(found: Validation, left: Errors, rows: Table) -> None:
    """Print the rows that are most off, then the summaries."""
    out = console()
    every = found.rows_json()
    page = table(
        "row",
        "chip",
        "reported",
        "predicted",
        "80 % band",
        "error",
        "plan",
        title="tokens/s a chip: modelled against reported",
    )
    ranked = sorted(every, key=lambda row: -abs(row["error"] or 0.0))
    for row in ranked[:SHOWN_ROWS]:
        reported, error = row["reported"], row["error"]
        page.add_row(
            row["row_id"],
            row["chip"],
            f"{reported:,.0f}" if reported else "missing",
            f"{row['predicted']:,.0f}",
            f"{row['low']:,.0f} to {row['high']:,.0f}",
            "" if error is None else f"{error:+.0%}",
            _plan(row),
        )
    out.print(page)
    if len(every) > SHOWN_ROWS:
        out.print(f"the {SHOWN_ROWS} rows farthest off of {len(every):,}; --json has all")
    out.print()
    out.print(_summaries("all rows, constants as given", found.summaries()))
    for name in ("mfu", "chip", "software"):
        out.print()
        out.print(_summaries(f"by {name}", found.by(name)))
    for way, errors in left.items():
        out.print()
        made = found.unseen(errors, folds(rows.rows)[way])
        out.print(_summaries(f"each {way} predicted by a fit that never saw it", made.summaries()))
    memory = fits_in_memory(rows.rows, found.evaluated)
    if memory["n"] and not np.isnan(memory["out_of_memory_right"]):
        out.print(
            f"\nfits in memory or not: {memory['balanced_accuracy']:.1%} balanced accuracy "
            f"({memory['ran_right']:.0%} of runs that fitted, "
            f"{memory['out_of_memory_right']:.0%} of those that did not)"
        )
    if "memory_median_abs_rel_error" in memory:
        out.print(
            f"memory of the rows that ran: {memory['memory_median_abs_rel_error']:.1%} median error"
        )
    for name, why in list(rows.skipped.items())[:5]:
        out.print(f"not predicted: {name}: {why}", markup=False)
    if len(rows.skipped) > 5:
        out.print(f"and {len(rows.skipped) - 5} more rows not predicted; --json names them")


def throughput_json(found: Validation, left: Errors, rows: Table) -> dict[str, Any]:
    """Summaries, rows, and the summaries of each way of leaving out."""
    told: dict[str, Any] = {name: one.as_json() for name, one in found.summaries().items()}
    told["by"] = {
        name: {word: one.as_json() for word, one in found.by(name).items()}
        for name in ("family", "chip", "software", "mfu", "tier", "source")
    }
    told["left_out"] = {
        way: {
            name: one.as_json()
            for name, one in found.unseen(errors, folds(rows.rows)[way]).summaries().items()
        }
        for way, errors in left.items()
    }
    memory = fits_in_memory(rows.rows, found.evaluated)
    told["memory"] = {name: None if np.isnan(value) else value for name, value in memory.items()}
    told["rows"] = found.rows_json()
    told["skipped"] = rows.skipped
    return told


def require(error: float | None, tolerance: float | None, what: str) -> None:
    """Refuse a median error beyond the tolerance.

    Raises:
        ToleranceError: it is.
    """
    if tolerance is not None and error is not None and error > tolerance:
        raise ToleranceError(
            f"expected a median error of {what} within {tolerance:.1%}", f"{error:.1%}"
        )


def _summaries(title: str, found: dict[str, Summary]) -> Page:
    page = table(
        "", "rows", "median", "mean", "90th percentile", "signed median", "band holds", title=title
    )
    for name, one in found.items():
        if one.n:
            cells = (one.median_abs_rel_error, one.mean_abs_rel_error, one.p90_abs_rel_error)
            shares = (
                *(f"{cell or 0:.1%}" for cell in cells),
                f"{one.median_signed or 0:+.1%}",
                f"{one.band_coverage or 0:.0%}",
            )
            page.add_row(name, f"{one.n:,}", *shares)
    return page


def _plan(row: dict[str, Any]) -> str:
    plan, searched = row["plan"], set(row["searched"])
    shown = ((name, plan[name]) for name in ("tp", "pp", "vp", "ep", "cp", "zero", "micro_batch"))
    words = [
        f"{name[:5]} {value:g}{'?' if name in searched else ''}"
        for name, value in shown
        if value != 1 or name in searched
    ]
    mode = "?" if "recompute" in searched else ""
    return ", ".join([*words, f"{plan['recompute']}{mode}"])
