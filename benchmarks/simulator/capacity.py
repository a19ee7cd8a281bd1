"""Cost of padding experts to a capacity: a published pair of runs, predicted without fitting it.

MaxText on TPU v6e, 56 layers of 16 experts, top-2: raising the capacity factor from 1.0 to 1.5
lowered the MFU from 49.8 to 38.1 %. Chips, batch and recomputation were not published, so the pair
is predicted for several of each.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from energy.facts import catalog
from energy.shape import Shape
from simulator.facts.software import framework_of
from simulator.fit.pool import published_pool
from simulator.physics.hardware import Hardware
from simulator.physics.plan import Plan
from simulator.physics.step import step

MODEL = Shape(
    n_layers=56,
    d_model=8192,
    n_heads=128,
    n_kv_heads=8,
    d_head=256,
    d_ff=0,
    ffn_matrices=3,
    vocab_size=32_000,
    seq_len=4096,
    n_moe_layers=56,
    n_experts=16,
    top_k=2,
    d_expert=32_768,
    expert_matrices=3,
    n_shared_experts=0,
    tied_embedding=0,
    relative_buckets=0,
    norm_vectors=1,
)
PUBLISHED_RATIO = 38.1 / 49.8
"""MFU at a capacity factor of 1.5 over that at 1.0."""
CHIPS = (512, 1024, 2048, 4096)
MICRO_BATCHES = (8, 12, 24)
"""8 and 12 are in the vendor's recipes for MoE models on this chip; 24 communicates less."""
RECOMPUTE = ("none", "selective")
CAPACITY_FACTORS = (1.0, 1.5)


def capacity_ratios() -> NDArray[np.float64]:
    """Predicted MFU at a capacity factor of 1.5 over that at 1.0, for each plan.

    Returns:
        One ratio for each combination of chips, micro-batch and recomputation, in the order of
        `itertools.product`.
    """
    chip = catalog.chip("tpu-v6e")
    constants = published_pool().constants(
        architecture=chip.architecture or "other",
        software="xla",
        framework=framework_of("MaxText"),
        release="maxtext (2024-25)",
    )
    hardware = Hardware.from_chip(chip, "bf16", constants)
    plans = [
        [plan(chips, micro_batch, recompute, factor) for factor in CAPACITY_FACTORS]
        for chips, micro_batch, recompute in product(CHIPS, MICRO_BATCHES, RECOMPUTE)
    ]
    seconds = np.array(
        [
            [float(np.asarray(step(MODEL, each, hardware, constants).step_s)) for each in pair]
            for pair in plans
        ]
    )
    # The model FLOP are equal, so the MFU is inverse to the time of the step.
    return np.asarray(seconds[:, 0] / seconds[:, 1])


def plan(chips: int, micro_batch: int, recompute: str, capacity_factor: float) -> Plan:
    """Fully sharded data parallelism with 16-way expert parallelism, one expert per chip."""
    return Plan(
        n_chips=chips,
        ep=16,
        zero=3,
        global_batch=chips * micro_batch,
        micro_batch=micro_batch,
        recompute=recompute,
        flash=True,
        capacity_factor=capacity_factor,
        optimizer="adamw",
        activation_bytes=2,
    )
