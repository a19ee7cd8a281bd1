"""Results of an evaluation: tasks, averages, and what a right answer cost."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from energy import Quantity, RunRecord
from energy.record import Window
from glam.evaluation.scores import Answer, Value
from glam.evaluation.suite import ALL, TaskFacts, published, tasks
from glam.generation.work import Work


@dataclass(frozen=True)
class TaskResult:
    """The result of one task, or why there is none.

    Attributes:
        task: the task.
        why_not: why it was not run; empty if it was.
        value: the metric, 0 to 1.
        items: how many the model answered.
        work: tokens and FLOP.
        energy_j: joules of its window.
        lm_eval: means of lm-eval's own metrics.
        source: the file of the items, or hub.
        example: where the example before each item is from.
        answers: how right each was, by the key of its item.
    """

    task: TaskFacts
    why_not: str = ""
    value: Value | None = None
    items: int = 0
    work: Work | None = None
    energy_j: Quantity | None = None
    lm_eval: dict[str, float] = field(default_factory=dict)
    source: str = ""
    example: str = "none"
    answers: dict[str, Answer] = field(default_factory=dict)

    @classmethod
    def not_run(cls, task: TaskFacts, why: str) -> Self:
        """A task without items."""
        return cls(task, why_not=why)

    @classmethod
    def of(cls, task: TaskFacts, value: Value, items: int, work: Work, **more: Any) -> Self:
        """A task that was run."""
        return cls(task, value=value, items=items, work=work, **more)

    def metric_name(self, shots: int) -> str:
        """Name of its metric in the record."""
        return f"eval_{self.task.name}_{shots}_shot_{self.task.metric}"

    def quantity(self) -> Quantity:
        """The metric with a band of 80 %, 1.28 standard errors of its mean over items."""
        assert self.value is not None
        value, error = self.value.value, 1.2816 * self.value.stderr
        source = f"{self.task.scored}, {self.items} items"
        if not math.isfinite(error):
            return Quantity.exact(value, "1", source)
        return Quantity.exact(value, "1", source).model_copy(
            update={"low": value - error, "high": value + error}
        )

    def per(self, count: float) -> Quantity:
        """Joules per so many; missing where there are no joules, or none to divide by."""
        if self.energy_j is None or count <= 0:
            return Quantity.absent("J", "no item was right" if self.energy_j else "no joules")
        return self.energy_j.scaled(1 / count)

    def as_row(self) -> dict[str, Any]:
        """The result as plain values, with the names that scripts rely on."""
        row: dict[str, Any] = {
            "name": self.task.name,
            "title": self.task.title,
            "category": self.task.category,
            "metric": self.task.metric,
            "scored": self.task.scored,
            "lm_eval_scores": self.task.lm_eval,
        }
        if self.value is None or self.work is None:
            empty = ("value", "stderr", "chance", "energy_j", "j_per_item", "j_per_correct")
            return {**row, "run": self.why_not, "n": 0, **dict.fromkeys(empty)}
        return {
            **row,
            "run": True,
            "n": self.items,
            "value": self.value.value,
            "stderr": _finite(self.value.stderr),
            "chance": self.value.chance,
            "correct": self.value.correct,
            "energy_j": self.energy_j,
            "j_per_item": self.per(self.items),
            "j_per_correct": self.per(self.value.correct),
            "tokens": self.work.tokens,
            "model_flop": self.work.model_flop,
            "executed_flop": self.work.executed_flop,
            "flop_per_item": self.work.model_flop / self.items,
            "flop_per_correct": self.work.model_flop / self.value.correct
            if self.value.correct
            else None,
            "prompts_cut": self.work.cut,
            "tokens_cut": self.work.cut_tokens,
            "items_from": self.source,
            "example_from": self.example,
            "lm_eval": self.lm_eval,
        }


@dataclass(frozen=True)
class Average:
    """The mean of the values of some tasks, of those that were run.

    Attributes:
        name: a category, NLG, NLU or all 29 tasks.
        value: the mean; nan where none was run.
        stderr: of the mean, tasks being independent.
        ran: tasks that were run.
        of: how many the suite has.
    """

    name: str
    value: float
    stderr: float
    ran: int
    of: int

    def as_row(self) -> dict[str, Any]:
        """The average as plain values."""
        return {
            "name": self.name,
            "value": _finite(self.value),
            "stderr": _finite(self.stderr),
            "run": self.ran,
            "of": self.of,
        }


@dataclass(frozen=True)
class Evaluation:
    """Results of a suite, and the record of what they took."""

    name: str
    step: int
    shots: int
    results: list[TaskResult]
    record: RunRecord

    @property
    def suite(self) -> str:
        """The suite that its tasks are of."""
        return self.results[0].task.suite

    @property
    def averages(self) -> list[Average]:
        """Averages of each category, of generation, of choice, and of all tasks."""
        by_category: dict[str, list[TaskResult]] = {}
        for result in self.results:
            by_category.setdefault(result.task.category, []).append(result)
        facts = tasks(self.suite).values()
        sizes = Counter(task.category for task in facts)
        generated = sum(task.generates for task in facts)
        groups = {
            **{name: (group, sizes[name]) for name, group in by_category.items()},
            "NLG": ([row for row in self.results if row.task.generates], generated),
            "NLU": (
                [row for row in self.results if not row.task.generates],
                len(facts) - generated,
            ),
            ALL[self.suite]: (self.results, len(facts)),
        }
        return [_average(name, group, size) for name, (group, size) in groups.items()]

    def joules_per_correct(self) -> Quantity:
        """Joules of all tasks per right answer of all of them."""
        joules = [result.energy_j for result in self.results if result.energy_j is not None]
        correct = sum(result.value.correct for result in self.results if result.value is not None)
        if not joules or not correct:
            return Quantity.absent("J", "no right answer, or no joules")
        from energy.arithmetic import add

        names = [result.task.name for result in self.results if result.energy_j is not None]
        return add(joules, names=names, source="windows of all tasks").scaled(1 / correct)

    def published(self, of: str) -> dict[str, float]:
        """Figures that others published, in percent by model, for as many examples."""
        rows = (row for row in published() if row.of == of and row.shots == self.shots)
        return {row.model: row.value for row in rows}

    def as_json(self) -> dict[str, Any]:
        """The evaluation as one document."""
        return {
            "checkpoint": {"name": self.name, "step": self.step},
            "suite": self.suite,
            "shots": self.shots,
            "j_per_correct": self.joules_per_correct(),
            "tasks": [
                {**result.as_row(), "published_percent": self.published(result.task.name)}
                for result in self.results
            ],
            "averages": [
                {**average.as_row(), "published_percent": self.published(average.name)}
                for average in self.averages
            ],
            "record": self.record,
        }


def totals(
    name: str, step: int, shots: int, results: Sequence[TaskResult], record: RunRecord
) -> Evaluation:
    """Return an evaluation, with the joules of each task from its window of the record."""
    windows = {window.name: window for window in record.windows}
    return Evaluation(name, step, shots, [_metered(result, windows) for result in results], record)


def _metered(result: TaskResult, windows: dict[str, Window]) -> TaskResult:
    window = windows.get(result.task.name)
    return result if window is None else replace(result, energy_j=window.energy_j)


def _average(name: str, group: Iterable[TaskResult], size: int) -> Average:
    values = [result.value for result in group if result.value is not None]
    count = len(values)
    if not count:
        return Average(name, math.nan, math.nan, 0, size)
    mean = sum(value.value for value in values) / count
    error = math.sqrt(sum(value.stderr**2 for value in values)) / count
    return Average(name, mean, error, count, size)


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
