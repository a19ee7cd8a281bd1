"""The plans that a published row may have run: its cells, and a search over what it leaves out.

Every row becomes one or more complete plans. Nobody knows which of them it ran, so the fastest
one that fits in memory is assumed: whoever publishes a figure has searched for it. All plans of
all rows are one set of arrays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.shape import Shape
from simulator.facts.assumptions import step_tokens
from simulator.facts.software import BASELINE, FIRST, WIDE_PRECISIONS
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.plan import Plan, select
from simulator.physics.power import activity_weights
from simulator.published.throughput import TRAINED_FIELDS, ThroughputRow

DEGREES = (1, 2, 4, 8)

STAGES = (1, 2, 4, 8, 16)

VIRTUAL_STAGES = (2, 4, 8)

EXPERT_DEGREES = (1, 2, 4, 8, 16, 32, 64, 128)

MICRO_BATCHES = (1, 2, 4, 8, 16, 32)

UNSEARCHED = (BASELINE, FIRST)
"""How tuned software is whose authors have not searched for its fastest plan."""

LONG_SEQUENCE = 16384
"""Tokens above which context parallelism is tried."""

MESSAGES = {
    "expert_messages": Plan.expert_messages,
    "expert_nodes": Plan.expert_nodes,
    "expert_overlap": Plan.expert_overlap,
    "tensor_overlap": Plan.tensor_overlap,
}
"""Fields on messages that rows or software may name, and what they are otherwise."""

PlanFields = dict[str, Any]


@dataclass(frozen=True)
class Candidates:
    """All plans of all rows as arrays of one length.

    Attributes:
        row: index of the row that each plan belongs to.
        shape: of the models.
        plan: the plans.
        hardware: of the chips.
        groups: the group of each plan in the groupings that `simulator.fit.pool` pools by.
        searched: by row, the names of the fields that its plans differ in.
    """

    row: NDArray[np.int64]
    shape: Shape
    plan: Plan
    hardware: Hardware
    groups: dict[str, NDArray[np.str_]]
    searched: tuple[tuple[str, ...], ...]

    def take(self, index: NDArray[np.int64]) -> Candidates:
        """The plans at some places of the arrays."""
        return replace(
            self,
            row=self.row[index],
            shape=select(self.shape, index),
            plan=select(self.plan, index),
            hardware=select(self.hardware, index),
            groups={name: words[index] for name, words in self.groups.items()},
        )

    def of_rows(self, index: NDArray[np.int64]) -> Candidates:
        """All plans of some rows, which are counted anew.

        Args:
            index: the rows, in rising order.
        """
        kept = self.take(np.flatnonzero(np.isin(self.row, index)))
        searched = tuple(self.searched[place] for place in index.tolist())
        return replace(kept, row=np.searchsorted(index, kept.row), searched=searched)


def candidates(rows: Sequence[ThroughputRow], constants: Constants) -> Candidates:
    """Every plan that each row may have run.

    Args:
        rows: of published throughput.
        constants: for the watts of chips that nobody measured.
    """
    plans_by_row = [plans_of(row) for row in rows]
    plans = list(chain.from_iterable(plans_by_row))
    row_index = np.repeat(np.arange(len(rows)), [len(plans) for plans in plans_by_row])
    columns: PlanFields = {name: np.array([plan[name] for plan in plans]) for name in plans[0]}
    if all(plan["trained"] == Plan.trained for plan in plans):
        for name in TRAINED_FIELDS:
            del columns[name]
    groups = {
        "architecture": [row.chip.architecture or "other" for row in rows],
        "software": [row.software.name for row in rows],
        "framework": [row.framework for row in rows],
        "release": [row.release for row in rows],
        "kind": [row.kind for row in rows],
        "tuned": [row.tuned for row in rows],
        "chip": [row.chip.id for row in rows],
    }
    return Candidates(
        row=row_index,
        shape=select(_as_arrays(Shape, [row.shape for row in rows]), row_index),
        plan=Plan(**columns),
        hardware=select(
            _as_arrays(Hardware, [_hardware(row, constants) for row in rows]), row_index
        ),
        groups={name: np.array(words)[row_index] for name, words in groups.items()},
        searched=tuple(_searched(plans) for plans in plans_by_row),
    )


def plans_of(row: ThroughputRow) -> list[PlanFields]:
    """The fields of the plans that one row may have run; a row that names all has a single plan."""
    plans = [
        _plan(row, degrees, batch, *choices)
        for degrees in _degrees(row)
        for batch, *choices in product(
            _batches(row, degrees),
            _virtual_stages(row, degrees),
            _expert_degrees(row),
            _known(row, "recompute", (*row.software.recompute, *row.software.recompute_modules)),
        )
    ]
    return [plan for plan in plans if _experts_fit(plan)] or plans


@dataclass(frozen=True)
class _Degrees:
    tp: int
    pp: int
    cp: int
    dp: int


@dataclass(frozen=True)
class _Batch:
    """Sequences of a micro-batch, and of a step on one data parallel rank."""

    micro: float
    local: float


def _known(row: ThroughputRow, name: str, otherwise: Sequence[Any]) -> Sequence[Any]:
    """The value of a field that the row names; else the values to try."""
    return [row.fields[name]] if name in row.fields else otherwise


def _is_moe(row: ThroughputRow) -> bool:
    return float(row.shape.n_moe_layers) > 0


def _has_torus(row: ThroughputRow) -> bool:
    return bool(row.chip.link_axes)


def _degrees(row: ThroughputRow) -> Iterator[_Degrees]:
    """Tensor, pipeline and context parallel degrees; the rest of the chips is data parallel."""
    no_stages = _has_torus(row) or row.fields.get("zero") == 3
    short = float(row.shape.seq_len) <= LONG_SEQUENCE
    tps = _known(row, "tp", [degree for degree in DEGREES if row.shape.n_heads % degree == 0])
    pps = _known(row, "pp", [1] if no_stages else STAGES)
    cps = _known(row, "cp", [1] if short else DEGREES)
    for tp, pp, cp in product(tps, pps, cps):
        dp = row.n_chips // (tp * pp * cp)
        if dp >= 1:
            yield _Degrees(tp, pp, cp, dp)


def _batches(row: ThroughputRow, degrees: _Degrees) -> list[_Batch]:
    """Micro-batches of at most the sequences of a rank."""
    # Without a known batch, sharded data parallelism does one micro-batch per step.
    is_sharded = row.fields.get("zero") == 3 and degrees.pp == 1
    single = "global_batch" not in row.fields and is_sharded
    batch = row.fields.get("global_batch") or _usual_batch(row, degrees.dp)
    local = max(batch / degrees.dp, 1)
    # Nobody has searched for the plan of a baseline: one sequence at a time, as by default.
    tried = MICRO_BATCHES if row.tuned not in UNSEARCHED else (1,)
    sizes = [size for size in tried if size <= local or single] or [1]
    return [
        _Batch(micro, micro if single else local) for micro in _known(row, "micro_batch", sizes)
    ]


def _usual_batch(row: ThroughputRow, dp: int) -> float:
    """Sequences of a step where none is named: a usual number of tokens, in whole micro-batches."""
    usual = max(step_tokens().numbers()[0] / float(row.shape.seq_len), 1)
    least = (row.fields.get("micro_batch") or 1) * dp
    return max(usual // least, 1) * least


def _virtual_stages(row: ThroughputRow, degrees: _Degrees) -> Sequence[int]:
    """Interleaved stages to try: none, and numbers that leave every one at least a layer."""
    if degrees.pp == 1 or not row.software.virtual_stages or "schedule" in row.fields:
        return _known(row, "vp", [1])
    stage_layers = int(float(row.shape.n_layers)) // degrees.pp
    return _known(row, "vp", [1, *(number for number in VIRTUAL_STAGES if number <= stage_layers)])


def _expert_degrees(row: ThroughputRow) -> Sequence[int]:
    dividing = [degree for degree in EXPERT_DEGREES if row.shape.n_experts % degree == 0]
    return _known(row, "ep", dividing if _is_moe(row) else [1])


def _zero_stage(row: ThroughputRow, degrees: _Degrees) -> int:
    """The ZeRO stage that the row names, or the usual one of its chip and software."""
    if "zero" in row.fields:
        named = int(row.fields["zero"])
        return min(named, 1) if row.software.stages_gather_once and degrees.pp > 1 else named
    alone = degrees.tp * degrees.pp == 1
    if _has_torus(row) or (alone and row.software.zero == 3):
        return 3
    return min(row.software.zero, 1)


def _plan(
    row: ThroughputRow, degrees: _Degrees, batch: _Batch, vp: int, ep: int, recompute: str
) -> PlanFields:
    """The fields of one plan."""
    fields_, software, zero = row.fields, row.software, _zero_stage(row, degrees)
    etp = degrees.tp if _is_moe(row) and not software.folds else 1
    limited = fields_.get("capacity_limited", False)
    one_hot = software.one_hot == "all" or (limited and software.one_hot == "capacity")
    # Megatron-LM forces sums of 32 bits with bf16 only, and DeepSpeed sends fp16 as it is.
    narrow_sums = software.narrow_sums or row.precision == "fp16"
    plan: PlanFields = {
        "n_chips": degrees.tp * degrees.pp * degrees.cp * degrees.dp,
        "tp": degrees.tp,
        "pp": degrees.pp,
        "vp": vp,
        "schedule": fields_.get("schedule", "1f1b"),
        "ep": ep,
        "etp": fields_.get("etp", etp),
        "cp": degrees.cp,
        "zero": zero,
        "shard": fields_.get("shard") or degrees.dp,
        "global_batch": float(batch.local * degrees.dp),
        "micro_batch": float(min(batch.micro, batch.local)),
        "recompute": recompute,
        "recompute_share": fields_.get("recompute_share", 1.0),
        "sequence_parallel": fields_.get("sequence_parallel", True),
        "capacity_factor": fields_.get("capacity_factor", 1.0),
        "imbalance": fields_.get("imbalance", 1.0),
        "dispatch": "one-hot" if _is_moe(row) and one_hot else "sort",
        "dispatch_group": float(row.shape.seq_len) if limited else Plan.dispatch_group,
        "gradient_bytes": 2 if zero == 3 or narrow_sums else 4,
    }
    plan |= software.execution() | software.formats(_stored(row.precision))
    plan["optimizer"] = fields_.get("optimizer", plan["optimizer"])
    plan |= {name: fields_.get(name, getattr(Plan, name)) for name in TRAINED_FIELDS}
    for name in MESSAGES:
        plan[name] = fields_.get(name, plan.get(name, MESSAGES[name]))
    if _has_torus(row):
        plan["weight_bytes"] = 4
    return plan


def _stored(precision: str) -> str:
    """The precision by whose formats a published run stores numbers: mixed where it is wide."""
    return "bf16" if precision in WIDE_PRECISIONS else precision


def _experts_fit(plan: PlanFields) -> bool:
    """Whether the chips of a stage are a multiple of the chips of one copy of all experts."""
    stage_chips = plan["n_chips"] // plan["pp"]
    return bool(stage_chips % (plan["ep"] * plan["etp"]) == 0)


def _searched(plans: Sequence[PlanFields]) -> tuple[str, ...]:
    """Fields in which the plans of a row differ."""
    return tuple(sorted(name for name in plans[0] if len({plan[name] for plan in plans}) > 1))


def _hardware(row: ThroughputRow, constants: Constants) -> Hardware:
    hardware = Hardware.from_chip(row.chip, row.precision, constants)
    weights = activity_weights(hardware, constants)
    # Numbers in all rows, so that rows of several chips become arrays.
    return replace(
        hardware,
        peak_16bit_flop_per_s=hardware.wide_flop_per_s,
        memory_power_share=float(weights["memory"]),
        wait_share=float(weights["wait"]),
        network_bytes_per_s=row.network_bytes_per_s or hardware.network_bytes_per_s,
    )


def _as_arrays(kind: Any, items: Sequence[Any]) -> Any:
    """One object of arrays from many objects of numbers; other fields are those of the first."""
    values = {}
    for item in fields(kind):
        first = getattr(items[0], item.name)
        if isinstance(first, int | float):
            number = bool if isinstance(first, bool) else float
            values[item.name] = np.array([getattr(entry, item.name) for entry in items], number)
        else:
            values[item.name] = first
    return kind(**values)
