"""Which configurations keep to a site's limits, how much room each limit leaves, and what binds.

Every plan of every cell (`simulator.questions.sweep.cells`) is held against the limits. Where some
keep to all, the fastest of each cell is told, and each limit is lowered, the others held, until
nothing keeps to it: what is left is its slack, and the limit with the least of it binds. Where none
does, plans fall into groups by the limits that they break: the least group, raised least, is the
answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from simulator.questions.sweep.cells import Chosen, every_cell, unequal_tokens
from simulator.questions.sweep.held import Held, hold
from simulator.questions.sweep.limits import Limits
from simulator.scenarios.scenario import Scenario

REACH = 4
"""Without --chips: counts to so many times the greater of the scenario's and --max-chips."""


BELOW = 8
"""And down to that part of the smaller."""


@dataclass(frozen=True, kw_only=True)
class Keeper(Chosen):
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
class Relaxation(Chosen):
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
        limit: as given.
        least: what it could be lowered to, the others held; None where nothing keeps to them.
        alone: what it would have to be raised to, the others held; None where something keeps to
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


@dataclass(frozen=True, kw_only=True)
class Feasible:
    """The answer of `simulator feasible`.

    Attributes:
        name: of the scenario.
        limits: what is kept to.
        held: all cells that something could be predicted for.
        keepers: one a cell that keeps to the limits, the fastest first.
        relaxations: where nothing does, one a smallest group of limits, the least first.
        left_out: cells without an answer, with the reason.
        notes: what a reader must know.
    """

    name: str
    limits: Limits
    held: list[Held]
    keepers: list[Keeper]
    relaxations: list[Relaxation]
    left_out: dict[str, str]
    notes: tuple[str, ...]

    @property
    def told(self) -> Sequence[Keeper] | Sequence[Relaxation]:
        """What keeps to the limits, or else what would with the least relaxation."""
        return self.keepers or self.relaxations

    @property
    def considered(self) -> int:
        """Configurations that were predicted."""
        return sum(one.cell.considered for one in self.held)

    @property
    def fit(self) -> int:
        """Those of them that fit in memory."""
        return sum(one.cell.feasible for one in self.held)

    @property
    def keeping(self) -> int:
        """Those of them that keep to every limit."""
        return sum(one.keeping for one in self.held)

    @cached_property
    def bounds(self) -> list[Bound]:
        """Each limit among the others."""
        least = np.min([one.least for one in self.held], axis=0).tolist()
        groups: dict[int, int] = {}
        for one in self.held:
            for number, plans in one.plans.items():
                groups[number] = groups.get(number, 0) + plans
        single = {
            next(iter(one.needed)): one.needed for one in self.relaxations if len(one.needed) == 1
        }
        return [
            Bound(
                name=name,
                limit=limit,
                least=part * limit if np.isfinite(part) else None,
                alone=single[name][name] if name in single else None,
                breaking=sum(plans for number, plans in groups.items() if number >> place & 1),
                only=groups.get(1 << place, 0),
            )
            for place, ((name, limit), part) in enumerate(
                zip(self.limits.most.items(), least, strict=True)
            )
        ]

    @property
    def binding(self) -> list[str]:
        """The limit that could be lowered least, or those of the least relaxation."""
        if self.relaxations:
            return list(self.relaxations[0].needed)
        return [min(self.bounds, key=lambda one: (one.slack or 0.0) / one.limit).name]


def feasible(
    scenarios: Sequence[Scenario],
    limits: Limits,
    chips: Sequence[str] = (),
    counts: Sequence[int] = (),
    places: Sequence[str] = (),
    prices: Sequence[str] = (),
    told: Callable[[str, int], None] = lambda _, __: None,
) -> Feasible:
    """Which configurations keep to limits; see `cells.every_cell` for what is searched.

    Args:
        scenarios: one a model.
        limits: what must be kept to.
        chips: of the catalog; the scenario's without any.
        counts: of chips; without any, doublings around the scenario's and the limit's.
        places: grid zones or data centres; the scenario's site without any.
        prices: rows of the table of prices.
        told: called with a cell's name and the plans of each chunk that is done.

    Raises:
        InputError: a name is unknown, or nothing can be searched.
        InfeasibleError: no plan of any cell fits in memory.
        MissingDataError: there is a limit of dollars and no chip has a price.
    """
    most = limits.most.get("chips")
    tried = list(counts) or doublings(scenarios[0].hardware.count, most)
    held, left = every_cell(scenarios, chips, tried, places, prices, partial(hold, limits), told)
    keepers = [
        Keeper(cell=one.cell, index=one.broken.index(0), keeping=one.keeping, limits=limits)
        for one in held
        if one.keeping
    ]
    notes = unequal_tokens([one.cell for one in held])
    if limits.today:
        notes.insert(0, f"the run starts today, {limits.start} (UTC): --start names another day")
    if not counts:
        notes.insert(0, f"no --chips were named: {', '.join(f'{one:,}' for one in tried)}")
    if "mw" in limits.most:
        notes.append(
            "power is the facility's mean while it trains; a step's peak lies above it: "
            "see simulator power"
        )
    return Feasible(
        name=scenarios[0].name,
        limits=limits,
        held=held,
        left_out=left,
        notes=tuple(notes),
        keepers=sorted(keepers, key=lambda one: float(one.cell.costs[one.index, 0])),
        relaxations=[] if keepers else _relaxations(limits, held),
    )


def doublings(own: int, most: float | None) -> list[int]:
    """Counts of chips to try: the scenario's halved and doubled, and the limit itself.

    64 with a limit of 100: 8, 16, 32, 64, 100, 128, 256.
    """
    ends = [own] if most is None else [own, int(most)]
    low, high = min(ends) / BELOW, max(ends) * REACH
    found = {int(most)} if most is not None and most >= 1 else set()
    count = float(own)
    while count / 2 >= max(low, 1) and (count / 2).is_integer():
        count /= 2
    while count <= high:
        found.add(int(count))
        count *= 2
    return sorted(found)


def _relaxations(limits: Limits, held: Sequence[Held]) -> list[Relaxation]:
    """Of every smallest group of broken limits, the plan that asks for the least raise."""
    fewest = min(number.bit_count() for one in held for number in one.broken)
    best: dict[int, tuple[float, float, Held, int]] = {}
    for one in held:
        for place, (number, worst) in enumerate(zip(one.broken, one.worst, strict=True)):
            weeks = float(one.cell.costs[place, 0])
            if number.bit_count() == fewest and (worst, weeks) < best.get(number, (np.inf,))[:2]:
                best[number] = (worst, weeks, one, place)
    found = []
    for number, (worst, _, one, place) in best.items():
        names = [name for bit, name in enumerate(limits.most) if number >> bit & 1]
        parts = limits.parts(one.cell)[place]
        needed = {
            name: float(parts[list(limits.most).index(name)]) * limits.most[name] for name in names
        }
        found.append(Relaxation(cell=one.cell, index=place, needed=needed, factor=worst))
    return sorted(found, key=lambda one: one.factor)
