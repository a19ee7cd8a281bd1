"""What keeps to limits, what would with the least relaxation, and each limit among the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.questions.sweep.cells import Configuration
from simulator.questions.sweep.groups import GroupedCell
from simulator.questions.sweep.limits import Limits


@dataclass(frozen=True, kw_only=True)
class Keeper(Configuration):
    """The fastest plan of a cell that keeps to every limit.

    Attributes:
        keeping: plans of the cell that do.
        limits: what it keeps to.
    """

    keeping: int
    limits: Limits

    @property
    def used(self) -> dict[str, float]:
        """Part of each limit that it uses."""
        return self.limits.used(self, 0)

    @property
    def high(self) -> dict[str, float]:
        """The same at the high ends of the bands."""
        return self.limits.used(self, 2)

    @property
    def binding(self) -> str:
        """The limit that it uses most."""
        return max(self.used, key=lambda name: self.used[name])

    @property
    def breaks_at_high(self) -> list[str]:
        """Limits that it breaks when its bands turn out at their high ends."""
        return [name for name, part in self.high.items() if part > 1]


@dataclass(frozen=True, kw_only=True)
class Relaxation(Configuration):
    """A plan that keeps to every limit once some are raised.

    Attributes:
        needed: what each of those must be raised to.
        factor: the greatest of the raises, over the limit.
    """

    needed: dict[str, float]
    factor: float


@dataclass(frozen=True, kw_only=True)
class Bound:
    """One limit among the others.

    Attributes:
        name: by `limits.OPTIONS`.
        limit: as the user set it.
        least: what it could be lowered to, the others fixed; None where nothing keeps to them.
        alone: what it would have to be raised to, the others fixed; None where something keeps to
            all, or where raising it alone does not help.
        breaking: configurations that break it.
        only: configurations that break nothing else.
    """

    name: str
    limit: float
    least: float | None
    alone: float | None
    breaking: int
    only: int

    @property
    def slack(self) -> float | None:
        """What it could be lowered by."""
        return None if self.least is None else self.limit - self.least


def bounds(
    limits: Limits, cells: Sequence[GroupedCell], relaxations: Sequence[Relaxation]
) -> list[Bound]:
    """Each limit among the others.

    Args:
        limits: that configurations keep to or break.
        cells: all of a search.
        relaxations: where nothing keeps to all limits, what would.
    """
    least = np.min([grouped.least for grouped in cells], axis=0).tolist()
    groups: dict[int, int] = {}
    for grouped in cells:
        for number, plans in grouped.plans.items():
            groups[number] = groups.get(number, 0) + plans
    alone = {
        name: amount
        for relaxation in relaxations
        if len(relaxation.needed) == 1
        for name, amount in relaxation.needed.items()
    }
    return [
        Bound(
            name=name,
            limit=limit,
            least=part * limit if np.isfinite(part) else None,
            alone=alone.get(name),
            breaking=sum(plans for number, plans in groups.items() if number >> place & 1),
            only=groups.get(1 << place, 0),
        )
        for place, ((name, limit), part) in enumerate(zip(limits.most.items(), least, strict=True))
    ]


def least_relaxations(limits: Limits, cells: Sequence[GroupedCell]) -> list[Relaxation]:
    """Of every smallest group of broken limits, the plan that needs the least raise."""
    fewest = min(number.bit_count() for grouped in cells for number in grouped.broken)
    best: dict[int, tuple[float, float, GroupedCell, int]] = {}
    for grouped in cells:
        for place, (number, worst) in enumerate(zip(grouped.broken, grouped.worst, strict=True)):
            weeks = float(grouped.cell.costs[place, 0])
            least = best.get(number, (np.inf,))[:2]
            if number.bit_count() == fewest and (worst, weeks) < least:
                best[number] = (worst, weeks, grouped, place)
    names = list(limits.most)
    relaxations = []
    for number, (worst, _, grouped, place) in best.items():
        parts = limits.parts(grouped.cell)[place]
        needed = {
            name: float(parts[bit]) * limits.most[name]
            for bit, name in enumerate(names)
            if number >> bit & 1
        }
        relaxations.append(Relaxation(cell=grouped.cell, index=place, needed=needed, factor=worst))
    return sorted(relaxations, key=lambda relaxation: relaxation.factor)
