"""A search of cells: every model on every chip, count and place, with every plan that fits.

What plans take is arrays; a search keeps of a cell what it needs and lets the rest go, so that
millions pass through one process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Generic, TypeVar

import numpy as np

from energy.errors import AccountingError, InfeasibleError, InputError, MissingDataError
from energy.facts import catalog
from energy.facts.prices import Price, ambiguous, priced
from energy.units import G_PER_T, J_PER_MWH, S_PER_DAY
from simulator.plans.evaluate import Evaluation, evaluate_all
from simulator.plans.space import Space
from simulator.questions.sweep.cells import Array, Cell, Choices
from simulator.runs.costs import Costs, costs
from simulator.runs.setup import Setup
from simulator.scenarios.scenario import Scenario
from simulator.scenarios.variants import moved_site, on_chips, one_kind_of_price

Kept = TypeVar("Kept")
S_PER_WEEK = 7 * S_PER_DAY


@dataclass(frozen=True)
class Search(Generic[Kept]):
    """What a search kept.

    Attributes:
        kept: of each cell with an answer.
        left_out: the reasons of those without one, by where they are.
    """

    kept: list[Kept] = field(default_factory=list)
    left_out: dict[str, AccountingError] = field(default_factory=dict)

    def require_any(self) -> None:
        """Refuse a search without any answer.

        Raises:
            InfeasibleError: no plan fits anywhere.
            MissingDataError: a fact is missing; where a plan fits, that is what can be mended.
        """
        if self.kept:
            return
        for error in self.left_out.values():
            if isinstance(error, MissingDataError):
                raise error
        where, last = list(self.left_out.items())[-1]
        raise InfeasibleError(
            "expected a plan that fits in memory on some of the chips",
            f"none; {where}: {last.value}",
            last.fix,
        )

    @property
    def reasons(self) -> dict[str, str]:
        """Why cells have no answer."""
        return {where: str(error) for where, error in self.left_out.items()}


def _silent(_where: str, _done: int) -> None:
    """Show no progress."""


def search_cells(
    scenarios: Sequence[Scenario],
    choices: Choices,
    keep: Callable[[Cell], Kept],
    on_progress: Callable[[str, int], None] | None = None,
) -> Search[Kept]:
    """Predict every plan of every cell.

    Args:
        scenarios: one a model; the run and the site are the first one's (`of_models`).
        choices: chips, counts, places and prices.
        keep: takes a cell with all its plans; what it returns is what stays in memory.
        on_progress: called with a model's name and the plans of each block that is done.

    Raises:
        InputError: a name is unknown, or nothing can be searched.
        InfeasibleError: no plan of any cell fits.
        MissingDataError: a place is unknown, or a fact that is needed is known of no chip.
    """
    first = scenarios[0]
    counts = list(dict.fromkeys(choices.counts)) or [first.hardware.count]
    if any(number < 1 for number in counts):
        raise InputError("expected --chips of 1 or more", ", ".join(map(str, counts)))
    for place in choices.places:
        # A place that is not known is no cell without an answer.
        moved_site(first.site, place)
    places = list(dict.fromkeys(choices.places))
    search: Search[Kept] = Search()
    for scenario in one_kind_of_price(_on_every_chip(scenarios, choices, counts[0])):
        named = {n: f"{scenario.name} on {n:,} {scenario.hardware.chip}" for n in counts}
        try:
            setups = _at_every_place(scenario, places)
        except (InfeasibleError, MissingDataError) as error:
            search.left_out.update(dict.fromkeys(named.values(), error.with_traceback(None)))
            continue
        there = {where: _on(setups, number) for number, where in named.items()}
        _search_counts(search, there, keep, partial(on_progress or _silent, scenario.name))
    search.require_any()
    return search


def _on_every_chip(scenarios: Sequence[Scenario], choices: Choices, number: int) -> list[Scenario]:
    """Every model on every chip."""
    own = scenarios[0].hardware.chip
    if own is None and not choices.chips:
        raise InputError("expected chips of the catalog", "a calibrated machine", "name --chip")
    rows: list[Price] = [row for name in choices.prices for row in priced(name)]
    for chip in {row.chip for row in rows}:
        if len(its := [row for row in rows if row.chip == chip]) > 1:
            raise ambiguous(its)
    chips = dict.fromkeys(catalog.chip(name).id for name in choices.chips or [own or ""])
    other = choices.chip_price
    return [
        on_chips(scenario, chip, number, rows, other)
        for scenario, chip in product(scenarios, chips)
    ]


def _at_every_place(scenario: Scenario, places: Sequence[str]) -> dict[str, Setup]:
    """A model on its chips, resolved once for each place, by the place's name."""
    if not places:
        setup = Setup.of(scenario)
        return {setup.site.name: setup}
    first, *others = (moved_site(scenario.site, place) for place in places)
    setup = Setup.of(scenario.model_copy(update={"site": first}))
    return dict(zip(places, [setup, *map(setup.at, others)], strict=True))


def _on(setups: Mapping[str, Setup], chips: int) -> dict[str, Setup]:
    """A model at every place on another number of chips."""
    return {place: setup.on(chips) for place, setup in setups.items()}


def _search_counts(
    search: Search[Kept],
    setups: Mapping[str, Mapping[str, Setup]],
    keep: Callable[[Cell], Kept],
    on_progress: Callable[[int], None],
) -> None:
    """A model on each number of some chips: one evaluation of all, as few calls as large arrays.

    Args:
        search: takes what is kept, and the reasons of what is left out.
        setups: by the name of the number of chips, and by place.
        keep: takes a cell with all its plans.
        on_progress: called with the plans of each block that is done.
    """
    spaces: list[Space] = []
    unplanned: dict[str, InfeasibleError] = {}
    for where, there in setups.items():
        setup = next(iter(there.values()))
        try:
            spaces.append(setup.space())
        except InfeasibleError as error:
            unplanned[where] = error.with_traceback(None)
    evaluations: Iterator[Evaluation] = iter(())
    if spaces:
        evaluations = evaluate_all(
            setup.shape, spaces, setup.hardware, setup.constants, on_progress
        )
    for where, there in setups.items():
        try:
            if where in unplanned:
                raise unplanned[where]
            search.kept.extend(keep(cell) for cell in _cells(there, next(evaluations)))
        except (InfeasibleError, MissingDataError) as error:
            # Its traceback would keep all plans of the cell in memory.
            search.left_out[where] = error.with_traceback(None)


def _cells(setups: Mapping[str, Setup], evaluation: Evaluation) -> Iterator[Cell]:
    """A model on some chips at every place: all of them have the same steps."""
    evaluation.require_fit()
    for place, there in setups.items():
        yield Cell(
            setup=there,
            place=place,
            evaluation=evaluation,
            costs=_columns(costs(there, evaluation)),
            feasible=evaluation.fitting,
        )


def _columns(taken: Costs) -> Array:
    """Weeks, MWh, tonnes of CO2e, dollars and MW of plans, by `MEASURES`."""
    return np.column_stack(
        [
            taken.elapsed_s / S_PER_WEEK,
            taken.energy_j / J_PER_MWH,
            taken.co2_g / G_PER_T,
            taken.cost_usd,
            taken.power_w / 1e6,
        ]
    )
