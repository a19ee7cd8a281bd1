"""The front of time, energy, CO2e and money over models, chips, counts, places and plans.

Inside one cell (`simulator.questions.sweep.cells`) everything follows from the seconds and the
joules of a step, so its own front is that of two numbers; the front of all is that of what is left
of every cell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from simulator.kit.answer import Answer
from simulator.plans.front import apart, non_dominated, reasons, staircase
from simulator.questions.sweep.cells import MEASURES, Cell, Choices, Configuration
from simulator.questions.sweep.known import has_watts, missing_facts, unequal_tokens
from simulator.questions.sweep.models import models
from simulator.questions.sweep.search import Search, search_cells
from simulator.runs.assumed import left_open
from simulator.scenarios.request import Target, Tokens
from simulator.scenarios.scenario import Scenario

OBJECTIVES = {name: MEASURES[name] for name in ("weeks", "mwh", "co2", "usd")}
"""What is compared; a cell's costs begin with these columns."""


WORDS = {"weeks": "time", "mwh": "energy", "co2": "CO2e", "usd": "dollars"}


@dataclass(frozen=True, kw_only=True)
class Choice(Configuration):
    """One point of the front.

    Attributes:
        why: the reason that it is on the front.
        near: more of the front that lie within `front.NEAR` of it in everything.
    """

    why: str
    near: int


@dataclass(frozen=True, kw_only=True, repr=False)
class Pareto(Answer):
    """The front, and what was searched for it.

    Attributes:
        name: of the scenario.
        choices: the front, of near ones the first: the fastest first, of those on chips with
            measured rows of this kind of model, then of the others.
        cells: all that something could be predicted for.
        objectives: names of those that were compared.
        on_front: how many are on the front, near ones counted.
        left_out: cells without an answer, with the reason.
        notes: what a reader must know.
    """

    view: ClassVar[str] = "pareto"

    name: str
    choices: list[Choice]
    cells: list[Cell]
    objectives: tuple[str, ...]
    on_front: int
    left_out: dict[str, str]
    notes: tuple[str, ...]

    @property
    def headline(self) -> str:
        """How much is left of what was searched."""
        names = ", ".join(WORDS[name] for name in self.objectives)
        return (
            f"{self.name}: {self.on_front:,} of {self.feasible:,} configurations are on the front "
            f"of {names}"
        )

    @property
    def left_open(self) -> str:
        """What was assumed of the first of the front."""
        return left_open(self.choices[0].prediction.estimate)

    @property
    def markup(self) -> str:
        """The table of its page, which sorts by any column."""
        from simulator.questions.sweep.interactive import table

        return table(self.choices)

    @property
    def panel_size(self) -> tuple[float, float]:
        """Inches of one panel."""
        return 8, 3.6

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
    *targets: Target,
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
) -> Pareto:
    """Find what nothing else beats in weeks, MWh, tonnes and dollars, over all plans.

        pareto("glam-64b-64e", "glam-137b", chip=["tpu-v4", "h100"], chips=[1024, 2048])

    Args:
        targets: a run (a scenario, a preset, a model or a file), and models to put into it.
        chip: chips of the catalog; the scenario's without any.
        chips: how many; the scenario's without any.
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
        InputError: a name is unknown, or nothing can be searched.
        InfeasibleError: no plan of any cell fits.
    """
    choices = Choices.of(chip, chips, region, price, chip_price, batch)
    named = models(targets, choices, tokens, overrides, equal, beyond_range=beyond_range)
    front = front_of(named.scenarios, choices, on_progress)
    return replace(front, name=named.name, notes=(*named.notes, *front.notes))


def front_of(
    scenarios: Sequence[Scenario],
    choices: Choices,
    on_progress: Callable[[str, int], None] | None = None,
) -> Pareto:
    """The front of scenarios, one a model, over the choices of where they run."""
    search = search_cells(scenarios, choices, _own_front, on_progress)
    return _front(scenarios[0].name, search)


def _own_front(cell: Cell) -> Cell:
    """A cell with the plans that nothing there beats."""
    weeks, watts = cell.costs[:, 0], cell.evaluation.chip_w
    # Without watts nothing is known beyond the time.
    joules = weeks * np.where(np.isfinite(watts), watts, 1.0)
    return cell.take(staircase(np.column_stack([weeks, joules]), cell.evaluation.places))


def _front(name: str, search: Search[Cell]) -> Pareto:
    """The front of all cells' fronts."""
    known_watts = [cell for cell in search.kept if has_watts(cell)]
    cells = known_watts or search.kept
    every = np.concatenate([cell.costs for cell in cells])
    owner = [(cell, place) for cell in cells for place in range(len(cell.evaluation))]
    known = tuple(
        key for column, key in enumerate(OBJECTIVES) if np.all(np.isfinite(every[:, column]))
    )
    costs = every[:, [list(OBJECTIVES).index(key) for key in known]]
    on = np.flatnonzero(non_dominated(costs))
    groups = apart(costs[on])
    firsts = [int(on[group[0]]) for group in groups]
    why = reasons(costs[firsts], [WORDS[key] for key in known])
    choices = []
    for index, words, group in zip(firsts, why, groups, strict=True):
        cell, place = owner[index]
        choices.append(Choice(cell=cell, index=place, why=words, near=len(group) - 1))
    # What nobody measured comes after what somebody did.
    choices.sort(key=lambda choice: choice.cell.unmeasured)
    return Pareto(
        name=name,
        choices=choices,
        cells=cells,
        objectives=known,
        on_front=len(on),
        left_out=search.reasons
        | {
            f"{cell.model} on {cell.scenario.hardware.count:,} {cell.scenario.hardware.chip}": (
                "no watts of it are known, so it has time and dollars alone: name it without chips "
                "whose watts are known"
            )
            for cell in search.kept
            if known_watts and not has_watts(cell)
        },
        notes=tuple(_notes(cells, known)),
    )


def _notes(cells: list[Cell], known: tuple[str, ...]) -> list[str]:
    """What must be known before points are compared."""
    notes = [*unequal_tokens(cells), *missing_facts(cells)]
    if "usd" not in known:
        unpriced = sorted(
            {
                cell.scenario.hardware.chip or ""
                for cell in cells
                if not np.all(np.isfinite(cell.costs[:, 3]))
            }
        )
        notes.append(
            f"dollars are missing and not compared: no price of {', '.join(unpriced)} "
            "(--price with a row of simulator prices, or --chip-price)"
        )
    notes.append(
        "bands are wider than most gaps of the front: close points are distinguished by the "
        "model, not by knowledge of the machines"
    )
    return notes
