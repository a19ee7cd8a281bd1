"""The page of `simulator validate --throughput`."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.table import Table as Page

from energy.reports.terminal import table
from simulator.kit.answer import Terminal
from simulator.questions.validate.memory import MemoryCheck
from simulator.questions.validate.page_summary import skipped_lines, summary_cells
from simulator.questions.validate.summary import Summary
from simulator.questions.validate.tables import ThroughputResult

SHOWN_ROWS = 40

SHOWN_WORDS = 12


def throughput_page(result: ThroughputResult, console: Terminal) -> None:
    """Print the rows with the largest errors, then the summaries."""
    rows = result.validation.rows_as_json()
    judged = [row for row in rows if row["error"] is not None or not result.given_one]
    console.print(_rows(sorted(judged, key=lambda row: -abs(row["error"] or 0.0))[:SHOWN_ROWS]))
    if len(rows) > SHOWN_ROWS:
        console.print(
            f"the {SHOWN_ROWS} rows with the largest errors of {len(rows):,}; --json has all"
        )
    title = "all rows, by the constants as they are"
    if result.given_one:
        title += "; the first row of each source and chip is known, the others are judged"
    tables = {title: result.validation.summaries()}
    shown = ("mfu", "chip", "software", "publisher")
    tables |= {f"by {name}": result.validation.by(name) for name in shown}
    tables |= {
        f"each {name} predicted by a fit that never saw it": unseen.summaries()
        for name, unseen in result.left_out.items()
    }
    for title, summaries in tables.items():
        console.print()
        console.print(_summaries(title, summaries))
    for line in _memory_lines(result.memory):
        console.print(line)
    for line in _not_understood(result):
        console.print(line, markup=False)
    for line in skipped_lines(result.table.skipped, "rows"):
        console.print(line, markup=False)


def _rows(rows: list[dict[str, Any]]) -> Page:
    page = table(
        "row",
        "chip",
        "reported",
        "predicted",
        "80 % band",
        "error",
        "plan",
        title="tokens/s per chip: modelled and reported",
    )
    for row in rows:
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
    return page


def _plan(row: dict[str, Any]) -> str:
    """The plan of a row in words; a question mark follows a field that was searched."""
    plan, searched = row["plan"], set(row["searched"])
    shown = ((name, plan[name]) for name in ("tp", "pp", "vp", "ep", "cp", "zero", "micro_batch"))
    fields = [
        f"{name[:5]} {value:g}{'?' if name in searched else ''}"
        for name, value in shown
        if value != 1 or name in searched
    ]
    mark = "?" if "recompute" in searched else ""
    return ", ".join([*fields, f"{plan['recompute']}{mark}"])


def _summaries(title: str, summaries: dict[str, Summary]) -> Page:
    page = table(
        "",
        "rows",
        "median",
        "mean",
        "90th percentile",
        "signed median",
        "in band",
        "high / low",
        "median of publishers",
        title=title,
    )
    for name, summary in summaries.items():
        if summary.n:
            page.add_row(name, *summary_cells(summary))
    return page


def _not_understood(result: ThroughputResult) -> list[str]:
    """Words of the table that changed no prediction, the most frequent first."""
    words = [f"{name} ({rows})" for name, rows in result.not_understood.most_common(SHOWN_WORDS)]
    return [f"words not understood, by rows: {'; '.join(words)}"] if words else []


def _memory_lines(memory: MemoryCheck) -> list[str]:
    lines = []
    if memory.n and not np.isnan(memory.out_of_memory_right):
        lines.append(
            f"\nfits in memory or not: {memory.balanced_accuracy:.1%} balanced accuracy "
            f"({memory.ran_right:.0%} of the runs that fitted, "
            f"{memory.out_of_memory_right:.0%} of those that did not)"
        )
    if memory.median_abs_rel_error is not None:
        lines.append(f"memory of the rows that ran: {memory.median_abs_rel_error:.1%} median error")
    return lines
