"""The file of `glam probe`: timed operations, read as the operations that a step is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from energy.errors import InputError
from energy.inputs import is_number, read_json, shown, table_of
from energy.shape import Shape
from simulator.fit import answer_times, shared_machine
from simulator.physics.attention import scores
from simulator.physics.formats import Formats
from simulator.physics.operations import Operation, linear, product
from simulator.physics.plan import Plan
from simulator.physics.update import cross_entropy, optimizer

SCHEMA = "probe-1"

WIDTHS = {"float32": 4, "bfloat16": 2, "float16": 2}

PRECISIONS = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}

MOST_SIZE = 1e15
"""Bytes, elements or seconds of one operation: a petabyte."""

OTHER_OPERATIONS = (*answer_times.OPERATIONS, *shared_machine.OPERATIONS)
"""Rows that are not fitted as operations of a step: those of answers, and of several processes."""

Reader = Callable[[dict[str, Any], Plan], list[Operation]]
"""From a row and a plan with the bytes of its type to the operations that the row timed."""


@dataclass(frozen=True)
class Row:
    """One timed operation: its name, the work that was done, and how long it took."""

    name: str
    work: tuple[Operation, ...]
    seconds: float


def read_probe(path: Path) -> dict[str, Any]:
    """Read the file that `glam probe` wrote.

    Raises:
        InputError: there is no such file, or it is not a probe of this version.
    """
    fix = "write one with glam probe --out probe.json"
    probe = table_of(read_json(path, "a probe", fix), str(path), fix)
    if probe.get("schema") != SCHEMA:
        raise InputError(f"expected schema {SCHEMA} in {path}", shown(probe.get("schema")), fix)
    return probe


def timed(probe: dict[str, Any]) -> list[Row]:
    """The rows of a probe as operations, but for those of answers and of several processes.

    Raises:
        InputError: an operation is unknown, or a row lacks a number.
    """
    width = WIDTHS.get(str(probe.get("dtype")))
    if width is None:
        raise InputError("expected dtype float32, bfloat16 or float16", f"{probe.get('dtype')!r}")
    plan, rows = Plan(activation_bytes=width), []
    raws = probe.get("rows", [])
    for number, raw in enumerate(raws if isinstance(raws, list) else [raws]):
        name = table_of(raw, f"row {number} of the probe", "run glam probe again").get("op")
        if isinstance(name, str) and name in OTHER_OPERATIONS:
            _require_whole(raw, number)
            continue
        if not isinstance(name, str) or name not in OPERATIONS:
            raise InputError(
                f"expected an operation of {', '.join(OPERATIONS)} in row {number}",
                shown(name),
                "run glam probe of this version",
            )
        try:
            _require_sizes(raw)
            rows.append(Row(name, tuple(OPERATIONS[name](raw, plan)), _seconds(raw)))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"expected a whole {name} row ({number})", str(error), "run glam probe again"
            ) from error
    return rows


def _require_whole(raw: dict[str, Any], number: int) -> None:
    """Check the numbers of a row of answers."""
    try:
        _require_sizes(raw)
    except ValueError as error:
        raise InputError(
            f"expected a whole {raw['op']} row ({number})", str(error), "run glam probe again"
        ) from error


SIZES = (
    *("m", "n", "k", "groups", "batch", "heads", "seq", "d_head", "buckets", "bytes"),
    *("parameters", "tensors", "tokens", "vocab", "d_model", "layers", "mixtures", "processes"),
    *("seconds", "seconds_forward", "seconds_backward"),
)
"""Keys that operations read as numbers; another may have words, which nothing reads."""

MAY_BE_ZERO = ("buckets", "seconds_backward", "mixtures")
"""No buckets are no bias, a model may be dense, and a backward pass within the noise of the forward
pass takes no time."""


def _require_sizes(raw: dict[str, Any]) -> None:
    """Check that every number of a row is a size: above zero, and no more than a device can do."""
    for key, value in raw.items():
        least = 0 if key in MAY_BE_ZERO else 1e-12
        words = key not in SIZES and isinstance(value, str | bool)
        if not words and not is_number(value, least, MOST_SIZE):
            raise ValueError(f"{key} = {shown(value)}")


def _seconds(raw: dict[str, Any]) -> float:
    """Seconds of a row: as a whole, or of its forward and backward pass together."""
    if "seconds" in raw:
        seconds = float(raw["seconds"])
    else:
        seconds = float(raw["seconds_forward"]) + float(raw["seconds_backward"])
    if not 0 < seconds < np.inf:
        raise ValueError(f"seconds = {seconds}")
    return seconds


def _matmul(raw: dict[str, Any], plan: Plan) -> list[Operation]:
    return [product((raw["m"], raw["n"], raw["k"]), plan.activation_bytes)]


def _grouped(raw: dict[str, Any], plan: Plan) -> list[Operation]:
    dims = (raw["m"], raw["n"], raw["k"])
    return [product(dims, plan.activation_bytes, kind="grouped", groups=raw["groups"])]


def _attention(raw: dict[str, Any], plan: Plan) -> list[Operation]:
    heads, width = raw["heads"], raw["d_head"]
    shape = Shape(
        n_layers=1,
        d_model=heads * width,
        n_heads=heads,
        n_kv_heads=heads,
        d_head=width,
        d_ff=1,
        ffn_matrices=2,
        vocab_size=1,
        seq_len=raw["seq"],
        relative_buckets=raw.get("buckets", 0),
    )
    fused = bool(raw.get("fused", False))
    step = Plan(global_batch=raw["batch"], flash=fused, activation_bytes=plan.activation_bytes)
    return [work for work in scores(shape, step) if np.any(work.count)]


def _elementwise(raw: dict[str, Any], plan: Plan) -> list[Operation]:
    return [Operation(kind="elementwise", bytes=raw["bytes"])]


def _optimizer(raw: dict[str, Any], plan: Plan) -> list[Operation]:
    formats = Formats(optimizer=raw["kind"])
    updates = optimizer(raw["parameters"], formats, raw.get("tensors", 1))
    return [update for update in updates if update.count]


def _loss(raw: dict[str, Any], plan: Plan) -> list[Operation]:
    rows = min(raw["tokens"], int(plan.loss_chunk))
    chunks = raw["tokens"] / rows
    return [
        *linear((rows, raw["vocab"], raw["d_model"]), plan, 0, count=chunks),
        cross_entropy(rows, raw["vocab"], raw["d_model"], plan, chunks),
    ]


def _launch(raw: dict[str, Any], plan: Plan) -> list[Operation]:
    return [Operation(kind="elementwise")]


OPERATIONS: dict[str, Reader] = {
    "matmul": _matmul,
    "grouped_matmul": _grouped,
    "attention": _attention,
    "elementwise": _elementwise,
    "optimizer": _optimizer,
    "cross_entropy": _loss,
    "launch": _launch,
}
