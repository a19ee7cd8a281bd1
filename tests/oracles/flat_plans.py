"""Every plan of a space by itself: crossed row by row, and each evaluated with every formula.

The product computes with axes that broadcast (`simulator.plans.grid`); here each plan has its place
in flat arrays, so the same formulas see all of its numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.shape import Shape
from simulator.physics.hardware import Hardware
from simulator.physics.memory import memory
from simulator.physics.plan import AXES, Plan, with_columns
from simulator.plans.axes import MICRO
from simulator.plans.space import Space

Rows = dict[str, NDArray[Any]]


def every_plan(space: Space) -> Plan:
    """The plans of a space, as one plan of flat arrays."""
    choices, fine = space.choices, space.fine
    rows = _micro_batches(dict(space.rows), choices, fine)
    rows = _modes(_sharding(rows, choices, fine), choices)
    columns: dict[str, Any] = {name: rows[name] for name in AXES if name in rows}
    return with_columns(space.base, columns)


def largest_parts(shape: Shape, plans: Plan, hardware: Hardware) -> dict[str, int]:
    """Plans that do not fit, by the largest part of what they hold."""
    use = memory(shape, plans, hardware)
    counts: dict[str, int] = {}
    parts = {name: size for name, size in use.bytes.items() if name != "margin"}
    for index in np.flatnonzero(~use.fits):
        sizes = {n: np.broadcast_to(size, use.fits.shape)[index] for n, size in parts.items()}
        largest = max(sizes, key=lambda name: float(sizes[name]))
        counts[largest] = counts.get(largest, 0) + 1
    return counts


def _micro_batches(rows: Rows, choices: dict[str, list[Any]], fine: bool) -> Rows:
    """Micro-batches of at most a rank's sequences; all of them where every one is larger."""
    values = sorted(float(size) for size in choices.get("micro_batch", MICRO[fine]))
    rows = _crossed(rows, "micro_batch", values)
    least = rows["micro_batch"] == values[0]
    rows["micro_batch"] = np.where(least, np.minimum(values[0], rows["local"]), rows["micro_batch"])
    return _kept(rows, least | (rows["micro_batch"] <= rows["local"]))


def _sharding(rows: Rows, choices: dict[str, list[Any]], fine: bool) -> Rows:
    """ZeRO stages, without 3 in a pipeline, and the ranks that shards span: all, a half, ..."""
    rows = _crossed(rows, "zero", choices.get("zero", [0, 1, 3]))
    rows = _kept(rows, (rows["zero"] != 3) | (rows["pp"] == 1))
    if "shard" in choices:
        return _crossed(rows, "shard", choices["shard"])
    if not fine:
        return rows
    most = int(rows["ranks"].max(initial=1))
    rows = _crossed(rows, "parts", [2**i for i in range(most.bit_length())])
    parts = rows.pop("parts")
    rows["shard"] = rows["ranks"] // parts
    some = (rows["zero"] > 0) & (rows["ranks"] % parts == 0) & (rows["shard"] > 1)
    return _kept(rows, (parts == 1) | some)


def _modes(rows: Rows, choices: dict[str, list[Any]]) -> Rows:
    """Recomputation, and sequence parallelism: alike where nothing is tensor parallel."""
    rows = _crossed(rows, "recompute", choices.get("recompute", ["none", "selective", "full"]))
    spread = choices.get("sequence_parallel", [True, False])
    rows = _crossed(rows, "sequence_parallel", spread)
    rows = _kept(rows, (rows["tp"] > 1) | (rows["sequence_parallel"] == spread[0]))
    rows["sequence_parallel"] = rows["sequence_parallel"] | (rows["tp"] == 1)
    return rows


def _crossed(rows: Rows, name: str, values: Any) -> Rows:
    column = np.array(values)
    longer = {key: np.repeat(value, len(column)) for key, value in rows.items()}
    return longer | {name: np.tile(column, len(rows["tp"]))}


def _kept(rows: Rows, holds: NDArray[np.bool_]) -> Rows:
    return {name: value[holds] for name, value in rows.items()}
