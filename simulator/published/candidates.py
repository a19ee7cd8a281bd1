"""The plans that a published row may have run: what it says, and a search over what it leaves out.

Every row becomes one or more complete plans. Which of them it ran is not known, so the fastest
that fits in memory is taken: whoever publishes a figure has looked for it. All rows and all their
plans are one set of arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.shape import Shape
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.plan import Plan, select
from simulator.published.throughput import ThroughputRow

BATCH_TOKENS = 4e6
"""Tokens of a step where a row names no batch: the middle of published runs."""


MOST_CANDIDATES = 400


DEGREES = (1, 2, 4, 8)


STAGES = (1, 2, 4, 8, 16)


MICRO = (1, 2, 4, 8, 16, 32)


Row = dict[str, Any]


@dataclass(frozen=True)
class Candidates:
    """All plans of all rows as arrays of one length.

    Attributes:
        row: index of the row that each plan belongs to.
        shape: of the models.
        plan: the plans.
        hardware: of the chips, without constants.
        groups: what constants are pooled by: the groupings of `simulator.fit.pool`, a word a plan.
        searched: by row, the names of blank fields.
    """

    row: NDArray[np.int64]
    shape: Shape
    plan: Plan
    hardware: Hardware
    groups: dict[str, NDArray[np.str_]]
    searched: tuple[tuple[str, ...], ...]

    def take(self, index: NDArray[np.int64]) -> Candidates:
        """A part of the plans."""
        return replace(
            self,
            row=self.row[index],
            shape=select(self.shape, index),
            plan=select(self.plan, index),
            hardware=select(self.hardware, index),
            groups={name: words[index] for name, words in self.groups.items()},
        )


def candidates(rows: Sequence[ThroughputRow], constants: Constants) -> Candidates:
    """Every plan that each row may have run."""
    owner: list[int] = []
    plans: list[Row] = []
    searched = []
    for number, row in enumerate(rows):
        found = plans_of(row)
        owner += [number] * len(found)
        plans += found
        blank = {name for name in found[0] if len({plan[name] for plan in found}) > 1}
        searched.append(tuple(sorted(blank)))
    index = np.array(owner)
    columns: Row = {name: np.array([plan[name] for plan in plans]) for name in plans[0]}
    return Candidates(
        row=index,
        shape=select(_stack(Shape, [row.shape for row in rows]), index),
        plan=Plan(**columns),
        hardware=select(_stack(Hardware, [_hardware(row, constants) for row in rows]), index),
        groups={
            "architecture": np.array([rows[i].chip.architecture or "other" for i in owner]),
            "software": np.array([rows[i].software.name for i in owner]),
            "framework": np.array([rows[i].framework for i in owner]),
            "release": np.array([rows[i].release for i in owner]),
        },
        searched=tuple(searched),
    )


def plans_of(row: ThroughputRow) -> list[Row]:
    """The plans that one row may have run: possible ones, or the single one that it names."""
    known, software, shape = row.fields, row.software, row.shape
    moe = float(shape.n_moe_layers) > 0
    torus = bool(row.chip.link_axes)
    tps = _known(known, "tp", [t for t in DEGREES if shape.n_heads % t == 0])
    pps = _known(known, "pp", [1] if torus or known.get("zero") == 3 else STAGES)
    cps = _known(known, "cp", [1] if float(shape.seq_len) <= 16384 else DEGREES)
    modes = _known(known, "recompute", software.recompute)
    experts = [e for e in (1, 2, 4, 8, 16, 32, 64, 128) if shape.n_experts % e == 0]
    eps = _known(known, "ep", experts if moe else [1])
    found = []
    for tp, pp, cp in product(tps, pps, cps):
        dp = row.n_chips // (tp * pp * cp)
        if dp < 1:
            continue
        micro_given = known.get("micro_batch")
        batch = known.get("global_batch") or _batch(row, dp, micro_given)
        # Without a word on the batch, sharded data parallelism does one micro-batch a step.
        once = "global_batch" not in known and known.get("zero") == 3 and pp == 1
        local = max(batch / dp, 1)
        micros = _known(known, "micro_batch", [b for b in MICRO if b <= local or once] or [1])
        vps = _known(known, "vp", _virtual(row, pp))
        etps = _known(known, "etp", [tp if moe and not software.folds else 1])
        zeros = _known(
            known,
            "zero",
            [3] if torus or (tp * pp == 1 and software.zero == 3) else [min(software.zero, 1)],
        )
        for micro, vp, ep, etp, zero, mode in product(micros, vps, eps, etps, zeros, modes):
            local = micro if once else local
            found.append(
                {
                    "n_chips": tp * pp * cp * dp,
                    "tp": tp,
                    "pp": pp,
                    "vp": vp,
                    "ep": ep,
                    "etp": etp,
                    "cp": cp,
                    "zero": zero,
                    "shard": known.get("shard") or dp,
                    "global_batch": float(local * dp),
                    "micro_batch": float(min(micro, local)),
                    "recompute": mode,
                    "sequence_parallel": known.get("sequence_parallel", True),
                    "capacity_factor": known.get("capacity_factor", 1.0),
                    "imbalance": known.get("imbalance", 1.0),
                    "dispatch": "one-hot" if moe and software.name == "xla-2020" else "sort",
                    "dispatch_group": 1024,
                    "gradient_bytes": 2 if zero == 3 else 4,
                }
                | software.execution()
                | software.formats("bf16")
                | ({"weight_bytes": 4} if torus else {})
            )
    folded = [plan for plan in found if _folds(plan)] or found
    return folded[:: max(1, len(folded) // MOST_CANDIDATES)]


def _known(fields_: Row, name: str, otherwise: Sequence[Any]) -> Sequence[Any]:
    return [fields_[name]] if name in fields_ else otherwise


def _batch(row: ThroughputRow, dp: int, micro: float | None) -> float:
    """Sequences of a step where none is named: a usual number of tokens."""
    usual = max(BATCH_TOKENS / float(row.shape.seq_len), 1)
    least = (micro or 1) * dp
    return max(usual // least, 1) * least


def _virtual(row: ThroughputRow, pp: int) -> list[int]:
    """Interleaved stages to try: none, and as many as leave a layer or a few to each."""
    if pp == 1 or not row.software.virtual_stages:
        return [1]
    a_stage = int(float(row.shape.n_layers)) // pp
    return sorted({1, *(v for v in (2, 4, 8) if v <= a_stage)})


def _folds(plan: Row) -> bool:
    group = plan["n_chips"] // plan["pp"]
    return bool(group % (plan["ep"] * plan["etp"]) == 0)


def _hardware(row: ThroughputRow, constants: Constants) -> Hardware:
    found = Hardware.from_chip(row.chip, row.precision, constants)
    return replace(
        found,
        peak_16bit_flop_per_s=found.attention_flop_per_s,
        network_bytes_per_s=row.network_bytes_per_s or found.network_bytes_per_s,
    )


def _stack(kind: Any, items: Sequence[Any]) -> Any:
    """One object of arrays from many of numbers; words and bands stay those of the first."""
    values = {}
    for item in fields(kind):
        first = getattr(items[0], item.name)
        if isinstance(first, int | float):
            number = bool if isinstance(first, bool) else float
            values[item.name] = np.array([getattr(one, item.name) for one in items], number)
        else:
            values[item.name] = first
    return kind(**values)
