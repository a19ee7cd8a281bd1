"""The front of time, energy, CO2e and money over models, chips, counts, places and plans.

Every model takes the run of the scenario (tokens, batch, goodput, prices) to every chip, count and
place; every plan that is possible there is predicted. Inside one of these cells everything follows
from the seconds and the joules of a step, so its own front is that of two numbers; the front of
all is that of what is left of every cell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import NDArray

from energy import catalog, facility
from energy.errors import InfeasibleError, InputError, MissingDataError
from energy.prices import price
from energy.quantity import Boundary, Origin, Quantity
from energy.site import Site
from energy.units import G_PER_T, J_PER_KWH, J_PER_MWH, S_PER_DAY, S_PER_HOUR, count
from simulator import spend
from simulator.alternatives import moved_site, on_chips, one_kind_of_price, planned
from simulator.explain import Term
from simulator.front import apart, non_dominated, reasons, staircase
from simulator.hosts import placed
from simulator.physics import allowed, in_words, machine_of, plan_fields, usual_widths
from simulator.plan import Plan
from simulator.predict import goodput, predict
from simulator.scenario import Scenario
from simulator.search import all_plans, predict_all
from simulator.space import AXES
from simulator.spend import Spend

Array = NDArray[np.float64]
S_PER_WEEK = 7 * S_PER_DAY
OBJECTIVES = {"weeks": "wk", "mwh": "MWh", "co2": "t", "usd": "USD"}
WORDS = {"weeks": "time", "mwh": "energy", "co2": "CO2e", "usd": "dollars"}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One model on so many of one chip at one place, and the plans that nothing there beats.

    Attributes:
        scenario: with this model, chip, count and place, and no plan of its own yet.
        model: its name.
        sparse: whether it is a mixture of experts.
        place: where it stands, in words.
        plans: of its front, the fastest first.
        costs: (plans, 4) by `OBJECTIVES`; not a number where nobody gave a price.
        feasible: plans that fit in memory.
        considered: plans that were predicted.
    """

    scenario: Scenario
    model: str
    sparse: bool
    place: str
    plans: list[Plan]
    costs: Array
    feasible: int
    considered: int


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One point of the front.

    Attributes:
        cell: model, chip, count and place.
        plan: how the model lies on the chips.
        spend: what it takes, as `simulator predict` says of it, with bands.
        why: the reason that it is on the front.
        near: more of the front that lie within `front.NEAR` of it in everything.
    """

    cell: Cell
    plan: Plan
    spend: Spend
    why: str
    near: int

    @property
    def quantities(self) -> dict[str, Quantity]:
        """Objectives by name, with bands."""
        known = self.spend.by_budget()
        weeks = known["days"].scaled(1 / 7, "wk")
        return {"weeks": weeks, **{name: known[name] for name in ("mwh", "co2", "usd")}}

    def tree(self) -> Term:
        """How its CO2e came about, down to the parts of a step."""
        (found,) = predict(planned(self.cell.scenario, self.plan)).trees()
        return found

    @property
    def plan_words(self) -> str:
        """The plan as a person writes it."""
        return in_words(self.plan)


@dataclass(frozen=True, kw_only=True)
class Pareto:
    """The front and what it was found among.

    Attributes:
        name: of the scenario.
        choices: the front, the fastest first; near ones told once.
        cells: all that something could be predicted for.
        objectives: names of those that were compared.
        on_front: how many are on the front, near ones counted.
        left_out: cells without an answer, with the reason.
        notes: what a reader must know.
    """

    name: str
    choices: list[Choice]
    cells: list[Cell]
    objectives: tuple[str, ...]
    on_front: int
    left_out: dict[str, str]
    notes: tuple[str, ...]

    @property
    def considered(self) -> int:
        """Configurations that were predicted."""
        return sum(cell.considered for cell in self.cells)

    @property
    def feasible(self) -> int:
        """Those of them that fit in memory."""
        return sum(cell.feasible for cell in self.cells)

    @property
    def dominated(self) -> int:
        """Those that fit and that something on the front beats or equals."""
        return self.feasible - self.on_front


def pareto(
    scenarios: Sequence[Scenario],
    chips: Sequence[str] = (),
    counts: Sequence[int] = (),
    places: Sequence[str] = (),
    prices: Sequence[str] = (),
    told: Callable[[str, int], None] = lambda _, __: None,
) -> Pareto:
    """The front over models, chips, counts, places and plans.

    Args:
        scenarios: one a model; the run and the site are the first one's (`of_models`).
        chips: of the catalog; the scenario's without any.
        counts: of chips; the scenario's without any.
        places: grid zones or data centres; the scenario's site without any.
        prices: rows of the table of prices, each for its chip, or electricity for all.
        told: called with a cell's name and the plans of each chunk that is done.

    Raises:
        InputError: a name is unknown, or nothing can be searched.
        InfeasibleError: no plan of any cell fits.
    """
    first = scenarios[0]
    if first.hardware.chip is None and not chips:
        raise InputError("expected chips of the catalog", "a calibrated machine", "name --chip")
    rows = [price(name) for name in prices]
    names = [catalog.chip(name).id for name in chips or [first.hardware.chip or ""]]
    numbers = list(dict.fromkeys(counts)) or [first.hardware.count]
    if any(number < 1 for number in numbers):
        raise InputError("expected --chips of 1 or more", ", ".join(map(str, numbers)))
    all_moved = [
        on_chips(scenario, chip, count, rows)
        for scenario, chip, count in product(scenarios, dict.fromkeys(names), numbers)
    ]
    cells: list[Cell] = []
    left: dict[str, str] = {}
    for moved in one_kind_of_price(all_moved):
        where = f"{moved.name} on {moved.hardware.count:,} {moved.hardware.chip}"
        try:
            cells += _cells(moved, list(dict.fromkeys(places)), partial(told, where))
        except (InfeasibleError, MissingDataError) as error:
            left[where] = str(error)
    if not cells:
        raise InfeasibleError("expected a model that fits on some of the chips",
                              next(iter(left.values())))  # fmt: skip
    return _front(first.name, cells, left)


def _front(name: str, cells: list[Cell], left: dict[str, str]) -> Pareto:
    """The front of all cells' fronts."""
    every = np.concatenate([cell.costs for cell in cells])
    owner = [(cell, place) for cell in cells for place in range(len(cell.plans))]
    known = tuple(key for column, key in enumerate(OBJECTIVES)
                  if np.all(np.isfinite(every[:, column])))  # fmt: skip
    costs = every[:, [list(OBJECTIVES).index(key) for key in known]]
    on = np.flatnonzero(non_dominated(costs))
    groups = apart(costs[on])
    firsts = [int(on[group[0]]) for group in groups]
    why = reasons(costs[firsts], [WORDS[key] for key in known])
    choices = []
    for index, words, group in zip(firsts, why, groups, strict=True):
        cell, place = owner[index]
        plan = cell.plans[place]
        spent = spend.predicted(planned(cell.scenario, plan))
        choices.append(Choice(cell=cell, plan=plan, spend=spent, why=words, near=len(group) - 1))
    return Pareto(name=name, choices=choices, cells=cells, objectives=known, on_front=len(on),
                  left_out=left, notes=tuple(_notes(cells, known)))  # fmt: skip


def _notes(cells: list[Cell], known: tuple[str, ...]) -> list[str]:
    """What must be known before points are compared."""
    notes = []
    read = {cell.model: tokens_of(cell.scenario) for cell in cells}
    if len(read) > 1:
        what = ("an equal loss by the central law, whose spread is in no band here: see simulator "
                "compare --equal quality" if len(set(read.values())) > 1
                else "not an equal loss: see --equal quality")  # fmt: skip
        notes.append(", ".join(f"{model} reads {count(tokens)}" for model, tokens in read.items())
                     + f" tokens: {what}")  # fmt: skip
    if "usd" not in known:
        gone = sorted({cell.scenario.hardware.chip or "" for cell in cells
                       if not np.all(np.isfinite(cell.costs[:, 3]))})  # fmt: skip
        notes.append(f"dollars are missing and not compared: no price of {', '.join(gone)} "
                     "(--price with a row of simulator prices)")  # fmt: skip
    notes.append("bands are wider than most gaps of the front: what is close is told apart by the "
                 "model, not by knowledge of the machines")  # fmt: skip
    return notes


def _cells(scenario: Scenario, places: list[str], told: Callable[[int], None]) -> list[Cell]:
    """A model on some chips at every place."""
    shape = scenario.model.resolve()
    hardware, constants, _ = machine_of(scenario, shape)
    batch, count = scenario.run.sequences(float(shape.seq_len)), scenario.hardware.count
    base = Plan(**(usual_widths(scenario) | plan_fields(scenario, shape)), n_chips=count,
                global_batch=batch)  # fmt: skip
    given = {name: [value] for name, value in scenario.plan.items() if name in AXES}
    every = predict_all(shape, all_plans(shape, count, batch, base, allowed(scenario) | given),
                        hardware, constants, told)  # fmt: skip
    # Both refuse in words: no plan fits, or nobody knows the watts of the chip.
    every.best(every.step_s)
    hardware.watts(float(every.chip_w[0]))
    elapsed_s = (tokens_of(scenario) / every.tokens_per_s
                 / goodput(scenario).numbers()[0])  # fmt: skip
    chip_j = elapsed_s * every.chip_w * count
    steps = staircase(np.where(every.fits[:, None], np.column_stack([elapsed_s, chip_j]), np.inf))
    plans = [every.one(int(index)) for index in steps]
    found = []
    for place in places or [""]:
        there = scenario
        if place:
            there = scenario.model_copy(update={"site": moved_site(scenario.site, place)})
        costs = np.array([
            _costs(elapsed_s[i], chip_j[i], count, hardware.power_boundary,
                   placed(there, hardware.power_boundary, hardware.watts(float(every.chip_w[i]))))
            for i in steps
        ])  # fmt: skip
        found.append(Cell(
            scenario=there, model=scenario.name, sparse=bool(float(shape.n_moe_layers)),
            place=place or there.site.resolve().name, plans=plans, costs=costs,
            feasible=int(every.fits.sum()), considered=len(every),
        ))  # fmt: skip
    return found


def tokens_of(scenario: Scenario) -> float:
    """Tokens of the whole run."""
    return scenario.run.total_tokens(float(scenario.model.resolve().seq_len))


def _costs(elapsed_s: float, chip_j: float, count: int, boundary: Boundary, site: Site) -> Array:
    """Weeks, MWh of the facility, tonnes of CO2e, dollars of a plan; as `energy.footprint`."""
    one = Quantity.exact(1.0, "J", "a joule", Origin.ASSUMED)
    raised = facility.raised({boundary: one}, site.steps())[Boundary.FACILITY].numbers()[0]
    joules = chip_j * raised
    grams = joules / J_PER_KWH * site.grid_location.numbers()[0]
    dollars = np.nan
    if site.chip_price.value is not None:
        dollars = elapsed_s / S_PER_HOUR * count * site.chip_price.value
    elif site.electricity_price.value is not None:
        dollars = joules / J_PER_KWH * site.electricity_price.value
    return np.array([elapsed_s / S_PER_WEEK, joules / J_PER_MWH, grams / G_PER_T, dollars])
