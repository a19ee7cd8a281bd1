"""Bytes that must fit on one chip, by part, and whether they do.

What a chip holds is an answer, not an exception: a plan that does not fit says by how much, and
which part is the largest. Legend as in `energy.shape`; w bytes of an activation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energy.shape import Number, Shape, parameters, plain, total
from energy.units import si
from simulator.hardware import Hardware
from simulator.plan import Plan

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
    held = local_parameters(shape, plan)
    zero, dp = np.asarray(plan.zero), np.asarray(plan.dp)
    found = {
        "weights": held * plan.weight_bytes / np.where(zero >= 3, dp, 1),
        "gradients": held * plan.gradient_bytes / np.where(zero >= 2, dp, 1),
        "optimizer": held * state_bytes(shape, plan) / np.where(zero >= 1, dp, 1),
        "activations": activation_bytes(shape, plan),
        "logits": logit_bytes(shape, plan),
    }
    parts = {name: plain(size) for name, size in found.items()}
    parts["margin"] = plain(MARGIN * np.asarray(total(parts)))
    return Memory(parts, hardware.memory_bytes)


def local_parameters(shape: Shape, plan: Plan) -> Number:
    """Parameters of one chip before ZeRO: experts over e*t*p, the rest over t*p."""
    parts = parameters(shape)
    experts = np.asarray(parts.pop("experts"))
    cut = np.asarray(plan.tp) * plan.pp
    return plain(np.asarray(total(parts)) / cut + experts / (cut * plan.ep))


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
    Recomputed in full it keeps M, and one layer stands whole. Pipeline stage 0 holds p
    micro-batches of 1/p of the layers. Cf. Korthikanti et al., arXiv:2205.05198.
    """
    s, w = shape, np.asarray(plan.activation_bytes, float)
    tokens = np.asarray(plan.sequences) * s.seq_len / plan.cp / plan.tp
    gated, gated_expert = np.asarray(s.ffn_matrices) > 2, np.asarray(s.expert_matrices) > 2
    recompute = np.asarray(plan.recompute)
    kept = np.where(np.asarray(plan.flash, bool) | (recompute != "none"), 0, 2)
    heads = (2 * np.asarray(s.n_heads) + 2 * np.asarray(s.n_kv_heads)) * s.d_head
    attention = 6 * np.asarray(s.d_model) + heads + kept * np.asarray(s.n_heads) * s.seq_len
    dense = np.where(gated, 4, 2) * np.asarray(s.d_ff)
    slots = np.asarray(s.top_k) * plan.capacity_factor + s.n_shared_experts
    expert = slots * (3 * np.asarray(s.d_model) + np.where(gated_expert, 4, 2) * s.d_expert)
    expert = expert + 2 * np.asarray(s.n_experts)
    moe = np.asarray(s.n_moe_layers)
    layers = s.n_layers * attention + (np.asarray(s.n_layers) - moe) * dense + moe * expert
    largest = attention + np.maximum(dense * (np.asarray(s.n_layers) > moe), expert * (moe > 0))
    again = np.asarray(s.n_layers) * s.d_model + largest
    in_flight = np.minimum(plan.pp, plan.n_micro) / np.asarray(plan.pp)
    return plain(tokens * w * np.where(recompute == "full", again, layers) * in_flight)


def logit_bytes(shape: Shape, plan: Plan) -> Number:
    """Logits of one chunk, their gradient in float32 and its rounded copy."""
    rows = np.minimum(plan.loss_chunk, np.asarray(plan.sequences) * shape.seq_len)
    return plain(rows * shape.vocab_size * (8.0 + np.asarray(plan.activation_bytes)) / plan.tp)
