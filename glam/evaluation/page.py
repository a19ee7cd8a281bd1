"""The table of an evaluation, as the paper has it, for a terminal."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from energy.quantity import Quantity
from energy.reports.terminal import console, table
from energy.units import human
from glam.evaluation.paired import Difference
from glam.evaluation.results import Average, Evaluation, TaskResult


def show(evaluation: Evaluation) -> None:
    """Print tasks, averages, and what was not run or done otherwise than the reader expects."""
    ran = [result for result in evaluation.results if result.value is not None]
    shots = "zero-shot" if evaluation.shots == 0 else "one-shot"
    title = f"{evaluation.name} at step {evaluation.step}, {shots}, percent"
    models = sorted({model for row in ran for model in evaluation.published(row.task.name)})
    columns = ("task", "value", "+-", "chance", *models, "items", "J/item", "J/right", "FLOP/item")
    lines = table(*columns, "scored by", title=title, left=("scored by",))
    for result in ran:
        lines.add_row(*_cells(evaluation, result, models))
    out = console()
    if ran:
        out.print(lines)
        out.print()
    out.print(_averages(evaluation))
    for note in notes(evaluation):
        print(note)


def show_differences(rows: list[Difference], first: str = "first", second: str = "second") -> None:
    """Print how much better the second of two evaluations is, task by task."""
    columns = ("task", "items", first, second, "difference", "+-", "p")
    lines = table(*columns, title="percent right")
    for row in rows:
        values = (percent(row.first), percent(row.second), f"{100 * (row.second - row.first):+.1f}")
        lines.add_row(row.task, str(row.items), *values, percent(row.stderr), f"{row.p:.2g}")
    console().print(lines)


def show_items(rows: list[dict[str, Any]]) -> None:
    """Print how many items of each task were made, by split."""
    lines = table(*rows[0])
    for row in rows:
        lines.add_row(*map(str, row.values()))
    console().print(lines)


def notes(evaluation: Evaluation) -> list[str]:
    """Return in sentences what the tables do not say."""
    results = evaluation.results
    lines = [f"joules per right answer, all tasks: {evaluation.joules_per_correct()}"]
    why = Counter(result.why_not for result in results if result.value is None)
    for reason in why:
        names = ", ".join(r.task.name for r in results if r.value is None and r.why_not == reason)
        lines.append(f"not run ({reason}): {names}")
    cut = {r.task.name: r.work.cut for r in results if r.work is not None and r.work.cut}
    if cut:
        counts = ", ".join(f"{name} {count}" for name, count in cut.items())
        lines.append(f"prompts whose beginning was cut to fit the window: {counts}")
    borrowed = [r.task.name for r in results if r.example.startswith("another")]
    if borrowed:
        lines.append(f"examples are other items of the same file: {', '.join(borrowed)}")
    if any(r.task.generates and r.value is not None for r in results):
        lines.append("texts are the likeliest token by token; the paper searched four beams")
    return lines


def percent(value: float) -> str:
    """A share as a number of percent with one decimal; a dash without a value."""
    return f"{100 * value:.1f}" if math.isfinite(value) else "-"


def _cells(evaluation: Evaluation, result: TaskResult, models: list[str]) -> list[str]:
    assert result.value is not None
    assert result.work is not None
    figures = evaluation.published(result.task.name)
    return [
        result.task.title,
        percent(result.value.value),
        percent(result.value.stderr),
        percent(result.value.chance),
        *(f"{figures[model]:.1f}" if model in figures else "" for model in models),
        str(result.items),
        *(_joules(result.per(count)) for count in (result.items, result.value.correct)),
        human(result.work.model_flop / result.items, "FLOP"),
        result.task.scored,
    ]


def _joules(quantity: Quantity) -> str:
    return "-" if quantity.value is None else quantity.human()


def _averages(evaluation: Evaluation) -> object:
    averages = evaluation.averages
    models = sorted({model for row in averages for model in evaluation.published(row.name)})
    lines = table("average", "value", "+-", "tasks run", *models)
    for average in averages:
        figures = evaluation.published(average.name)
        published = [f"{figures[model]:.1f}" if model in figures else "" for model in models]
        lines.add_row(*_average_cells(average), *published)
    return lines


def _average_cells(average: Average) -> list[str]:
    ran = f"{average.ran} of {average.of}"
    return [average.name, percent(average.value), percent(average.stderr), ran]
