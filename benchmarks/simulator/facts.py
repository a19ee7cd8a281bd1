"""What padding to a capacity costs: a published pair of runs, predicted with nothing fitted to it.

MaxText on TPU v6e, 56 layers of 16 experts, top-2: with the capacity factor raised from 1.0 to 1.5
the utilisation fell from 49.8 to 38.1 %. Chips, batch and recomputation were not published, so the
pair is predicted for several of each.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from energy.facts import catalog
from energy.shape import Shape
from simulator.facts.software import framework_of
from simulator.fit.pool import published
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
CHIPS = (512, 1024, 2048, 4096)
MICRO_BATCHES = (8, 12, 24)
"""8 and 12 are those of the vendor's recipes for mixtures on this chip; 24 has less to wait for."""
RECOMPUTED = ("none", "selective")
FACTORS = (1.0, 1.5)


def capacity_ratios() -> NDArray[np.float64]:
    """Utilisation at a factor of 1.5 over that at 1.0, of each plan.

    Returns:
        (chips * micro-batches * modes), in the order of `itertools.product`.
    """
    chip = catalog.chip("tpu-v6e")
    constants = published().constants(
        architecture=chip.architecture or "other",
        software="xla",
        framework=framework_of("MaxText"),
        release="maxtext (2024-25)",
    )
    hardware = Hardware.from_chip(chip, "bf16", constants)
    seconds = [
        [
            float(
                np.asarray(
                    step(MODEL, laid(chips, micro, mode, factor), hardware, constants).step_s
                )
            )
            for factor in FACTORS
        ]
        for chips, micro, mode in product(CHIPS, MICRO_BATCHES, RECOMPUTED)
    ]
    taken = np.array(seconds)
    return np.asarray(taken[:, 0] / taken[:, 1])


def laid(chips: int, micro: int, recompute: str, factor: float) -> Plan:
    """Fully sharded, an expert a chip, as that software lays mixtures."""
    return Plan(
        n_chips=chips,
        ep=16,
        zero=3,
        global_batch=chips * micro,
        micro_batch=micro,
        recompute=recompute,
        flash=True,
        capacity_factor=factor,
        optimizer="adamw",
        activation_bytes=2,
    )
