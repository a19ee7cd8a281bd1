"""Which configurations keep to a site's limits, how much room each limit leaves, and what binds.

Every plan of every cell (`simulator.questions.sweep.cells`) is compared with the limits. Where some
keep to all, the fastest of each cell is shown, and each limit is lowered, with the others fixed,
until nothing keeps to it: what is left is its slack, and the limit with the least of it binds.
Where none does, plans fall into groups by the limits that they break: the smallest group, raised
least, is the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, partial
from typing import Any, ClassVar

from simulator.kit.answer import Answer
from simulator.questions.sweep.cells import Choices
from simulator.questions.sweep.groups import GroupedCell, group_by_limits
from simulator.questions.sweep.keeping import Bound, Keeper, Relaxation, bounds, least_relaxations
from simulator.questions.sweep.known import missing_facts, unequal_tokens
from simulator.questions.sweep.limits import Limits, limits_of, raised_by
from simulator.questions.sweep.models import models
from simulator.questions.sweep.search import search_cells
from simulator.runs.assumed import left_open
from simulator.scenarios.request import Target, Tokens
from simulator.scenarios.scenario import Scenario

REACH = 4
"""Without --chips: counts up to so many times the greater of the scenario's and --max-chips."""

BELOW = 8
"""And down to that part of the smaller."""

MOST_ROWS = 20
"""Cells that the page and the picture show; --json has all."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Feasible(Answer):
    """The answer of `simulator feasible`.

    Attributes:
        name: of the scenario.
        limits: what is kept to.
        cells: all cells that something could be predicted for, grouped by the limits.
        keepers: one a cell that keeps to the limits: the fastest first, of those on chips with
            measured rows of this kind of model, then of the others.
        relaxations: where nothing does, one a smallest group of limits, the least first.
        left_out: cells without an answer, with the reason.
        notes: what a reader must know.
    """

    view: ClassVar[str] = "feasible"

    name: str
    limits: Limits
    cells: list[GroupedCell]
    keepers: list[Keeper]
    relaxations: list[Relaxation]
    left_out: dict[str, str]
    notes: tuple[str, ...]

    @property
    def configurations(self) -> Sequence[Keeper] | Sequence[Relaxation]:
        """What keeps to the limits, or else what would with the least relaxation."""
        return self.keepers or self.relaxations

    @property
    def considered(self) -> int:
        """Configurations that were predicted."""
        return sum(grouped.cell.considered for grouped in self.cells)

    @property
    def fit(self) -> int:
        """Those of them that fit in memory."""
        return sum(grouped.cell.feasible for grouped in self.cells)

    @property
    def keeping(self) -> int:
        """Those of them that keep to every limit."""
        return sum(grouped.keeping for grouped in self.cells)

    @property
    def headline(self) -> str:
        """The answer in a line, as its page begins."""
        return str(self._module("page").headline(self))

    @property
    def left_open(self) -> str:
        """What was assumed of the first configuration."""
        return left_open(self.configurations[0].prediction.estimate)

    @property
    def markup(self) -> str:
        """The table of its page, which sorts by any column."""
        from simulator.questions.sweep.interactive import table

        return table(self.configurations[:MOST_ROWS])

    @property
    def panel_size(self) -> tuple[float, float]:
        """Inches of one panel."""
        return 8, 3.6

    @cached_property
    def bounds(self) -> list[Bound]:
        """Each limit among the others."""
        return bounds(self.limits, self.cells, self.relaxations)

    @property
    def binding(self) -> list[str]:
        """The limit that could be lowered least, or those of the least relaxation."""
        if self.relaxations:
            return list(self.relaxations[0].needed)
        return [min(self.bounds, key=lambda bound: (bound.slack or 0.0) / bound.limit).name]

    @property
    def relaxed(self) -> str:
        """The least relaxation as options: '--by 2027-01-15 and --budget 31000 (+12% at most)'."""
        least = self.relaxations[0]
        words = " and ".join(
            self.limits.option(name, amount) for name, amount in least.needed.items()
        )
        most = " at most" if len(least.needed) > 1 else ""
        return f"{words} ({raised_by(least.factor)}{most})"


def feasible(
    *targets: Target,
    max_mw: float | None = None,
    max_chips: int | None = None,
    by: str | date | None = None,
    budget: float | None = None,
    max_mwh: float | None = None,
    max_co2: float | None = None,
    start: str | date | None = None,
    chip: str | Sequence[str] = (),
    chips: int | Sequence[int] = (),
    region: str | Sequence[str] = (),
    batch: int | Sequence[int] = (),
    tokens: Tokens | None = None,
    price: str | Sequence[str] = (),
    chip_price: float | None = None,
    equal: str = "tokens",
    beyond_range: bool = False,
    overrides: Mapping[str, Any] | None = None,
    on_progress: Callable[[str, int], None] | None = None,
) -> Feasible:
    """Find what keeps to a site's limits, each limit's slack, or the least that must give.

        feasible("glam-64b-64e", "glam-137b", chip=["h100"], max_mw=1, by="2027-04-01")

    Args:
        targets: a run (a scenario, a preset, a model or a file), and models to put into it.
        max_mw: mean megawatts of the facility.
        max_chips: chips of the run.
        by: the day on which the run is over, as 2027-03-31.
        budget: dollars, at the site's prices or those of `price`.
        max_mwh: megawatt-hours of the facility.
        max_co2: tonnes of CO2e, gross.
        start: first day of the run; today without it.
        chip: chips of the catalog; the scenario's without any.
        chips: how many; without any, counts doubled and halved around the scenario's and
            `max_chips`.
        region: grid zones or data centers; the scenario's site without any.
        batch: sequences of a step, each with the tokens that it needs to the same loss.
        tokens: of the run.
        price: rows of the table of prices.
        chip_price: dollars an hour of each chip that no row is of.
        equal: tokens, or quality: each model reads what brings it to one loss.
        beyond_range: apply the law of loss outside the range that it was fitted to.
        overrides: other values by dotted key.
        on_progress: called with a model's name and the plans of each block that is done.

    Raises:
        InputError: no limit, or a name or value is not valid.
        InfeasibleError: no plan of any cell fits in memory.
        MissingDataError: there is a limit of dollars and no chip has a price.
    """
    amounts = {"mw": max_mw, "chips": max_chips, "usd": budget, "mwh": max_mwh, "co2": max_co2}
    limits = limits_of(amounts, by, start)
    choices = Choices.of(chip, chips, region, price, chip_price, batch)
    named = models(
        targets, choices, tokens, overrides, equal, count=max_chips, beyond_range=beyond_range
    )
    answer = within_limits(named.scenarios, limits, choices, on_progress)
    return replace(answer, name=named.name, notes=(*named.notes, *answer.notes))


def within_limits(
    scenarios: Sequence[Scenario],
    limits: Limits,
    choices: Choices,
    on_progress: Callable[[str, int], None] | None = None,
) -> Feasible:
    """Which configurations keep to limits.

    Args:
        scenarios: one a model.
        limits: what must be kept to.
        choices: what is searched; without counts, doublings around the scenario's and the limit's.
        on_progress: called with a model's name and the plans of each block that is done.
    """
    counts = list(choices.counts) or doublings(
        scenarios[0].hardware.count, limits.most.get("chips")
    )
    search = search_cells(
        scenarios, replace(choices, counts=counts), partial(group_by_limits, limits), on_progress
    )
    keepers = [
        Keeper(
            cell=grouped.cell,
            index=grouped.broken.index(0),
            keeping=grouped.keeping,
            limits=limits,
        )
        for grouped in search.kept
        if grouped.keeping
    ]
    # What nobody measured comes after what somebody did, however fast it is predicted to be.
    keepers.sort(
        key=lambda keeper: (keeper.cell.unmeasured, float(keeper.cell.costs[keeper.index, 0]))
    )
    return Feasible(
        name=scenarios[0].name,
        limits=limits,
        cells=search.kept,
        left_out=search.reasons,
        notes=tuple(_notes(search.kept, limits, [] if choices.counts else counts)),
        keepers=keepers,
        relaxations=[] if keepers else least_relaxations(limits, search.kept),
    )


def doublings(own: int, most: float | None) -> list[int]:
    """Counts of chips to try: the scenario's halved and doubled, and the limit itself.

    64 with a limit of 100: 8, 16, 32, 64, 100, 128, 256.
    """
    ends = [own] if most is None else [own, int(most)]
    low, high = min(ends) / BELOW, max(ends) * REACH
    counts = {int(most)} if most is not None and most >= 1 else set()
    count = float(own)
    while count / 2 >= max(low, 1) and (count / 2).is_integer():
        count /= 2
    while count <= high:
        counts.add(int(count))
        count *= 2
    return sorted(counts)


def _notes(cells: Sequence[GroupedCell], limits: Limits, tried: Sequence[int]) -> list[str]:
    """What a reader must know."""
    notes = unequal_tokens([grouped.cell for grouped in cells])
    notes += missing_facts([grouped.cell for grouped in cells])
    if limits.today:
        notes.insert(0, f"the run starts today, {limits.start} (UTC): --start names another day")
    if tried:
        notes.insert(0, f"no --chips were named: {', '.join(f'{count:,}' for count in tried)}")
    if "mw" in limits.most:
        notes.append(
            "power is the facility's mean while it trains; a step's peak lies above it: "
            "see simulator power"
        )
    return notes
