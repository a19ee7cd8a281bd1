"""The front of time, energy, CO2e and money over models, chips, counts, places and plans.

Inside one cell (`simulator.questions.sweep.cells`) everything follows from the seconds and the
joules of a step, so its own front is that of two numbers; the front of all is that of what is left
of every cell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from simulator.plans.front import apart, non_dominated, reasons, staircase
from simulator.questions.sweep.cells import MEASURES, Cell, Chosen, every_cell, unequal_tokens
from simulator.scenarios.scenario import Scenario

OBJECTIVES = {name: MEASURES[name] for name in ("weeks", "mwh", "co2", "usd")}
"""What is compared; a cell's costs begin with these columns."""


WORDS = {"weeks": "time", "mwh": "energy", "co2": "CO2e", "usd": "dollars"}


@dataclass(frozen=True, kw_only=True)
class Choice(Chosen):
    """One point of the front.

    Attributes:
        why: the reason that it is on the front.
        near: more of the front that lie within `front.NEAR` of it in everything.
    """

    why: str
    near: int


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
    cells, left = every_cell(scenarios, chips, counts, places, prices, _own_front, told)
    return _front(scenarios[0].name, cells, left)


def _own_front(cell: Cell) -> Cell:
    """A cell with the plans that nothing there beats."""
    weeks = cell.costs[:, 0]
    return cell.take(staircase(np.column_stack([weeks, weeks * cell.found.chip_w])))


def _front(name: str, cells: list[Cell], left: dict[str, str]) -> Pareto:
    """The front of all cells' fronts."""
    every = np.concatenate([cell.costs for cell in cells])
    owner = [(cell, place) for cell in cells for place in range(len(cell.found))]
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
    return Pareto(
        name=name,
        choices=choices,
        cells=cells,
        objectives=known,
        on_front=len(on),
        left_out=left,
        notes=tuple(_notes(cells, known)),
    )


def _notes(cells: list[Cell], known: tuple[str, ...]) -> list[str]:
    """What must be known before points are compared."""
    notes = unequal_tokens(cells)
    if "usd" not in known:
        gone = sorted(
            {
                cell.scenario.hardware.chip or ""
                for cell in cells
                if not np.all(np.isfinite(cell.costs[:, 3]))
            }
        )
        notes.append(
            f"dollars are missing and not compared: no price of {', '.join(gone)} "
            "(--price with a row of simulator prices)"
        )
    notes.append(
        "bands are wider than most gaps of the front: what is close is told apart by the "
        "model, not by knowledge of the machines"
    )
    return notes
