"""The fastest plan of every cell: models on chips, counts and places, a row each.

`pareto` says what nothing beats and `feasible` what keeps to limits; this says what every choice
takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from energy.quantity import Quantity
from simulator.kit.answer import Answer
from simulator.questions.sweep.cells import Cell, Choices, Configuration
from simulator.questions.sweep.known import missing_facts, unequal_tokens
from simulator.questions.sweep.models import models
from simulator.questions.sweep.search import search_cells
from simulator.runs.assumed import left_open
from simulator.scenarios.request import Target, Tokens


@dataclass(frozen=True, kw_only=True)
class Fastest(Configuration):
    """The fastest plan of a cell; of equally fast ones that with the least energy."""

    @property
    def amounts(self) -> dict[str, Quantity]:
        """What it takes with bands: hours, facility MWh and MW, tonnes of CO2e, dollars."""
        known = self.spend.by_budget()
        return {
            "time_h": known["days"].scaled(24, "h"),
            "energy_mwh": known["mwh"],
            "power_mw": known["mw"],
            "co2_t": known["co2"],
            "cost_usd": known["usd"],
        }


@dataclass(frozen=True, kw_only=True, repr=False)
class Sweep(Answer):
    """What every choice takes with its fastest plan.

    Attributes:
        name: of the scenario.
        rows: in the order of models, chips, counts and places.
        left_out: choices without an answer, with the reason.
        notes: what a reader must know.
    """

    view: ClassVar[str] = "fastest"

    name: str
    rows: list[Fastest]
    left_out: dict[str, str]
    notes: tuple[str, ...]

    @property
    def headline(self) -> str:
        """How much was predicted."""
        plans = sum(row.cell.considered for row in self.rows)
        choices = "1 choice" if len(self.rows) == 1 else f"{len(self.rows):,} choices"
        return f"{self.name}: the fastest of {plans:,} plans, for {choices}"

    @property
    def title(self) -> str:
        """The choices of the least time and of the least energy."""
        parts = []
        for name, word in (("time_h", "least time"), ("energy_mwh", "least energy")):
            known = [row for row in self.rows if row.amounts[name].value is not None]
            if known:
                best = min(known, key=lambda row: row.amounts[name].numbers()[0])
                hardware = best.cell.scenario.hardware
                parts.append(
                    f"{word} {best.amounts[name].human()} with {best.cell.model} on "
                    f"{hardware.count:,} {hardware.chip}"
                )
        return "; ".join(parts) or self.headline

    @property
    def left_open(self) -> str:
        """What was assumed of the first row."""
        return left_open(self.rows[0].prediction.estimate)

    @property
    def panel_size(self) -> tuple[float, float]:
        """Inches of one panel."""
        return 8, 3.2


def sweep(
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
) -> Sweep:
    """Predict every model on every chip, count and place, each with its fastest plan.

    >>> from simulator import sweep
    >>> rows = sweep("glam-8b", chip="h100", chips=[64, 128], region="FIN").to_frame()
    >>> rows[["model", "chips"]].values.tolist()
    [['glam-8b', 64], ['glam-8b', 128]]
    >>> {"time_h", "time_h_low", "time_h_high", "energy_mwh", "co2_t"} <= set(rows)
    True

    Args:
        targets: a run (a scenario, a preset, a model or a file), and models to put into it.
        chip: chips of the catalog; the scenario's without any.
        chips: how many; the scenario's without any.
        region: grid zones or data centers; the scenario's site without any.
        batch: sequences of a step, each with the tokens that it needs to the same loss.
        tokens: of the run: 15e12 or "15T".
        price: rows of the table of prices.
        chip_price: dollars an hour of each chip that no row is of.
        equal: tokens, or quality: each model reads what brings it to one loss.
        beyond_range: apply the law of loss outside the range that it was fitted to.
        overrides: other values by dotted key.
        on_progress: called with a model's name and the plans of each block that is done.

    Raises:
        InputError: a name is unknown, or nothing can be searched.
        InfeasibleError: no plan of any choice fits in memory.
    """
    choices = Choices.of(chip, chips, region, price, chip_price, batch)
    named = models(targets, choices, tokens, overrides, equal, beyond_range=beyond_range)
    search = search_cells(named.scenarios, choices, _fastest, on_progress)
    cells = [row.cell for row in search.kept]
    return Sweep(
        name=named.name,
        rows=search.kept,
        left_out=search.reasons,
        notes=(*named.notes, *unequal_tokens(cells), *missing_facts(cells)),
    )


def _fastest(cell: Cell) -> Fastest:
    """The cell with its fastest plan alone."""
    weeks, mwh = cell.costs[:, 0], cell.costs[:, 1]
    first = np.lexsort((np.where(np.isfinite(mwh), mwh, 0.0), weeks))[:1]
    return Fastest(cell=cell.take(first), index=0)
