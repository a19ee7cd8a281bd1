"""The work of one device as operations: what is multiplied, what travels through memory.

A step is a dict of parts, each a list of operations; calibration turns its probe rows into the
same operations, so a constant means the same where it is fitted and where it is used. Passes over
element-wise data are those of an eager framework: each function reads its inputs and writes its
output. Legend as in `energy.shape`; T tokens of a micro-batch, w bytes of an activation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from energy.flops import executed_flop
from energy.shape import Number, Shape, attention_weights, plain
from simulator.constants import Constants
from simulator.hardware import Hardware
from simulator.plan import Plan

Kind = Literal[
    "product", "grouped", "batched", "attention", "elementwise", "loss", "adafactor", "adamw"
]
"""What bounds an operation, hence which constants apply to it."""

Optimizer = Literal["adafactor", "adamw"]

OPTIMIZERS: dict[Optimizer, tuple[int, int]] = {"adafactor": (48, 25), "adamw": (32, 2)}
"""Traffic a float32 parameter, and framework calls a tensor, of one step. AdamW, fused: read w, g,
m, v; write w, m, v. Adafactor (arXiv:1804.04235) reads or writes w, the gradient and the update
11 times: row and column means, root mean squares of weight and update, scaling, sum. Both: the
norm of the gradients, 4 bytes more."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One kind of work, done `count` times a micro-batch (the optimiser: a step).

    Attributes:
        kind: what bounds it.
        count: how often.
        flop: floating-point operations of one.
        bytes: what one moves through memory.
        dims: (m, n, k) of its product, of one group where grouped; None without a product.
        groups: groups of a grouped product.
        calls: framework operations of one.
    """

    kind: Kind
    count: Number = 1
    flop: Number = 0
    bytes: Number = 0
    dims: tuple[Number, Number, Number] | None = None
    groups: Number = 1
    calls: Number = 1

    def compute_seconds(self, hardware: Hardware, constants: Constants) -> Number:
        """Seconds of one at the rate of the arithmetic.

        peak * eff_max * m/(m + m_half) * n/(n + n_half) * k/(k + k_half): at eff_max 0.8 and
        halves of 32, a product of 96 x 96 x 96 runs at 0.8 * 0.75^3 = 34 % of the peak.
        """
        if self.kind == "attention":
            return plain(
                np.asarray(self.flop)
                / (hardware.peak_flop_per_s * np.asarray(constants.attention_efficiency))
            )
        if self.dims is None:
            return 0.0
        efficiency: Any = constants.eff_max
        for dim, half in zip(
            self.dims, (constants.m_half, constants.n_half, constants.k_half), strict=True
        ):
            # A part that a shape does not have has no size; its FLOP are zero all the same.
            size = np.maximum(np.asarray(dim, float), 1)
            efficiency = efficiency * size / (size + half)
        if self.kind == "grouped":
            efficiency = efficiency * constants.grouped_efficiency
        elif self.kind == "batched":
            efficiency = efficiency * constants.batched_efficiency
        return plain(np.asarray(self.flop) / (hardware.peak_flop_per_s * efficiency))

    def memory_seconds(self, hardware: Hardware, constants: Constants) -> Number:
        """Seconds of one at the rate of the memory."""
        efficiency = constants.memory_efficiency
        if self.kind == "loss":
            efficiency = efficiency * constants.loss_efficiency
        if self.kind == "adafactor":
            efficiency = constants.adafactor_efficiency
        if self.kind == "adamw":
            efficiency = constants.adamw_efficiency
        return plain(np.asarray(self.bytes) / (hardware.memory_bytes_per_s * efficiency))

    def fixed_seconds(self, constants: Constants) -> Number:
        """Seconds of one that no size changes: its calls, and its groups."""
        groups = self.groups * constants.group_s if self.kind == "grouped" else 0.0
        return plain(np.asarray(self.calls * constants.launch_s + groups))

    def seconds(self, hardware: Hardware, constants: Constants) -> Number:
        """Seconds of one: the slower of arithmetic and memory, after its fixed time."""
        work = np.maximum(self.compute_seconds(hardware, constants),
                          self.memory_seconds(hardware, constants))  # fmt: skip
        return plain(work + self.fixed_seconds(constants))


def product(
    m: Number, n: Number, k: Number, width: Number, *,
    kind: Kind = "product", groups: Number = 1, count: Number = 1, calls: Number = 1,
) -> Operation:  # fmt: skip
    """A product of (m, k) by (k, n), `groups` times in one operation: 2mnk FLOP each.

    512 x 512 x 512 in float32: 2.68e8 FLOP and 3.1 MB, 85 FLOP a byte.
    """
    volume = np.asarray(groups) * m
    return Operation(
        kind=kind, count=count, dims=(m, n, k), groups=groups, calls=calls,
        flop=plain(2.0 * volume * n * k),
        bytes=plain((volume * k + np.asarray(groups) * n * k + volume * n) * width),
    )  # fmt: skip


def linear(
    tokens: Number, n: Number, k: Number, plan: Plan, again: Number, *,
    kind: Kind = "product", groups: Number = 1, count: Number = 1,
) -> list[Operation]:  # fmt: skip
    """A linear map and its two backward products, the forward (1 + again) times.

    y = x W is (T, n, k); its gradients are (T, k, n) by the input and (n, k, T) by the weight.
    """
    forward = plain(np.asarray(count) * (1 + np.asarray(again)))
    width = plan.activation_bytes
    return [
        product(tokens, n, k, width, kind=kind, groups=groups, count=forward),
        product(tokens, k, n, width, kind=kind, groups=groups, count=count),
        product(n, k, tokens, width, kind=kind, groups=groups, count=count),
    ]


def elementwise(
    values: Number, passes: Number, plan: Plan, *, calls: Number, count: Number = 1,
    kind: Kind = "elementwise",
) -> Operation:  # fmt: skip
    """Reads and writes of `values` activations, `passes` times over."""
    size = np.asarray(values, float) * passes * plan.activation_bytes
    return Operation(kind=kind, count=count, bytes=plain(size), calls=calls)


def layers(shape: Shape, plan: Plan) -> dict[str, list[Operation]]:
    """The layers of one micro-batch on one device, forward and backward, by part."""
    s, again = shape, plan.execution().recompute_layers
    tokens = plain(np.asarray(plan.sequences) * s.seq_len)
    dense = plain(np.asarray(s.n_layers) - s.n_moe_layers)
    # All projections of a layer as one product of their total width: the dims of the largest.
    width = plain(attention_weights(s) / np.asarray(s.d_model) / 4)
    found = {
        "attention_projections": linear(tokens, width, s.d_model, plan, again,
                                        count=plain(4 * np.asarray(s.n_layers))),
        "attention_scores": scores(shape, plan),
        "dense_ffn": linear(tokens, s.d_ff, s.d_model, plan, again,
                            count=plain(dense * np.asarray(s.ffn_matrices))),
        "norms_and_activations": pointwise(shape, plan, tokens, dense),
    }  # fmt: skip
    return found | experts(shape, plan, tokens)


def scores(shape: Shape, plan: Plan) -> list[Operation]:
    """Attention scores, softmax and weighted values of all layers.

    Without flash each of the B*h score matrices travels through memory: about 7 passes forward
    (scale, bias, softmax) and 7 backward over B*h*S^2, and 5 and 8 over the h*S^2 of a bucketed
    position bias (arXiv:1910.10683), which no batch shares out. With it only queries, keys,
    values and output do, and a causal mask halves the FLOP.
    """
    s, flash = shape, np.asarray(plan.flash, bool)
    execution = plan.execution()
    again = np.asarray(execution.recompute_layers) + execution.recompute_scores
    heads = np.asarray(plan.sequences) * s.n_heads
    tokens = np.asarray(plan.sequences) * s.seq_len
    inner = (2 * np.asarray(s.d_head) + s.d_rope) / 2
    unfused = np.where(flash, 0, 1) * np.asarray(s.n_layers)
    fused = np.where(flash, 1, 0) * np.asarray(s.n_layers)
    bias = np.where(np.asarray(s.relative_buckets) > 0, 1, 0) * unfused
    mixed = linear(s.seq_len, s.seq_len, plain(inner), plan, plain(again), kind="batched",
                   groups=plain(heads), count=plain(2 * unfused))  # fmt: skip
    matrix = np.asarray(s.seq_len, float) ** 2
    causal = executed_flop(shape, execution, "causal")["attention_scores"]
    layer_flop = np.asarray(causal) * tokens / s.n_layers
    traffic = tokens * (2 * np.asarray(s.n_heads) + 2 * np.asarray(s.n_kv_heads)) * s.d_head * 3
    return [
        *mixed,
        elementwise(plain(heads * matrix), plain(14 + 7 * again), plan, calls=12,
                    count=plain(unfused)),
        elementwise(plain(s.n_heads * matrix), plain(13 + 5 * again), plan, calls=12,
                    count=plain(bias)),
        Operation(kind="attention", count=plain(fused), flop=plain(layer_flop),
                  bytes=plain(traffic * plan.activation_bytes), calls=2),
    ]  # fmt: skip


def experts(shape: Shape, plan: Plan, tokens: Number) -> dict[str, list[Operation]]:
    """The mixture layers: grouped products with the rows that one expert really gets.

    T tokens give T*K*c/E rows to each expert: 1,024 tokens, top-2 of 16: 128.
    """
    s, execution = shape, plan.execution()
    again, layers_ = np.asarray(execution.recompute_layers), np.asarray(s.n_moe_layers)
    routed = np.where(np.asarray(s.n_experts) > 1, 1, 0) * layers_
    slots = np.asarray(tokens) * s.top_k * plan.capacity_factor
    rows = plain(slots / s.n_experts)
    group = np.asarray(execution.one_hot_group, float)
    one_hot = 2 * slots * group * s.d_model
    k, moved = np.asarray(s.top_k) * plan.capacity_factor, np.where(group > 0, 0, 1) * routed
    return {
        "experts": linear(rows, s.d_expert, s.d_model, plan, plain(again), kind="grouped",
                          groups=s.n_experts, count=plain(layers_ * s.expert_matrices)),
        "shared_experts": linear(
            tokens, s.d_expert, s.d_model, plan, plain(again),
            count=plain(layers_ * s.expert_matrices * np.asarray(s.n_shared_experts))),
        "router": [
            *linear(tokens, s.n_experts, s.d_model, plan, plain(again), count=plain(routed)),
            # softmax, top-k, load and balancing loss over (T, E)
            elementwise(plain(np.asarray(tokens) * s.n_experts), 12, plan, calls=30,
                        count=plain(routed)),
        ],
        # copies, gather, scatter, weighting and sum: 8K + 2 passes over (T, M) forward, as many
        # and the zeros that gathers add into backward
        "permutation": [
            elementwise(plain(np.asarray(tokens) * s.d_model),
                        plain(20 * k + 4 + (8 * k + 2) * again),
                        plan, calls=30, count=plain(moved)),
        ],
        # dispatch and combine, 2*slots*G*M each; 2.5 times with the backward
        "dispatch": [
            product(plain(slots), s.d_model, plain(group), plan.activation_bytes,
                    count=plain(2 * (2.5 + again) * layers_ * np.where(group > 0, 1, 0)))
            if np.any(one_hot > 0) else Operation(kind="elementwise", count=0)
        ],
    }  # fmt: skip


def pointwise(shape: Shape, plan: Plan, tokens: Number, dense: Number) -> list[Operation]:
    """Norms, residuals, head transposes and activations.

    Two norms of 7 passes, two residuals of 3, and 2 more norms' worth of backward with the sums
    of gradients at each branch: 54 passes of M; 16 of the heads; a gated activation 5 forward and
    8 backward of H, a plain one 2 and 3.
    """
    s, t = shape, np.asarray(tokens, float)
    again = np.asarray(plan.execution().recompute_layers)
    inner = t * s.n_heads * s.d_head
    act = {"gated": (5 + 5 * again + 8), "plain": (2 + 2 * again + 3)}
    gated = np.asarray(s.ffn_matrices) > 2
    gated_expert = np.asarray(s.expert_matrices) > 2
    moe = np.asarray(s.n_moe_layers)
    rows = t * (np.asarray(s.top_k) * plan.capacity_factor + s.n_shared_experts)
    return [
        elementwise(plain(t * s.d_model), plain(54 + 20 * again), plan, calls=50, count=s.n_layers),
        elementwise(plain(inner), plain(16 + 8 * again), plan, calls=16, count=s.n_layers),
        elementwise(plain(t * s.d_ff), plain(np.where(gated, act["gated"], act["plain"])), plan,
                    calls=6, count=dense),
        elementwise(plain(rows * s.d_expert),
                    plain(np.where(gated_expert, act["gated"], act["plain"])), plan, calls=6,
                    count=plain(moe)),
    ]  # fmt: skip


def loss(shape: Shape, plan: Plan) -> list[Operation]:
    """Logits and cross-entropy, in chunks of tokens: three products and 8 passes over T*V.

    The gradients are computed with the loss, so nothing is recomputed; the weight's gradient is
    summed once a chunk (3 passes of V*M).
    """
    s = shape
    tokens = np.asarray(plan.sequences) * s.seq_len
    rows = np.minimum(plan.loss_chunk, tokens)
    chunks = tokens / rows
    return [
        *linear(plain(rows), s.vocab_size, s.d_model, plan, 0, count=plain(chunks)),
        cross_entropy(plain(rows), s.vocab_size, s.d_model, plan, count=plain(chunks)),
    ]


def cross_entropy(
    rows: Number, vocab: Number, width: Number, plan: Plan, count: Number = 1
) -> Operation:
    """Softmax and its gradient of one chunk, and the sum of the weight's gradient."""
    values = 8.0 * np.asarray(rows) * vocab + 3.0 * np.asarray(vocab) * width
    return elementwise(plain(values), 1, plan, calls=12, count=count, kind="loss")


def optimizer(parameters: Number, plan: Plan, tensors: Number) -> list[Operation]:
    """The norm of all gradients and the update of all parameters, by the plan's optimiser.

    138M parameters, AdamW: 138e6 * 32 = 4.4 GB.
    """
    kind = np.asarray(plan.optimizer)
    return [
        Operation(kind=name, count=plain(np.where(kind == name, 1, 0)),
                  bytes=plain(np.asarray(parameters, float) * size),
                  calls=plain(np.asarray(tensors) * calls))
        for name, (size, calls) in OPTIMIZERS.items()
    ]  # fmt: skip
