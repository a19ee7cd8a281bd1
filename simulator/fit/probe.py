"""Fits one machine: its hardware and constants to the operations that `glam probe` timed on it.

Only operations are fitted, never a training step, since steps are what is predicted. Each row of
the probe becomes the same `Operation` that a step is made of. The result records the error of the
fit, the constants that the rows do not determine, and the band of a predicted step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.errors import InputError
from energy.inputs import is_number, shown, table_of
from energy.quantity import Quantity
from simulator.fit.answer_times import AnswerTimes
from simulator.fit.least_squares import Fit, fit
from simulator.fit.machine import Machine
from simulator.fit.probe_rows import OPERATIONS, PRECISIONS, Row, timed
from simulator.fit.shared_machine import SharedMachine
from simulator.physics.constants import PRIORS, Constants
from simulator.physics.hardware import Hardware

AGAIN = "run glam probe again"

STEP_BAND = 0.2
"""Half-width in logarithms of the 80 % band of a step whose operations all fit: what operations
timed alone do not show of a step (caches, allocation, the host). The error of their fit widens it.
"""

NOISY = 0.4
"""Root mean square of a fit's errors, in logarithms, above which the machine was not quiet: it did
other work while it was probed (0.17 on two quiet cores, 0.65 on the same two while shared)."""

CACHED_BYTES = 2**20
"""Element-wise rows that move fewer bytes than this show caches, not memory."""

STREAMED_BYTES = 2**25
"""The bandwidth is the best rate of a row that moves at least this many bytes."""

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


def calibrate(probe: dict[str, Any], source: str = "glam probe") -> Machine:
    """Fit a machine to the rows of its probe.

    Args:
        probe: as `read_probe` returns it.
        source: where the probe came from.

    Raises:
        InputError: a row is not valid, or the probe lacks products or element-wise rows.
    """
    # The rate of small arrays is that of a cache, neither of memory nor of a launch.
    rows = [
        row
        for row in timed(probe)
        if row.name != "elementwise" or float(row.work[0].bytes) >= CACHED_BYTES
    ]
    hardware = _hardware(probe, rows, source)
    fitted = _fit(rows, hardware)
    rms = float(np.sqrt(np.mean(fitted.residuals**2)))
    # 80 % of a normal distribution are within 1.28 sigma.
    width = float(np.hypot(STEP_BAND, 1.28 * rms))
    band = (float(np.expm1(-width)), float(np.expm1(width)))
    return Machine(
        replace(hardware, time_relative=band),
        fitted.constants,
        {
            "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
            "source": source,
            "rows": len(rows),
            "rows_by_operation": {
                name: sum(row.name == name for row in rows) for name in OPERATIONS
            },
            "median_abs_error": float(np.median(np.abs(np.expm1(fitted.residuals)))),
            "rms_log_error": rms,
            "median_abs_error_by_operation": _errors_by_operation(rows, fitted),
            "quiet": rms < NOISY,
            "not_identified": fitted.not_identified | _not_probed(fitted),
        },
        AnswerTimes.of_probe(probe),
        SharedMachine.of_probe(probe),
    )


def _fit(rows: Sequence[Row], hardware: Hardware) -> Fit:
    def predict(values: dict[str, float]) -> NDArray[np.float64]:
        constants = Constants.from_dict(values)
        return np.array(
            [
                sum(float(w.count) * float(w.seconds(hardware, constants)) for w in row.work)
                for row in rows
            ]
        )

    return fit(FITTED, predict, np.array([row.seconds for row in rows]))


def _hardware(probe: dict[str, Any], rows: Sequence[Row], source: str) -> Hardware:
    """The machine's rates, from its best rows, and its watts.

    Raises:
        InputError: there are no products or no element-wise rows.
    """
    products = [row for row in rows if row.work[0].kind == "product"]
    streams = [row for row in rows if row.work[0].kind == "elementwise" and row.work[0].bytes]
    if not products or not streams:
        raise InputError(
            "expected matmul and elementwise rows in the probe",
            f"{len(products)} and {len(streams)}",
            AGAIN,
        )
    machine = table_of(probe.get("machine", {}), "machine of the probe", AGAIN)
    memory_bytes = machine.get("memory_bytes")
    if memory_bytes is None or not is_number(memory_bytes, 1):
        raise InputError("expected machine.memory_bytes in the probe", shown(memory_bytes), AGAIN)
    largest = max(float(row.work[0].bytes) for row in streams)
    wide = [row for row in streams if float(row.work[0].bytes) >= min(STREAMED_BYTES, largest)]
    try:
        watts = {name: Quantity(**probe["power"][name]) for name in ("idle_w", "busy_w")}
        (idle, _, _), (busy, low, high) = (watts[name].numbers() for name in ("idle_w", "busy_w"))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            "expected power.idle_w and power.busy_w in the probe", "no quantities", AGAIN
        ) from error
    if idle < 0 or low <= 0:
        raise InputError(
            "expected watts above 0 in the probe", f"{idle:g} idle, {low:g} busy", AGAIN
        )
    return Hardware(
        name=str(machine.get("name", "this machine")),
        precision=PRECISIONS[probe["dtype"]],
        peak_flop_per_s=max(float(row.work[0].flop) / row.seconds for row in products),
        memory_bytes=float(memory_bytes),
        memory_bytes_per_s=max(float(row.work[0].bytes) / row.seconds for row in wide),
        idle_w=idle,
        busy_w=busy,
        limit_w=busy,
        power_relative=(low / busy - 1, high / busy - 1),
        power_source=f"{watts['busy_w'].origin}: {watts['busy_w'].source}",
        source=source,
    )


def _errors_by_operation(rows: Sequence[Row], fitted: Fit) -> dict[str, float]:
    """Median absolute relative error of the rows of each operation."""
    errors: dict[str, list[float]] = {}
    for row, residual in zip(rows, fitted.residuals, strict=True):
        errors.setdefault(row.name, []).append(abs(float(np.expm1(residual))))
    return {name: float(np.median(values)) for name, values in errors.items()}


def _not_probed(fitted: Fit) -> dict[str, str]:
    """Constants that no operation of a probe depends on, with the reason."""
    return {
        name: "no operation of a probe shows it" for name in PRIORS if name not in fitted.values
    }
