"""Metered kernels of a B200: the tables of the package aiconfigurator-core 0.12.0, as arrays.

NVIDIA's, under Apache-2.0. They are read with pyarrow where somebody has unpacked the package, and
nothing of them is shipped:

    pip download --no-deps aiconfigurator-core==0.12.0
    python -m zipfile -e aiconfigurator_core-0.12.0-*.whl kernels

Three of its tables have watts (vLLM 0.22.0). A kernel was repeated while the chip's meter was read
now and then; the watts are the mean of these readings, most often of a single one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from energy.errors import InputError
from simulator.serving.experts import touched

Array = NDArray[np.float64]
Columns = dict[str, Any]

CHIP = "b200-sxm-180gb"

SYSTEMS = Path("aiconfigurator_core/systems/data")
"""Folder of the chips' tables, in the unpacked package."""

FOLDER = SYSTEMS / "b200_sxm"
"""Of the chip whose tables have watts."""

DESIGN_W, BYTES_PER_S, PEAK_16BIT, PEAK_8BIT = 1000.0, 8e12, 2.25e15, 4.5e15
"""B200, as in the catalog."""

SKEWED = 1.5
"""Spread of a load that the tables call a power law."""

MOST_READINGS = 64

WATTS_A_COUNT = 1e-3
"""The meter answers in whole milliwatts."""

ROUNDING = 1e-4
"""Of a sum of readings, in milliwatts: means stand in the tables in double precision."""


@dataclass(frozen=True)
class Kernels:
    """Metered kernels, a place each.

    Attributes:
        kind: of the kernel, by the names of `TABLES`.
        rate: bytes per second, of those that it has to move.
        share: FLOP per second over the peak.
        watts: that the meter showed.
        readings: of the meter, whose mean the watts are.
        fitted: whether its shape is in the half that is fitted; the other half judges.
    """

    kind: NDArray[np.str_]
    rate: Array
    share: Array
    watts: Array
    readings: NDArray[np.int64]
    fitted: NDArray[np.bool_]

    def where(self, mask: NDArray[np.bool_]) -> Self:
        """Some of them."""
        return type(self)(*(getattr(self, each.name)[mask] for each in fields(self)))


def read_kernels(folder: Path) -> Kernels:
    """All kernels with watts.

    Raises:
        InputError: a table is not in the folder.
    """
    kinds = {name: read(folder, path) for name, (path, _, _) in TABLES.items()}
    loads = [TABLES[name][1](table) for name, table in kinds.items()]
    watts = np.concatenate([table["power"] for table in kinds.values()])
    return Kernels(
        kind=np.concatenate([[name] * len(table["power"]) for name, table in kinds.items()]),
        rate=np.concatenate([np.minimum(load[0], BYTES_PER_S) for load in loads]),
        share=np.concatenate([np.minimum(load[1], 1.0) for load in loads]),
        watts=watts,
        readings=readings_of(watts),
        fitted=np.concatenate([half(table, TABLES[name][2]) for name, table in kinds.items()]),
    )


def readings_of(watts: Array) -> NDArray[np.int64]:
    """Of how many readings watts are the mean: the fewest whose sum is whole milliwatts.

    496.802428571... W are of 7 readings, 936.0845 W of 2 and 278.744 W of one. A mean of n numbers
    is a whole one by chance once in n times, so that a few of many readings are taken for fewer.
    """
    counts = np.asarray(watts) / WATTS_A_COUNT
    readings = np.full(counts.shape, MOST_READINGS)
    for n in range(MOST_READINGS - 1, 0, -1):
        whole = np.abs(counts * n - np.round(counts * n)) <= ROUNDING
        readings = np.where(whole, n, readings)
    return readings


def read(folder: Path, path: str) -> Columns:
    """A table of the package as arrays by column.

    Raises:
        InputError: it is not there.
    """
    import pyarrow.parquet as parquet

    file = folder / path
    if not file.is_file():
        raise InputError(
            "expected tables of aiconfigurator-core", f"no {file}", "pip download it, and unpack it"
        )
    table = parquet.read_table(file).to_pydict()
    return {name: np.array(values) for name, values in table.items()}


def half(table: Columns, names: tuple[str, ...]) -> NDArray[np.bool_]:
    """Rows of every other shape, in a fixed random order."""
    shapes = np.stack([table[name].astype(float) for name in names], axis=1)
    unique, place = np.unique(shapes, axis=0, return_inverse=True)
    order = np.random.default_rng(0).permutation(len(unique))
    return np.asarray(order[place.ravel()] < len(unique) // 2)


def _numbers(table: Columns, *names: str) -> list[Array]:
    return [table[name].astype(float) for name in names]


def _mixtures(t: Columns) -> tuple[Array, Array]:
    """Bytes per second, and FLOP per second over the peak."""
    tokens, width, inner, chosen = _numbers(t, "num_tokens", "hidden_size", "inter_size", "topk")
    experts, tp, ep, milliseconds = _numbers(
        t, "num_experts", "moe_tp_size", "moe_ep_size", "latency"
    )
    bytes_each = np.where(t["moe_dtype"] == "bfloat16", 2.0, 1.0)
    spread = np.where(t["distribution"] == "balanced", 0.0, SKEWED)
    expert = 3 * width * inner / tp
    rows = tokens * chosen / ep
    moved = touched(experts, chosen, tokens, spread) * experts / ep * expert * bytes_each
    moved = moved + rows * (2 * width + 3 * inner / tp) * 2
    peak = np.where(bytes_each < 2, PEAK_8BIT, PEAK_16BIT)
    seconds = milliseconds / 1e3
    return np.asarray(moved / seconds), np.asarray(2 * expert * rows / peak / seconds)


def _prefill(t: Columns) -> tuple[Array, Array]:
    heads, kept, width, batch = _numbers(
        t, "num_heads", "num_key_value_heads", "head_dim", "batch_size"
    )
    length, window, milliseconds = _numbers(t, "isl", "window_size", "latency")
    limit = np.where(window > 0, window, np.inf)
    seen = np.where(limit < length, limit - np.minimum(limit, 1e9) ** 2 / (2 * length), length / 2)
    moved = (2 * heads + 2 * kept) * width * length * batch * 2
    seconds = milliseconds / 1e3
    return moved / seconds, 4 * heads * width * seen * length * batch / PEAK_16BIT / seconds


def _decode(t: Columns) -> tuple[Array, Array]:
    heads, kept, width, batch = _numbers(
        t, "num_heads", "num_key_value_heads", "head_dim", "batch_size"
    )
    step, window, milliseconds = _numbers(t, "step", "window_size", "latency")
    seen = np.minimum(step + 1, np.where(window > 0, window, np.inf))
    bytes_each = np.where(t["kv_cache_dtype"] == "fp8", 1.0, 2.0)
    moved = batch * (seen * 2 * kept * width * bytes_each + heads * width * 4)
    seconds = milliseconds / 1e3
    return moved / seconds, 4 * heads * width * seen * batch / PEAK_16BIT / seconds


ATTENTION = ("num_heads", "num_key_value_heads", "head_dim", "window_size")

TABLES: dict[str, tuple[str, Callable[[Columns], tuple[Array, Array]], tuple[str, ...]]] = {
    "mixtures of experts": (
        "moe/vllm/0.22.0/moe_perf.parquet",
        _mixtures,
        ("hidden_size", "inter_size", "num_experts", "topk"),
    ),
    "attention, prefill": (
        "attention/vllm/0.22.0/context_attention_perf.parquet",
        _prefill,
        ATTENTION,
    ),
    "attention, decode": (
        "attention/vllm/0.22.0/generation_attention_perf.parquet",
        _decode,
        ATTENTION,
    ),
}
