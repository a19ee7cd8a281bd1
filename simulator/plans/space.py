"""The space of plans of a model on some chips, made as arrays: no loop runs over plans.

Degrees come first: those that do not multiply to the chips or do not cut the model are counted by
the first rule that they break. What is left is crossed, block by block, with micro-batches, ZeRO
and its shards, and modes. A coarse space has powers of two, for searches that are one of many; a
fine one has every divisor, shards over a part of the ranks, and experts cut apart from the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.errors import InfeasibleError
from energy.shape import Shape
from simulator.physics.plan import AXES, Plan

MOST_STAGES = 64


MOST_TENSOR = 64


MOST_CONTEXT = 16


MOST_EXPERT = 512


LEAST_ROWS = {False: 2048, True: 512}
"""Tokens of a sequence that context parallelism leaves on a chip, by whether the space is fine."""


LEAST_COLUMNS = 2048
"""Width of an expert that cutting it leaves, unless it is cut as the rest is."""


MICRO = {False: (1, 2, 4, 8, 16), True: (1, 2, 3, 4, 6, 8, 12, 16)}


CHUNKS = {False: (1, 2, 4, 8, 16), True: (1, 2, 3, 4, 6, 8, 12, 16, 24)}


UNEVEN = (1, 2, 4)
"""Virtual stages of a fine space where no number of stages cuts the layers evenly."""


BLOCK = 96
"""Rows of degrees that are crossed at once: some 25,000 plans, few enough for a core's caches and
so many that calls cost little beside them."""


Rows = dict[str, NDArray[Any]]


Given = dict[str, list[Any]]


@dataclass(frozen=True)
class Space:
    """Plans that are possible, and what others broke.

    Attributes:
        base: widths and execution that are not searched, chips and batch.
        rows: degrees and virtual stages that are possible, an array each.
        given: degrees and modes to choose from, where not all are.
        fine: every divisor instead of powers of two.
        tried: combinations of tensor, pipeline, context and expert degrees.
        ruled_out: of them, those that cannot be, by the first rule that they break.
    """

    base: Plan
    rows: Rows
    given: Given
    fine: bool
    tried: int
    ruled_out: dict[str, int]

    def starts(self, size: int) -> range:
        """First rows of its blocks of some rows."""
        return range(0, len(self.rows["tp"]), size)

    def plans(self, first: int = 0, size: int | None = None) -> Plan:
        """The plans of some rows, or all, as one plan of arrays."""
        last = None if size is None else first + size
        found = {name: value[first:last] for name, value in self.rows.items()}
        found = _micro_batches(found, self.given, self.fine)
        found = _sharding(found, self.given, self.fine)
        found = _modes(found, self.given)
        columns: dict[str, Any] = {name: found[name] for name in AXES if name in found}
        return replace(self.base, **columns)


def space(
    shape: Shape, n_chips: int, global_batch: float, base: Plan, given: Given, *, fine: bool = False
) -> Space:
    """Every plan that is possible on some chips.

    Args:
        shape: of the model (numbers).
        n_chips: of the run.
        global_batch: sequences of a step.
        base: widths and execution that are not searched.
        given: degrees and modes to choose from, where not all are.
        fine: every divisor instead of powers of two.

    Raises:
        InfeasibleError: no combination is possible.
    """
    found = _tried(shape, n_chips, given, fine)
    tried = len(found["tp"])
    left, broken = np.ones(tried, dtype=bool), {}
    for rule, holds in _rules(shape, n_chips, global_batch, given, fine, found).items():
        # Counted by the first rule only: what is broken already is not asked again.
        if count := int(np.sum(left & ~holds)):
            broken[rule] = count
        left &= holds
    found = _kept(found, left)
    if not len(found["tp"]):
        raise InfeasibleError(
            f"expected degrees that multiply to {n_chips:,} chips and cut the model evenly",
            f"{float(shape.n_layers):g} layers, {float(shape.n_heads):g} heads, "
            f"{global_batch:,.0f} sequences: {'; '.join(broken)}",
            "another number of chips, or a larger batch",
        )
    found = _stages(found, float(shape.n_layers), given, fine)
    found["ranks"] = n_chips // (found["tp"] * found["pp"] * found["cp"])
    found["local"] = global_batch / found["ranks"]
    return Space(
        replace(base, n_chips=n_chips, global_batch=global_batch), found, given, fine, tried, broken
    )


def _tried(shape: Shape, n_chips: int, given: Given, fine: bool) -> Rows:
    """All combinations of tensor, pipeline, context and expert degrees."""
    divisors = _divisors(n_chips, max(MOST_STAGES, MOST_TENSOR))
    experts, moe = int(float(shape.n_experts)), float(shape.n_moe_layers) > 0

    def degrees(most: int) -> list[int]:
        return [i for i in divisors if i <= most] if fine else _powers(most)

    # An expert that is cut as the rest is stands as 0 until the rest is known.
    options: Given = {
        "tp": degrees(MOST_TENSOR),
        "pp": [i for i in divisors if i <= MOST_STAGES],
        "cp": degrees(MOST_CONTEXT),
        "ep": (_divisors(experts, MOST_EXPERT) if fine else _powers(MOST_EXPERT)) if moe else [1],
        "etp": (degrees(MOST_TENSOR) if fine else [1, 0]) if moe else [1],
    }
    found: Rows = {}
    for name, values in options.items():
        found = _crossed(found, name, given.get(name, values))
    found = _kept(found, (found["etp"] != 0) | (found["tp"] != 1))
    found["etp"] = np.where(found["etp"] == 0, found["tp"], found["etp"])
    return found


def _rules(
    shape: Shape, n_chips: int, global_batch: float, given: Given, fine: bool, found: Rows
) -> dict[str, NDArray[np.bool_]]:
    """What degrees must fulfil, in words of those that do not."""
    tp, pp, cp, ep, etp = (found[name] for name in ("tp", "pp", "cp", "ep", "etp"))
    ranks = n_chips // (tp * pp * cp)
    short = (cp > 1) & (float(shape.seq_len) / cp < LEAST_ROWS[fine])
    narrow = (etp > 1) & (etp != tp) & (float(shape.d_expert) / etp < LEAST_COLUMNS)
    return {
        "tp does not divide the heads": float(shape.n_heads) % tp == 0,
        "more stages than layers": pp <= float(shape.n_layers),
        "cp does not divide the sequence": float(shape.seq_len) % cp == 0,
        "cp leaves too few tokens of a sequence": ~short | ("cp" in given),
        "tp x pp x cp does not divide the chips": n_chips % (tp * pp * cp) == 0,
        "more data parallel ranks than sequences": ranks <= global_batch,
        "ep does not divide the experts": float(shape.n_experts) % ep == 0,
        "etp leaves experts too narrow": ~narrow | ("etp" in given),
        "ep x etp does not divide tp x cp x dp": (n_chips // pp) % (ep * etp) == 0,
    }


def _stages(found: Rows, layers: float, given: Given, fine: bool) -> Rows:
    """Virtual stages that cut the layers evenly; a few where no number of stages does."""
    if "vp" in given:
        return _crossed(found, "vp", given["vp"])
    found = _crossed(found, "vp", CHUNKS[fine])
    vp, chunks = found["vp"], found["pp"] * found["vp"]
    uneven = fine & (layers % found["pp"] != 0) & np.isin(vp, UNEVEN)
    cut = (layers % chunks == 0) | uneven
    return _kept(found, (vp == 1) | ((found["pp"] > 1) & (chunks <= layers) & cut))


def _micro_batches(found: Rows, given: Given, fine: bool) -> Rows:
    """Micro-batches of at most a rank's sequences; all of them where every one is larger."""
    values = sorted(float(size) for size in given.get("micro_batch", MICRO[fine]))
    found = _crossed(found, "micro_batch", values)
    least = found["micro_batch"] == values[0]
    found["micro_batch"] = np.where(
        least, np.minimum(values[0], found["local"]), found["micro_batch"]
    )
    return _kept(found, least | (found["micro_batch"] <= found["local"]))


def _sharding(found: Rows, given: Given, fine: bool) -> Rows:
    """ZeRO stages, without 3 in a pipeline, and the ranks that shards span: all, a half, ...

    Stage 2 is not searched: what it sends with each micro-batch no formula has yet.
    """
    found = _crossed(found, "zero", given.get("zero", [0, 1, 3]))
    found = _kept(found, (found["zero"] != 3) | (found["pp"] == 1))
    if "shard" in given:
        return _crossed(found, "shard", given["shard"])
    if not fine:
        return found
    found = _crossed(found, "parts", _powers(int(found["ranks"].max(initial=1))))
    parts = found.pop("parts")
    found["shard"] = found["ranks"] // parts
    some = (found["zero"] > 0) & (found["ranks"] % parts == 0) & (found["shard"] > 1)
    return _kept(found, (parts == 1) | some)


def _modes(found: Rows, given: Given) -> Rows:
    """Recomputation, and sequence parallelism: alike where nothing is tensor parallel."""
    found = _crossed(found, "recompute", given.get("recompute", ["none", "selective", "full"]))
    spread = given.get("sequence_parallel", [True, False])
    found = _crossed(found, "sequence_parallel", spread)
    alone = found["tp"] == 1
    found = _kept(found, ~alone | (found["sequence_parallel"] == spread[0]))
    found["sequence_parallel"] = found["sequence_parallel"] | (found["tp"] == 1)
    return found


def _crossed(found: Rows, name: str, values: Any) -> Rows:
    """Each row with each value, in the order of both."""
    column = np.array(values)
    if not found:
        return {name: column}
    rows = len(next(iter(found.values())))
    longer = {key: np.repeat(value, len(column)) for key, value in found.items()}
    return longer | {name: np.tile(column, rows)}


def _kept(found: Rows, holds: NDArray[np.bool_]) -> Rows:
    return {name: value[holds] for name, value in found.items()}


def _powers(most: int) -> list[int]:
    return [2**i for i in range(most.bit_length())]


def _divisors(number: int, most: int) -> list[int]:
    return [i for i in range(1, min(number, most) + 1) if number % i == 0]
