"""From operations that were timed on a machine to its hardware row and constants.

Only operations are fitted, never a training step: a step is what must be predicted. Each row of
the probe becomes the same `Operation` that a step is made of. The result is a TOML file with the
rows' fit error, the constants that the rows do not determine, and the band of a predicted step.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from energy.errors import InputError, reason
from energy.files import write_text_atomic
from energy.quantity import Quantity
from energy.shape import Shape
from simulator.fit.least_squares import Fit, fit, fitted_constants
from simulator.fit.machine import SCHEMA, Machine
from simulator.physics import compute
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.operations import Operation, linear, product
from simulator.physics.plan import Plan

PROBE = "probe-1"


STEP_BAND = 0.2
"""Half-width in logarithms of the 80 % band of a step whose operations all fit: what operations
timed alone do not show of one (caches, allocation, the host). The error of their fit widens it."""


NOISY = 0.4
"""Root mean square of a fit's errors, in logarithms, above which the machine was not quiet: it did
other work while it was probed (0.17 on two quiet cores, 0.65 on the same two while shared)."""


CACHED_BYTES = 2**20
"""Element-wise rows that move less than this say nothing of the memory."""


STREAMED_BYTES = 2**25
"""The bandwidth is the best rate of a row that moves at least this."""


Reader = Callable[[dict[str, Any], Plan], list[Operation]]


@dataclass(frozen=True)
class Row:
    """One timed operation: what was done and how long it took."""

    name: str
    work: tuple[Operation, ...]
    seconds: float


def read_probe(path: Path) -> dict[str, Any]:
    """Read the file that `glam probe` wrote.

    Raises:
        InputError: there is no such file, or it is not a probe of this version.
    """
    try:
        table = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(
            f"expected a probe at {path}",
            reason(error),
            "write one with glam probe --out probe.json",
        ) from error
    found = table.get("schema") if isinstance(table, dict) else None
    if found != PROBE:
        raise InputError(
            f"expected schema {PROBE} in {path}",
            f"{found!r}",
            "write one with glam probe --out probe.json",
        )
    return table  # type: ignore[no-any-return]


def calibrate(probe: dict[str, Any], source: str = "glam probe") -> Machine:
    """Fit a machine to the rows of its probe.

    Raises:
        InputError: a row is not valid, or the probe lacks products or element-wise rows.
    """
    # What a cache gives small arrays is not the memory's rate, and no launch either.
    rows = [
        row
        for row in timed(probe)
        if row.name != "elementwise" or float(row.work[0].bytes) >= CACHED_BYTES
    ]
    products = [row for row in rows if row.work[0].kind == "product"]
    streams = [row for row in rows if row.work[0].kind == "elementwise" and row.work[0].bytes]
    if not products or not streams:
        raise InputError(
            "expected matmul and elementwise rows in the probe",
            f"{len(products)} and {len(streams)}",
            "run glam probe again",
        )
    hardware = _hardware(probe, products, streams, source)
    found = _fit(rows, hardware)
    constants = fitted_constants(found)
    median, spread = _errors(found)
    # 80 % of a normal spread lie within 1.28 of it.
    width = float(np.hypot(STEP_BAND, 1.28 * spread))
    band = (float(np.expm1(-width)), float(np.expm1(width)))
    hardware = replace(hardware, time_relative=band)
    provenance = {
        "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": source,
        "rows": len(rows),
        "rows_by_operation": {part: sum(row.name == part for row in rows) for part in PARTS},
        "median_abs_error": median,
        "rms_log_error": spread,
        "median_abs_error_by_operation": _errors_by(rows, found),
        "quiet": spread < NOISY,
        "not_identified": found.not_identified | _never_seen(found),
    }
    return Machine(hardware, constants, provenance)


def timed(probe: dict[str, Any]) -> list[Row]:
    """The rows of a probe as operations.

    Raises:
        InputError: an operation is not known, or a row lacks a number.
    """
    width = {"float32": 4, "bfloat16": 2, "float16": 2}.get(str(probe.get("dtype")))
    if width is None:
        raise InputError("expected dtype float32, bfloat16 or float16", f"{probe.get('dtype')!r}")
    plan, rows = Plan(activation_bytes=width), []
    for number, raw in enumerate(probe.get("rows", [])):
        name = raw.get("op")
        if name not in PARTS:
            raise InputError(
                f"expected an operation of {', '.join(PARTS)} in row {number}",
                f"{name!r}",
                "run glam probe of this version",
            )
        try:
            work = tuple(PARTS[name](raw, plan))
            seconds = (
                float(raw["seconds"])
                if "seconds" in raw
                else (float(raw["seconds_forward"]) + float(raw["seconds_backward"]))
            )
            if not 0 < seconds < np.inf:
                raise ValueError(f"seconds = {seconds}")
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"expected a whole {name} row ({number})", str(error), "run glam probe again"
            ) from error
        rows.append(Row(name, work, seconds))
    return rows


def save(machine: Machine, path: Path) -> None:
    """Write the machine file that `load_machine` reads."""
    hardware = asdict(machine.hardware)
    tables = {
        "hardware": hardware,
        "constants": asdict(machine.constants),
        "provenance": machine.provenance,
    }
    lines = [
        "# Written by simulator calibrate: fitted to timed operations, not to be edited by hand.",
        f'schema = "{SCHEMA}"',
    ]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *_toml(table)]
        for key, inner in table.items():
            if isinstance(inner, dict):
                lines += ["", f"[{name}.{key}]", *_toml(inner)]
    write_text_atomic(path, "\n".join(lines) + "\n")


def _toml(table: dict[str, Any]) -> list[str]:
    """Numbers, texts and lists of them as TOML; JSON writes these alike. None is left out."""
    return [
        f"{key} = {json.dumps(value, ensure_ascii=False)}"
        for key, value in table.items()
        if value is not None and not isinstance(value, dict)
    ]


def _matmul(raw: dict[str, Any], plan: Plan) -> list[Operation]:
    return [product((raw["m"], raw["n"], raw["k"]), plan.activation_bytes)]


def _grouped(raw: dict[str, Any], plan: Plan) -> list[Operation]:
    return [
        product(
            (raw["m"], raw["n"], raw["k"]),
            plan.activation_bytes,
            kind="grouped",
            groups=raw["groups"],
        )
    ]


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
    laid = Plan(global_batch=raw["batch"], flash=fused, activation_bytes=plan.activation_bytes)
    return [one for one in compute.scores(shape, laid) if np.any(one.count)]


def _elementwise(raw: dict[str, Any], plan: Plan) -> list[Operation]:
    return [Operation(kind="elementwise", bytes=raw["bytes"])]


def _optimizer(raw: dict[str, Any], plan: Plan) -> list[Operation]:
    laid = Plan(optimizer=raw["kind"])
    found = compute.optimizer(raw["parameters"], laid, raw.get("tensors", 1))
    return [one for one in found if one.count]


def _loss(raw: dict[str, Any], plan: Plan) -> list[Operation]:
    rows = min(raw["tokens"], int(plan.loss_chunk))
    chunks = raw["tokens"] / rows
    return [
        *linear((rows, raw["vocab"], raw["d_model"]), plan, 0, count=chunks),
        compute.cross_entropy(rows, raw["vocab"], raw["d_model"], plan, chunks),
    ]


def _launch(raw: dict[str, Any], plan: Plan) -> list[Operation]:
    return [Operation(kind="elementwise")]


PARTS: dict[str, Reader] = {
    "matmul": _matmul,
    "grouped_matmul": _grouped,
    "attention": _attention,
    "elementwise": _elementwise,
    "optimizer": _optimizer,
    "cross_entropy": _loss,
    "launch": _launch,
}


FITTED = (
    "eff_max",
    "m_half",
    "n_half",
    "k_half",
    "grouped_efficiency",
    "group_s",
    "batched_efficiency",
    "attention_efficiency",
    "memory_efficiency",
    "loss_efficiency",
    "adafactor_efficiency",
    "adamw_efficiency",
    "launch_s",
)


def _fit(rows: Sequence[Row], hardware: Hardware) -> Fit:
    def predict(values: dict[str, float]) -> np.ndarray[Any, np.dtype[np.float64]]:
        constants = Constants.from_dict(values)
        return np.array(
            [
                sum(float(one.count) * float(one.seconds(hardware, constants)) for one in row.work)
                for row in rows
            ]
        )

    return fit(FITTED, predict, np.array([row.seconds for row in rows]))


def _hardware(
    probe: dict[str, Any], products: Sequence[Row], streams: Sequence[Row], source: str
) -> Hardware:
    machine = probe.get("machine", {})
    largest = max(float(row.work[0].bytes) for row in streams)
    wide = [row for row in streams if float(row.work[0].bytes) >= min(STREAMED_BYTES, largest)]
    watts = {name: Quantity(**probe["power"][name]) for name in ("idle_w", "busy_w")}
    (idle, _, _), (busy, low, high) = (watts[name].numbers() for name in ("idle_w", "busy_w"))
    return Hardware(
        name=str(machine.get("name", "this machine")),
        precision={"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}[probe["dtype"]],
        peak_flop_per_s=max(float(row.work[0].flop) / row.seconds for row in products),
        memory_bytes=float(machine.get("memory_bytes", np.inf)),
        memory_bytes_per_s=max(float(row.work[0].bytes) / row.seconds for row in wide),
        idle_w=idle,
        busy_w=busy,
        limit_w=busy,
        power_relative=(low / busy - 1, high / busy - 1),
        power_source=f"{watts['busy_w'].origin}: {watts['busy_w'].source}",
        source=source,
    )


def _errors(found: Fit) -> tuple[float, float]:
    """Median absolute relative error, and the root mean square of its logarithm."""
    r = found.residuals
    return float(np.median(np.abs(np.expm1(r)))), float(np.sqrt(np.mean(r**2)))


def _errors_by(rows: Sequence[Row], found: Fit) -> dict[str, float]:
    by: dict[str, list[float]] = {}
    for row, r in zip(rows, found.residuals, strict=True):
        by.setdefault(row.name, []).append(abs(float(np.expm1(r))))
    return {name: float(np.median(errors)) for name, errors in by.items()}


def _never_seen(found: Fit) -> dict[str, str]:
    return {
        item.name: "no operation shows it: the prior stands"
        for item in fields(Constants)
        if item.name not in found.values
    }
