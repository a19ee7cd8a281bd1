"""Value and standard error of a task, from what a model answered to its items.

Every metric is a ratio of sums over items, v = sum(a) / sum(b): accuracy has b = 1, QuAC leaves
items out with b = 0, and F1a is 2 true positives over (chosen + right ones). Its standard error is
that of a ratio estimator over groups g of dependent items, such as the questions of one dialogue
(Cochran, Sampling Techniques, 3rd ed., section 6.3):
    SE = sqrt(G / (G - 1) * sum over g of (sum of r_i in g)^2), r_i = (a_i - v b_i) / sum(b)
Worked: scores 1, 1, 0, each its own group: v = 2/3, SE = sqrt(3/2 * (1/81 + 1/81 + 4/81)) = 1/3.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from glam.evaluation.items import Item

SLACK = 1e-9
"""Two options whose scores differ relatively by less are a tie."""

LENGTHS: dict[str, Callable[[str], float]] = {
    "total": lambda option: 1.0,
    "characters": lambda option: float(len(option)),
    "bytes": lambda option: float(len(option.encode())),
}
"""What the log-likelihood of an option is divided by; "tokens" depends on the model."""


@dataclass(frozen=True)
class Answer:
    """What an item adds to a metric.

    Attributes:
        gained: the a of the item.
        possible: its b.
        right: 1 for a right answer, 0 for a wrong one; a share where options tie, F1 of a text.
        by_chance: gained if each option were as likely.
        chance_possible: possible in that case.
        group: items with one group are dependent.
    """

    gained: float
    possible: float
    right: float
    by_chance: float
    chance_possible: float
    group: str


@dataclass(frozen=True)
class Value:
    """A metric of a task, from 0 to 1."""

    value: float
    stderr: float
    chance: float
    correct: float


def chosen(scores: Sequence[float], lengths: Sequence[float]) -> list[float]:
    """Return how much of a choice each option gets: all to the best, shared where they tie.

    Scores -2, -3 of lengths 1, 2 choose the second: -2 < -1.5. With numpy's argmax, which lm-eval
    has, a tie goes to the first, and a model that knows nothing has the share of firsts.
    """
    normalized = [score / length for score, length in zip(scores, lengths, strict=True)]
    best = max(normalized)
    ties = [score >= best - SLACK * max(1.0, abs(best)) for score in normalized]
    return [tie / sum(ties) for tie in ties]


def of_choice(item: Item, shares: Sequence[float], metric: str, group: str) -> Answer:
    """Return the answer to an item with options.

    Args:
        item: the item; for f1a its options are no and yes.
        shares: of `chosen`.
        metric: acc or f1a.
        group: of dependent items.
    """
    right = sum(shares[gold] for gold in item["golds"])
    if metric == "acc":
        return Answer(right, 1.0, right, len(item["golds"]) / len(shares), 1.0, group)
    true, positive = float(item["gold"] == 1), shares[1]
    # The options of a blind choice are as likely: half of all items are positive.
    return Answer(2 * true * positive, true + positive, right, true, true + 0.5, group)


def of_text(scores: dict[str, float], metric: str, group: str) -> Answer:
    """Return the answer to an item whose answer was generated; chance gets none right."""
    counts = scores.get("counts", 1.0)
    gained = scores[metric] * counts
    return Answer(gained, counts, gained, 0.0, counts, group)


def total(answers: Sequence[Answer]) -> Value:
    """Return the value of a task, its standard error, chance level and number of right answers.

    The standard error is nan for a single group, or where no item counts.
    """
    possible = sum(answer.possible for answer in answers)
    value = sum(answer.gained for answer in answers) / possible if possible else 0.0
    sums: dict[str, float] = defaultdict(float)
    for answer in answers:
        sums[answer.group] += (answer.gained - value * answer.possible) / (possible or 1.0)
    groups = len(sums)
    stderr = (
        math.sqrt(groups / (groups - 1) * math.fsum(part**2 for part in sums.values()))
        if groups > 1 and possible
        else math.nan
    )
    blind = sum(answer.chance_possible for answer in answers)
    chance = sum(answer.by_chance for answer in answers) / blind if blind else 0.0
    return Value(value, stderr, chance, math.fsum(answer.right for answer in answers))
