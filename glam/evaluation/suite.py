"""The suites: which tasks each has, in which categories, and what others published of them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from energy.errors import InputError, nearest, require_choice

SUITES = ("glam29", "home")
"""The 29 tasks of the paper, and those that `glam.evaluation.home` makes."""

ALL = {"glam29": "all 29 tasks", "home": "all 3 tasks"}
"""The names of the averages over whole suites, in `published.csv`, too."""


@dataclass(frozen=True)
class TaskFacts:
    """A task of a suite, a row of `suite.csv`.

    Attributes:
        suite: its suite.
        name: as in lm-eval, where that has it.
        title: as the paper prints it.
        category: one of the paper's seven, or home-made.
        metric: em, f1, acc or f1a (F1 over all answers).
        normalizer: what log-likelihoods of options are divided by: their tokens as in the paper,
            or total for no division; none where the answer is generated.
        files: other names of its file of JSON lines.
        lm_eval: how lm-eval's own task of this name is scored.
    """

    suite: str
    name: str
    title: str
    category: str
    metric: str
    normalizer: str
    files: tuple[str, ...]
    lm_eval: str

    @property
    def generates(self) -> bool:
        """Whether the answer is generated, so that the task is one of the paper's 8 NLG tasks."""
        return self.normalizer == "none"

    @property
    def scored(self) -> str:
        """How the answer is chosen and scored, in words."""
        if self.generates:
            return f"greedy text, {METRICS[self.metric]}"
        lengths = {"tokens": "likelihood by tokens", "total": "total likelihood"}
        return f"{lengths[self.normalizer]}, {METRICS[self.metric]}"


METRICS = {"em": "exact match", "f1": "F1", "acc": "accuracy", "f1a": "F1 over all answers"}


@dataclass(frozen=True)
class Published:
    """A published figure in percent, a row of `published.csv`."""

    of: str
    shots: int
    model: str
    value: float
    source: str


@cache
def tasks(suite: str = "glam29") -> dict[str, TaskFacts]:
    """Return the tasks of a suite by name, in the order of the paper's categories."""
    return {
        row["task"]: TaskFacts(
            row["suite"],
            row["task"],
            row["title"],
            row["category"],
            row["metric"],
            row["normalizer"],
            tuple(row["files"].split()),
            row["lm_eval"],
        )
        for row in _table("suite.csv")
        if row["suite"] == suite
    }


@cache
def published() -> tuple[Published, ...]:
    """Return all published figures."""
    return tuple(
        Published(row["of"], int(row["shots"]), row["model"], float(row["value"]), row["source"])
        for row in _table("published.csv")
    )


def chosen_tasks(suite: str, names: str | None) -> list[TaskFacts]:
    """Return the tasks that a user names, separated by commas, or the whole suite.

    Raises:
        InputError: there is no such suite or task.
    """
    require_choice("--suite", suite, SUITES)
    known = tasks(suite)
    if names is None:
        return list(known.values())
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted or [names]:
        if name not in known:
            other = next((each for each in SUITES if name in tasks(each)), None)
            fix = f"it is one of --suite {other}" if other else nearest(name, known)
            raise InputError(f"expected --tasks with names of tasks of {suite}", repr(name), fix)
    return [known[name] for name in dict.fromkeys(wanted)]


def _table(name: str) -> list[dict[str, str]]:
    text = files("glam.evaluation").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
