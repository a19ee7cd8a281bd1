"""Attention scores of one chip as operations: fused, or with score matrices that are stored.

Legend as in `simulator.physics.compute`.
"""

from __future__ import annotations

import numpy as np

from energy.flops import executed_flop
from energy.shape import Number, Shape, plain
from energy.shapes.attention import kv_values, value_width
from energy.shapes.stack import attention_layers
from simulator.physics.operations import Operation, elementwise, linear
from simulator.physics.plan import Plan
from simulator.physics.workload import within_samples


def scores(shape: Shape, plan: Plan) -> list[Operation]:
    """Attention scores, softmax and weighted values of all layers.

    With flash attention only queries, keys, values and output move through memory, and a causal
    mask halves the FLOP; a packed sequence has those of its samples. Without it see
    `unfused_scores`, which computes all scores and then hides some.
    """
    s, flash = shape, np.asarray(plan.flash, bool)
    split = np.asarray(plan.tp) * plan.cp
    tokens = np.asarray(plan.sequences) * s.seq_len
    executed = executed_flop(within_samples(shape, plan), plan.flop_execution(), "causal")
    causal = executed["attention_scores"] + np.asarray(executed.get("index_scores", 0))
    n_attention = np.asarray(attention_layers(s))
    layer_flop = np.asarray(causal) * tokens / np.maximum(n_attention, 1) / split
    queries = np.asarray(s.n_heads) * (s.d_head + np.asarray(value_width(s)))
    values = (queries + kv_values(s)) * (1 + 2 * np.asarray(plan.input_gradients)) / split
    fused = Operation(
        kind="attention",
        count=plain(np.where(flash, 1, 0) * n_attention),
        flop=plain(layer_flop),
        bytes=plain(tokens * values * plan.activation_bytes),
        calls=2,
    )
    unfused_layers = np.where(flash, 0, 1) * n_attention
    if not np.any(unfused_layers):
        return [fused]
    return [fused, *unfused_scores(shape, plan, plain(unfused_layers))]


def unfused_scores(shape: Shape, plan: Plan, n_layers: Number) -> list[Operation]:
    """Attention without flash in `n_layers` layers: score matrices move through memory.

    About 7 passes forward (scale, bias, softmax) and 7 backward over B*h*S^2, and 5 and 8 over the
    h*S^2 of a bucketed position bias (arXiv:1910.10683), which all sequences of a batch share.
    GLaM as its authors build it (Praxis 1.4.0) does not scale, and has one more logit in its
    softmax: two passes to scale its weights by in place of those of the scale, none backward, and
    in a fused softmax 1/S of a pass.
    """
    s, execution = shape, plan.flop_execution()
    again = execution.again("attention_scores")
    heads = np.asarray(plan.sequences) * s.n_heads / plan.tp
    rows = plain(np.asarray(s.seq_len) / plan.cp)
    width = (s.d_head + np.asarray(value_width(s)) + s.d_rope) / 2
    matrix = np.asarray(s.seq_len, float) * rows
    count = np.asarray(n_layers)
    biased = np.where(np.asarray(s.relative_buckets) > 0, 1, 0) * count
    backward = np.asarray(plan.input_gradients)
    return [
        *linear(
            (rows, s.seq_len, plain(width)),
            plan,
            again,
            wide=True,
            kind="batched",
            groups=plain(heads),
            count=plain(2 * count),
            frozen=False,
        ),
        elementwise(
            plain(heads * matrix),
            plain(7 + 7 * backward + 7 * np.asarray(again)),
            plan,
            calls=12,
            count=plain(count),
        ),
        elementwise(
            plain(np.asarray(s.n_heads) / plan.tp * matrix),
            plain(5 + 8 * backward + 5 * np.asarray(again)),
            plan,
            calls=12,
            count=plain(biased),
        ),
    ]
