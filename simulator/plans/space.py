"""The space of plans of a model on some chips, built as arrays: no loop runs over plans.

Degrees come first: those that do not multiply to the chips or do not divide the model are counted
by the first rule that they break. What is left is crossed with micro-batches, ZeRO and its shards,
and modes (`simulator.plans.axes`). A coarse space has powers of two, for searches that are one of
many; a fine one has every divisor, shards over a part of the ranks, and a tensor parallel degree of
the experts of their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.errors import InfeasibleError, InputError
from energy.shape import Shape
from simulator.physics.plan import AXES, Plan, with_columns
from simulator.plans.axes import Axes, Choices, Rows, powers

MOST_STAGES = 64

MOST_TENSOR = 64

MOST_CONTEXT = 16

MOST_EXPERT = 512

LEAST_ROWS = {False: 2048, True: 512}
"""Tokens of a sequence that context parallelism leaves on a chip, by whether the space is fine."""


LEAST_COLUMNS = 2048
"""Width of an expert that its own tensor parallelism leaves on a chip."""


CHUNKS = {False: (1, 2, 4, 8, 16), True: (1, 2, 3, 4, 6, 8, 12, 16, 24)}

UNEVEN = (1, 2, 4)
"""Virtual stages of a fine space where no number of stages divides the layers evenly."""


@dataclass(frozen=True)
class Space:
    """Plans that are possible, and the rules that others break.

    Attributes:
        base: formats and execution that are not searched, chips and batch.
        rows: degrees and virtual stages that are possible, an array each.
        choices: values of the axes that are not free.
        fine: every divisor instead of powers of two.
        tried: combinations of tensor, pipeline, context and expert degrees.
        ruled_out: of them, the impossible ones, by the first rule that they break.
    """

    base: Plan
    rows: Rows
    choices: Choices
    fine: bool
    tried: int
    ruled_out: dict[str, int]

    @cached_property
    def axes(self) -> Axes:
        """What each row is crossed with."""
        return Axes.of(self.choices, int(self.rows["ranks"].max(initial=1)), fine=self.fine)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Rows, and values of each axis."""
        return (len(self.rows["tp"]), *self.axes.sizes.values())

    @property
    def plans_of_a_row(self) -> int:
        """Places of one row, of which some are no plans."""
        return math.prod(self.axes.sizes.values())

    def at(self, places: NDArray[np.int64]) -> Plan:
        """Plans as one plan of arrays, by their places in the product of rows and axes."""
        row, *indices = np.unravel_index(places, self.sizes)
        rows = {name: value[row] for name, value in self.rows.items()}
        return self.plan_of(rows, dict(zip(self.axes.sizes, indices, strict=True)))

    def plan_of(self, rows: Rows, at: Mapping[str, NDArray[np.int64]]) -> Plan:
        """Plans of arrays that broadcast: rows of degrees, and indices of values of the axes."""
        columns = {name: rows[name] for name in (*AXES, "n_chips", "global_batch") if name in rows}
        return with_columns(self.base, columns | self.axes.columns(rows, at))


def space(
    shape: Shape,
    n_chips: int,
    global_batch: float,
    base: Plan,
    choices: Choices,
    *,
    fine: bool = False,
) -> Space:
    """Every plan that is possible on some chips.

    Args:
        shape: of the model (numbers).
        n_chips: of the run.
        global_batch: sequences of a step.
        base: formats and execution that are not searched.
        choices: values of the axes that are not free.
        fine: every divisor instead of powers of two.

    Raises:
        InfeasibleError: no combination is possible.
    """
    rows = _tried(shape, n_chips, choices, fine)
    tried = len(rows["tp"])
    left, broken = np.ones(tried, dtype=bool), {}
    for rule, holds in _rules(shape, n_chips, global_batch, choices, fine, rows).items():
        # Counted by the first rule only.
        if count := int(np.sum(left & ~holds)):
            broken[rule] = count
        left &= holds
    rows = _kept(rows, left)
    if not len(rows["tp"]):
        raise InfeasibleError(
            f"expected degrees that multiply to {n_chips:,} chips and divide the model evenly",
            f"{float(shape.n_layers):g} layers, {float(shape.n_heads):g} heads, "
            f"{global_batch:,.0f} sequences: {'; '.join(broken)}",
            "another number of chips, or a larger batch",
        )
    rows = _stages(rows, float(shape.n_layers), choices, fine)
    rows["ranks"] = n_chips // (rows["tp"] * rows["pp"] * rows["cp"])
    rows["local"] = global_batch / rows["ranks"]
    rows["n_chips"] = np.full(len(rows["tp"]), n_chips)
    rows["global_batch"] = np.full(len(rows["tp"]), global_batch, float)
    return Space(
        replace(base, n_chips=n_chips, global_batch=global_batch),
        rows,
        choices,
        fine,
        tried,
        broken,
    )


def implied(named: dict[str, Any]) -> Choices:
    """Values of axes that follow from the fields that a plan names.

    No context parallelism where the other degrees are named and this one is not; the stages that a
    schedule other than 1F1B allows.

    Raises:
        InputError: the plan names stages that its schedule does not allow.
    """
    choices: Choices = {"cp": [1]} if {"tp", "pp"} <= set(named) else {}
    schedule = named.get("schedule", "1f1b")
    if schedule != "1f1b":
        _require(named, "vp", named.get("vp", 1) == 1, "1")
        choices["vp"] = [1]
    if schedule == "dualpipe":
        _require(named, "pp", named.get("pp", 2) % 2 == 0, "an even number")
        choices["pp"] = list(range(2, MOST_STAGES + 1, 2))
    return choices


def _require(named: dict[str, Any], field: str, fulfilled: bool, expectation: str) -> None:
    if not fulfilled:
        raise InputError(
            f"expected plan.{field} to be {expectation} with plan.schedule {named['schedule']}",
            f"{named[field]}",
            f"leave plan.{field} out, or take the schedule 1f1b",
        )


def joined(spaces: Sequence[Space]) -> Space:
    """Spaces of one model that differ in chips, batch and degrees alone, as one space."""
    first = spaces[0]
    rows = {name: np.concatenate([part.rows[name] for part in spaces]) for name in first.rows}
    return replace(first, rows=rows)


def _tried(shape: Shape, n_chips: int, choices: Choices, fine: bool) -> Rows:
    """All combinations of tensor, pipeline, context and expert degrees."""
    divisors = _divisors(n_chips, max(MOST_STAGES, MOST_TENSOR))
    experts, moe = int(float(shape.n_experts)), float(shape.n_moe_layers) > 0

    def degrees(most: int) -> list[int]:
        return [i for i in divisors if i <= most] if fine else powers(most)

    # 0 stands for "as tp" until tp is known.
    options: Choices = {
        "tp": degrees(MOST_TENSOR),
        "pp": [i for i in divisors if i <= MOST_STAGES],
        "cp": degrees(MOST_CONTEXT),
        "ep": (_divisors(experts, MOST_EXPERT) if fine else powers(MOST_EXPERT)) if moe else [1],
        "etp": (degrees(MOST_TENSOR) if fine else [1, 0]) if moe else [1],
    }
    rows: Rows = {}
    for name, values in options.items():
        rows = _crossed(rows, name, choices.get(name, values))
    rows = _kept(rows, (rows["etp"] != 0) | (rows["tp"] != 1))
    rows["etp"] = np.where(rows["etp"] == 0, rows["tp"], rows["etp"])
    return rows


def _rules(
    shape: Shape, n_chips: int, global_batch: float, choices: Choices, fine: bool, rows: Rows
) -> dict[str, NDArray[np.bool_]]:
    """What degrees must fulfill, each rule in the words of those that break it."""
    tp, pp, cp, ep, etp = (rows[name] for name in ("tp", "pp", "cp", "ep", "etp"))
    ranks = n_chips // (tp * pp * cp)
    short = (cp > 1) & (float(shape.seq_len) / cp < LEAST_ROWS[fine])
    narrow = (etp > 1) & (etp != tp) & (float(shape.d_expert) / etp < LEAST_COLUMNS)
    return {
        "tp does not divide the heads": float(shape.n_heads) % tp == 0,
        "more stages than layers": pp <= float(shape.n_layers),
        "cp does not divide the sequence": float(shape.seq_len) % cp == 0,
        "cp leaves too few tokens of a sequence": ~short | ("cp" in choices),
        "tp x pp x cp does not divide the chips": n_chips % (tp * pp * cp) == 0,
        "more data parallel ranks than sequences": ranks <= global_batch,
        "ep does not divide the experts": float(shape.n_experts) % ep == 0,
        "etp leaves experts too narrow": ~narrow | ("etp" in choices),
        "ep x etp does not divide tp x cp x dp": (n_chips // pp) % (ep * etp) == 0,
        "ZeRO 3 in a pipeline": (pp == 1) | (choices.get("zero") != [3]),
    }


def _stages(rows: Rows, layers: float, choices: Choices, fine: bool) -> Rows:
    """Virtual stages that divide the layers evenly; a few where no number of stages does."""
    if "vp" in choices:
        return _crossed(rows, "vp", choices["vp"])
    rows = _crossed(rows, "vp", CHUNKS[fine])
    vp, chunks = rows["vp"], rows["pp"] * rows["vp"]
    uneven = fine & (layers % rows["pp"] != 0) & np.isin(vp, UNEVEN)
    cut = (layers % chunks == 0) | uneven
    return _kept(rows, (vp == 1) | ((rows["pp"] > 1) & (chunks <= layers) & cut))


def _crossed(rows: Rows, name: str, values: Any) -> Rows:
    """Each row with each value, in the order of both."""
    column = np.array(values)
    if not rows:
        return {name: column}
    count = len(next(iter(rows.values())))
    longer = {key: np.repeat(value, len(column)) for key, value in rows.items()}
    return longer | {name: np.tile(column, count)}


def _kept(rows: Rows, holds: NDArray[np.bool_]) -> Rows:
    return {name: value[holds] for name, value in rows.items()}


def _divisors(number: int, most: int) -> list[int]:
    return [i for i in range(1, min(number, most) + 1) if number % i == 0]
