"""Bytes that must fit on one chip, by part, and whether they do.

What a chip holds is an answer, not an exception: a plan that does not fit says by how much, and
which part is the largest. Legend as in `energy.shape`; w bytes of an activation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energy.shape import Number, Shape, parameters, plain, total
from energy.units import si
from simulator.physics.hardware import Hardware
from simulator.physics.pipeline import first_share
from simulator.physics.plan import Plan

Array = NDArray[np.float64]


MARGIN = 0.05
"""Share of the sum that allocators and workspaces take (3 to 6 % in SimuMax, mem_factor 0.94)."""


@dataclass(frozen=True)
class Memory:
    """What one chip holds at the busiest moment of a step.

    Attributes:
        bytes: by part.
        limit_bytes: of the chip.
    """

    bytes: dict[str, Number]
    limit_bytes: Number

    @property
    def total_bytes(self) -> Number:
        """All parts together."""
        return total(self.bytes)

    @property
    def between_steps_bytes(self) -> Number:
        """What stays allocated when a step has ended: what no micro-batch changes, and buffers."""
        return total(
            {name: self.bytes[name] for name in ("weights", "gradients", "optimizer", "buffers")}
        )

    @property
    def fits(self) -> NDArray[np.bool_]:
        """Whether the sum is within the limit."""
        return np.asarray(np.asarray(self.total_bytes) <= self.limit_bytes)

    def reason(self) -> str:
        """Why one plan does not fit, in words; empty when it does."""
        if bool(np.all(self.fits)):
            return ""
        over = float(self.total_bytes) - float(self.limit_bytes)
        part = max(self.bytes, key=lambda name: float(self.bytes[name]))
        return (
            f"{si(float(self.total_bytes), 'B')} do not fit in {si(float(self.limit_bytes), 'B')}: "
            f"{si(over, 'B')} too many, {si(float(self.bytes[part]), 'B')} of them {part}"
        )


def memory(shape: Shape, plan: Plan, hardware: Hardware) -> Memory:
    """Bytes of one chip: weights, gradients, optimiser state, activations, logits, margin.

    GLaM 64B/64E on one chip, float32, Adafactor: 1.162e12 * 4 B of weights = 4.6 TB.
    """
    experts, rest = local_parameters(shape, plan)
    zero, copies = np.asarray(plan.zero), np.maximum(np.asarray(plan.expert_dp), 1)
    shards = (
        (np.asarray(experts), np.minimum(plan.sharded, copies)),
        (np.asarray(rest), np.asarray(plan.sharded)),
    )

    def held(width: Number, stage: int) -> Number:
        """Bytes of a kind of which a chip holds its shard from a ZeRO stage on."""
        return plain(
            sum(count * width / np.where(zero >= stage, over, 1) for count, over in shards)
        )

    found = {
        "weights": np.asarray(held(plan.weight_bytes, 3)) + gathered_bytes(shape, plan),
        "gradients": held(plan.gradient_bytes, 2),
        "optimizer": held(state_bytes(shape, plan), 1),
        "buffers": bucket_bytes(plan, shards) + gathered_activation_bytes(shape, plan),
        "activations": activation_bytes(shape, plan),
        "logits": logit_bytes(shape, plan),
    }
    parts = {name: plain(size) for name, size in found.items()}
    parts["margin"] = plain(MARGIN * np.asarray(total(parts)))
    return Memory(parts, hardware.memory_bytes)


def stage_parameters(shape: Shape, plan: Plan) -> tuple[Number, Number]:
    """Parameters of the mean stage on one chip before ZeRO: (experts, the rest)."""
    parts = parameters(shape)
    experts = np.asarray(parts.pop("experts"))
    stages = np.asarray(plan.pp, float)
    return (
        plain(experts / (stages * plan.ep * plan.etp)),
        plain(np.asarray(total(parts)) / (stages * plan.tp)),
    )


def local_parameters(shape: Shape, plan: Plan) -> tuple[Number, Number]:
    """Parameters of the fullest chip before ZeRO: (experts over e*x*p, the rest over t*p).

    The first stage of a pipeline holds the input embedding on top of its layers.
    """
    experts, rest = stage_parameters(shape, plan)
    embedding = np.asarray(parameters(shape)["embedding"]) / plan.tp
    stages, share = np.asarray(plan.pp, float), first_share(shape, plan)
    ends = np.minimum(stages, 2 - np.asarray(shape.tied_embedding, float))
    return plain(experts * share), plain((rest - embedding / stages) * share + embedding / ends)


def gathered_bytes(shape: Shape, plan: Plan) -> Number:
    """Weights that ZeRO 3 gathers and gradients before it scatters them: two layers at a time."""
    experts, rest = local_parameters(shape, plan)
    layers = np.asarray(shape.n_layers) / np.asarray(plan.pp)
    layer = (np.asarray(experts) + rest) / layers * plan.activation_bytes
    return plain(np.where(np.asarray(plan.zero) >= 3, 2 * 2 * layer, 0))


def bucket_bytes(plan: Plan, shards: Sequence[tuple[Array, Array]]) -> Array:
    """Flat copies that data parallel communication keeps beside what is stored.

    Gradients of the compute type in buckets next to their float32 sums; under ZeRO 1 the flat
    result of the gather of weights and the own shard of it. None where dp is 1.

    Args:
        plan: with b bytes a parameter in flight.
        shards: parameters on one chip, and the chips that share them: experts, the rest.
    """
    gathers = np.asarray(plan.zero) == 1
    flat = sum(
        np.where(over > 1, count * (1 + gathers * (1 + 1 / over)), 0) for count, over in shards
    )
    return np.asarray(flat * plan.bucket_bytes)


def gathered_activation_bytes(shape: Shape, plan: Plan) -> Array:
    """Gathered input and unscattered result of one layer under sequence parallelism."""
    tokens = np.asarray(plan.sequences) * shape.seq_len / plan.cp
    gathers = np.asarray(plan.sequence_parallel, bool) & (np.asarray(plan.tp) > 1)
    return np.asarray(np.where(gathers, 2 * tokens * shape.d_model * plan.activation_bytes, 0.0))


def state_bytes(shape: Shape, plan: Plan) -> Number:
    """Optimiser state a parameter, with the float32 copy that a narrower weight needs.

    AdamW: two float32 moments, 8 B; and 4 B beside 16-bit weights: 12 B. Adafactor
    (arXiv:1804.04235): a row and a column of a matrix, about 2 * 4 / M B.
    """
    moments = np.where(np.asarray(plan.optimizer) == "adamw", 8.0, 8.0 / np.asarray(shape.d_model))
    return plain(moments + np.where(np.asarray(plan.weight_bytes) < 4, 4.0, 0.0))


def activation_bytes(shape: Shape, plan: Plan) -> Number:
    """What the backward pass needs of the forward pass of the micro-batches in flight.

    A token of a layer keeps, without recomputation, 6 M (inputs and results of norms, residual),
    queries, keys, values and their mixture, and of a gated network 4 H (plain: 2 H); an expert
    network 3 M + 2 H_e (gated: 4 H_e) for each of its c*K slots; without flash 2 h S scores.
    Recomputed selectively it drops the scores, or with flash the norms' results (3 M) and what
    activations give (1 H, of gated ones 2 H). Recomputed in full it keeps M, and one layer stands
    whole. Stage 0 of a pipeline holds the most, p micro-batches of 1/p of the layers, and with v
    virtual stages (p - 1) / (p v) more. Cf. Korthikanti et al., arXiv:2205.05198.
    """
    s, w = shape, np.asarray(plan.activation_bytes, float)
    tokens = np.asarray(plan.sequences) * s.seq_len / plan.cp / plan.tp
    gated, gated_expert = np.asarray(s.ffn_matrices) > 2, np.asarray(s.expert_matrices) > 2
    recompute = np.asarray(plan.recompute)
    light = np.where(recompute == "selective", plan.recompute_pointwise, 0.0)
    kept = np.where(np.asarray(plan.flash, bool) | (recompute != "none"), 0, 2)
    heads = (2 * np.asarray(s.n_heads) + 2 * np.asarray(s.n_kv_heads)) * s.d_head
    width = np.asarray(s.d_model)
    # Without sequence parallelism every chip of a tensor parallel group keeps the norms whole.
    whole = np.where(np.asarray(plan.sequence_parallel, bool), 1, plan.tp)
    attention = (6 - 3 * light) * width * whole + heads + kept * np.asarray(s.n_heads) * s.seq_len
    dense = np.where(gated, 4 - 2 * light, 2 - light) * np.asarray(s.d_ff)
    slots = np.asarray(s.top_k) * plan.capacity_factor + s.n_shared_experts
    inner = np.where(gated_expert, 4 - 2 * light, 2 - light)
    expert = slots * ((3 - light) * width + inner * s.d_expert) + 2 * np.asarray(s.n_experts)
    moe = np.asarray(s.n_moe_layers)
    layers = s.n_layers * attention + (np.asarray(s.n_layers) - moe) * dense + moe * expert
    largest = attention + np.maximum(dense * (np.asarray(s.n_layers) > moe), expert * (moe > 0))
    again = np.asarray(s.n_layers) * width * whole
    stages, chunks = np.asarray(plan.pp, float), np.asarray(plan.vp, float)
    deep = np.where(chunks > 1, 1 + (stages - 1) / (stages * chunks), 1)
    in_flight = np.minimum(stages * deep, plan.n_micro) / stages * first_share(s, plan)
    full = again * in_flight + largest
    return plain(tokens * w * np.where(recompute == "full", full, layers * in_flight))


def logit_bytes(shape: Shape, plan: Plan) -> Number:
    """Logits of one chunk, their gradient in float32 and its rounded copy."""
    rows = np.minimum(plan.loss_chunk, np.asarray(plan.sequences) * shape.seq_len)
    return plain(rows * shape.vocab_size * (8.0 + np.asarray(plan.activation_bytes)) / plan.tp)
