"""Two evaluations of the same items: the difference of their right answers, and its p value.

The test is one of permutations: if neither model were better, the two results of each group of
dependent items would as well be swapped. The p value is the share of swaps whose mean difference
is at least as large as the one that was seen; it is never 0 (Phipson and Smyth 2010,
doi:10.2202/1544-6115.1585). Worked: four groups with differences 1, 1, 1, 1 have 16 swaps, of
which 2 are as large: p = 0.125.
"""

from __future__ import annotations

import itertools
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from energy.errors import InputError, reason
from energy.files import write_text_atomic
from energy.inputs import read_text
from glam.evaluation.results import Evaluation
from glam.evaluation.scores import Answer

FILE = "answers.jsonl"
"""The answers of an evaluation, in its folder."""

EXACT_GROUPS = 14
"""With at most so many groups that differ, all swaps are tried."""

DRAWS = 20_000
"""Random swaps of more groups."""

BATCH = 1_000

Answers = Mapping[str, Mapping[str, Answer]]
"""Answers of each task by the key of their item."""


@dataclass(frozen=True)
class Difference:
    """How much better one evaluation is than another at a task.

    Attributes:
        task: name of the task, or all.
        items: items that both have.
        first: share of them that the first has right.
        second: that of the second.
        stderr: of second - first, over groups of dependent items; nan of one group.
        p: two-sided, of the hypothesis that neither is better.
    """

    task: str
    items: int
    first: float
    second: float
    stderr: float
    p: float


def save(folder: Path, evaluation: Evaluation) -> None:
    """Write the answers of an evaluation, one a line, into its folder."""
    lines = [
        json.dumps(
            {"task": result.task.name, "item": key, "right": answer.right, "group": answer.group}
        )
        for result in evaluation.results
        for key, answer in result.answers.items()
    ]
    write_text_atomic(folder / FILE, "".join(f"{line}\n" for line in lines))


def load(folder: Path) -> dict[str, dict[str, Answer]]:
    """Read the answers of an evaluation.

    Raises:
        InputError: the folder has none, or a line is damaged.
    """
    path, answers = folder / FILE, defaultdict[str, dict[str, Answer]](dict)
    text = read_text(path, "the answers of an evaluation", "name an --out folder of glam eval")
    for number, line in enumerate(filter(None, text.split("\n")), start=1):
        try:
            row = json.loads(line)
            right, group = float(row["right"]), str(row["group"])
            answers[row["task"]][row["item"]] = Answer(right, 1.0, right, 0.0, 1.0, group)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            fix = "evaluate again, into a new folder"
            raise InputError(
                f"expected an answer in line {number} of {path}", reason(error), fix
            ) from error
    return answers


def differences(first: Answers, second: Answers) -> list[Difference]:
    """Compare two evaluations task by task, and over all items of all tasks.

    Raises:
        InputError: they have no item in common.
    """
    rows, every = [], []
    for task, answers in first.items():
        pairs = [
            (answer, second[task][key])
            for key, answer in answers.items()
            if key in second.get(task, {})
        ]
        if pairs:
            rows.append(difference(task, pairs))
            every += pairs
    if not every:
        raise InputError(
            "expected two evaluations with items in common",
            "none",
            "evaluate both with the same --data and --limit",
        )
    return rows if len(rows) == 1 else [*rows, difference("all", every)]


def difference(task: str, pairs: Sequence[tuple[Answer, Answer]]) -> Difference:
    """Return the mean difference of pairs of answers, with standard error and p value."""
    count = len(pairs)
    first, second = (sum(pair[side].right for pair in pairs) / count for side in (0, 1))
    sums: dict[str, float] = defaultdict(float)
    sizes: dict[str, int] = defaultdict(int)
    for before, after in pairs:
        sums[before.group] += after.right - before.right
        sizes[before.group] += 1
    mean, groups = second - first, len(sums)
    spread = math.fsum((sums[group] - mean * sizes[group]) ** 2 for group in sums) / count**2
    stderr = math.sqrt(groups / (groups - 1) * spread) if groups > 1 else math.nan
    return Difference(task, count, first, second, stderr, p_value(list(sums.values())))


def p_value(sums: Sequence[float]) -> float:
    """Return the share of swaps of groups whose sum is at least as far from 0."""
    apart = np.array([part for part in sums if part])
    seen = abs(apart.sum()) - 1e-9 * (1 + abs(apart).sum())
    if len(apart) <= EXACT_GROUPS:
        swaps = np.array(list(itertools.product((-1, 1), repeat=len(apart))))
        return float((abs(swaps @ apart) >= seen).mean()) if len(apart) else 1.0
    chance, larger = np.random.default_rng(0), 0
    for _ in range(DRAWS // BATCH):
        swaps = chance.choice((-1.0, 1.0), size=(BATCH, len(apart)))
        larger += int((abs(swaps @ apart) >= seen).sum())
    return (1 + larger) / (1 + DRAWS)
