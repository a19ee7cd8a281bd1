"""Cells of a search: one model on so many of one chip at one place, with every plan that fits.

Every model takes the run of the scenario (tokens, batch, goodput, prices) to every chip, count and
place, and every plan that is possible there is predicted. What each plan takes is arrays; a search
keeps of a cell what it asks about and lets the rest go, so that millions pass through one process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import product
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from energy.errors import AccountingError, InfeasibleError, InputError, MissingDataError
from energy.facts import catalog
from energy.facts.prices import price
from energy.facts.site import Site
from energy.footprint import facility
from energy.quantity import Boundary, Quantity
from energy.units import G_PER_T, J_PER_KWH, J_PER_MWH, S_PER_DAY, S_PER_HOUR, count
from simulator.physics.hardware import Hardware
from simulator.physics.plan import AXES, Plan, in_words
from simulator.plans.evaluate import Found, all_plans, predict_all
from simulator.runs import spend
from simulator.runs.hosts import placed
from simulator.runs.predict import goodput, of_run
from simulator.runs.setup import allowed, machine_of, plan_fields, usual_widths
from simulator.runs.spend import Spend
from simulator.scenarios.scenario import Scenario
from simulator.scenarios.variants import moved_site, on_chips, one_kind_of_price, planned
from simulator.terms import Term

Array = NDArray[np.float64]


Kept = TypeVar("Kept")


S_PER_WEEK = 7 * S_PER_DAY


MEASURES = {"weeks": "wk", "mwh": "MWh", "co2": "t", "usd": "USD", "mw": "MW"}
"""What a plan takes, with its unit: the facility's joules and mean watts, CO2e of the grid."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One model on so many of one chip at one place.

    Attributes:
        scenario: with this model, chip, count and place, and no plan of its own yet.
        model: its name.
        sparse: whether it is a mixture of experts.
        place: where it stands, in words.
        found: plans that fit in memory, all of them or those that were kept.
        costs: (plans, 5) by `MEASURES`; not a number where nobody gave a price.
        feasible: plans that fit in memory.
        considered: plans that were predicted.
    """

    scenario: Scenario
    model: str
    sparse: bool
    place: str
    found: Found
    costs: Array
    feasible: int
    considered: int

    def take(self, index: NDArray[np.int64]) -> Cell:
        """The same cell with some of its plans."""
        return replace(self, found=self.found.take(index), costs=self.costs[index])


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """One plan of a cell.

    Attributes:
        cell: model, chip, count and place.
        index: of the plan among those of the cell.
    """

    cell: Cell
    index: int

    @cached_property
    def plan(self) -> Plan:
        """How the model lies on the chips."""
        return self.cell.found.one(self.index)

    @cached_property
    def scenario(self) -> Scenario:
        """The run of the cell with this plan."""
        return planned(self.cell.scenario, self.plan)

    @cached_property
    def spend(self) -> Spend:
        """What it takes with bands, predicted once more when that is asked for."""
        return spend.predicted(self.scenario)

    @property
    def quantities(self) -> dict[str, Quantity]:
        """What it takes by the names of `MEASURES`, with bands."""
        known = self.spend.by_budget()
        return {
            "weeks": known["days"].scaled(1 / 7, "wk"),
            **{name: known[name] for name in MEASURES if name != "weeks"},
        }

    def trees(self) -> tuple[Term, ...]:
        """How its CO2e came about, down to the parts of a step; then its power, then dollars."""
        found = of_run(self.scenario)
        return found["co2"], found["mw"], found["usd"]

    @property
    def plan_words(self) -> str:
        """The plan as a person writes it."""
        return in_words(self.plan)


def every_cell(
    scenarios: Sequence[Scenario],
    chips: Sequence[str],
    counts: Sequence[int],
    places: Sequence[str],
    prices: Sequence[str],
    keep: Callable[[Cell], Kept],
    told: Callable[[str, int], None] = lambda _, __: None,
) -> tuple[list[Kept], dict[str, str]]:
    """What is kept of each cell, and the reasons of those without an answer.

    Args:
        scenarios: one a model; the run and the site are the first one's (`of_models`).
        chips: of the catalog; the scenario's without any.
        counts: of chips; the scenario's without any.
        places: grid zones or data centres; the scenario's site without any.
        prices: rows of the table of prices, each for its chip, or electricity for all.
        keep: takes a cell with all its plans; what it gives is what stays in memory.
        told: called with a cell's name and the plans of each chunk that is done.

    Raises:
        InputError: a name is unknown, or nothing can be searched.
        InfeasibleError: no plan of any cell fits.
        MissingDataError: a place is unknown, or what is asked about is known of none of the chips.
    """
    first = scenarios[0]
    if first.hardware.chip is None and not chips:
        raise InputError("expected chips of the catalog", "a calibrated machine", "name --chip")
    rows = [price(name) for name in prices]
    names = [catalog.chip(name).id for name in chips or [first.hardware.chip or ""]]
    numbers = list(dict.fromkeys(counts)) or [first.hardware.count]
    if any(number < 1 for number in numbers):
        raise InputError("expected --chips of 1 or more", ", ".join(map(str, numbers)))
    for place in places:
        # A place that is not known is no cell without an answer.
        moved_site(first.site, place)
    all_moved = [
        on_chips(scenario, chip, count, rows)
        for scenario, chip, count in product(scenarios, dict.fromkeys(names), numbers)
    ]
    kept: list[Kept] = []
    left: dict[str, AccountingError] = {}
    for moved in one_kind_of_price(all_moved):
        where = f"{moved.name} on {moved.hardware.count:,} {moved.hardware.chip}"
        try:
            kept += _cells(moved, list(dict.fromkeys(places)), keep, partial(told, where))
        except (InfeasibleError, MissingDataError) as error:
            # Its traceback would keep all plans of the cell in memory.
            left[where] = error.with_traceback(None)
    if not kept:
        # Where a plan fits and a fact is missing, the fact is what the user can mend.
        for why in left.values():
            if isinstance(why, MissingDataError):
                raise why
        where, last = list(left.items())[-1]
        raise InfeasibleError(
            "expected a plan that fits in memory on some of the chips",
            f"none; {where}: {last.value}",
            last.fix,
        )
    return kept, {where: str(error) for where, error in left.items()}


def tokens_of(scenario: Scenario) -> float:
    """Tokens of the whole run."""
    return scenario.run.total_tokens(float(scenario.model.resolve().seq_len))


def unequal_tokens(cells: Sequence[Cell]) -> list[str]:
    """What must be known before models of different tokens, or of equal ones, are compared."""
    read = {cell.model: tokens_of(cell.scenario) for cell in cells}
    if len(read) == 1:
        return []
    what = (
        "an equal loss by the central law, whose spread is in no band here: see simulator "
        "compare --equal quality"
        if len(set(read.values())) > 1
        else "not an equal loss: see --equal quality"
    )
    return [
        ", ".join(f"{model} reads {count(tokens)}" for model, tokens in read.items())
        + f" tokens: {what}"
    ]


def _cells(
    scenario: Scenario,
    places: list[str],
    keep: Callable[[Cell], Kept],
    told: Callable[[int], None],
) -> list[Kept]:
    """A model on some chips at every place."""
    shape = scenario.model.resolve()
    hardware, constants, _ = machine_of(scenario, shape)
    batch, chips = scenario.run.sequences(float(shape.seq_len)), scenario.hardware.count
    base = Plan(
        **(usual_widths(scenario) | plan_fields(scenario, shape)), n_chips=chips, global_batch=batch
    )
    given = {name: [value] for name, value in scenario.plan.items() if name in AXES}
    every = predict_all(
        shape,
        all_plans(shape, chips, batch, base, allowed(scenario) | given),
        hardware,
        constants,
        told,
    )
    # Both refuse in words: no plan fits, or nobody knows the watts of the chip.
    every.best(every.step_s)
    hardware.watts(float(every.chip_w[0]))
    fit = every.take(np.flatnonzero(every.fits))
    elapsed_s = tokens_of(scenario) / fit.tokens_per_s / goodput(scenario).numbers()[0]
    kept = []
    for place in places or [""]:
        there = scenario
        if place:
            there = scenario.model_copy(update={"site": moved_site(scenario.site, place)})
        site = there.site.resolve()
        kept.append(
            keep(
                Cell(
                    scenario=there,
                    model=scenario.name,
                    sparse=bool(float(shape.n_moe_layers)),
                    place=place or site.name,
                    found=fit,
                    feasible=len(fit),
                    considered=len(every),
                    costs=_costs(elapsed_s, _facility_w(there, hardware, fit.chip_w), chips, site),
                )
            )
        )
    return kept


def _facility_w(scenario: Scenario, hardware: Hardware, chip_w: Array) -> Array:
    """Watts of the facility for each chip: a straight line over the chip's own.

    A host draws the same whatever its chips do (`simulator.runs.hosts`), the rest goes with the
    watts.
    """

    def at(watts: float) -> float:
        one = hardware.watts(watts)
        steps = placed(scenario, hardware.power_boundary, one).steps()
        raised = facility.raised({hardware.power_boundary: one}, steps)
        return raised[Boundary.FACILITY].numbers()[0]

    low = float(np.min(chip_w))
    slope = (at(2 * low) - at(low)) / low
    return np.asarray(at(low) + slope * (chip_w - low))


def _costs(elapsed_s: Array, facility_w: Array, chips: int, site: Site) -> Array:
    """Weeks, MWh, tonnes of CO2e, dollars and MW of plans; as `energy.footprint.apply`."""
    joules = facility_w * chips * elapsed_s
    grams = joules / J_PER_KWH * site.grid_location.numbers()[0]
    dollars = np.full_like(joules, np.nan)
    if site.chip_price.value is not None:
        dollars = elapsed_s / S_PER_HOUR * chips * site.chip_price.value
    elif site.electricity_price.value is not None:
        dollars = joules / J_PER_KWH * site.electricity_price.value
    return np.column_stack(
        [
            elapsed_s / S_PER_WEEK,
            joules / J_PER_MWH,
            grams / G_PER_T,
            dollars,
            facility_w * chips / 1e6,
        ]
    )
