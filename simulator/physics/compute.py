"""The work of one chip as operations: what it multiplies and what moves through its memory.

Element-wise passes are those of an eager framework, in which each function reads its inputs and
writes its output; `Constants.fusion` is the share of them that a fused framework keeps. Legend as
in `energy.shape`; T tokens of a micro-batch; t, c, p, e, x tensor, context, pipeline, expert and
expert-tensor parallel degree. Counts are of all layers: a pipeline stage does 1/p of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.flops import Execution, executed_flop
from energy.shape import Number, Shape, attention_weights, kinds, plain, prediction_layer
from energy.shapes.attention import PARTS_OF_PROJECTIONS
from energy.shapes.network import computed_experts, dense_layers
from energy.shapes.recurrence import inner_width, key_width, recurrent_weights
from energy.shapes.stack import attention_layers, branches, either
from simulator.physics.attention import scores
from simulator.physics.operations import Kind, Operation, elementwise, linear, product
from simulator.physics.plan import Plan
from simulator.physics.update import loss
from simulator.physics.workload import adapter_columns


def layers(shape: Shape, plan: Plan) -> dict[str, list[Operation]]:
    """The layers of one micro-batch, forward and backward, by part."""
    parts: dict[str, list[Operation]] = {}
    for kind in kinds(shape):
        for part, operations in _layers_of_a_kind(kind, plan).items():
            parts.setdefault(part, []).extend(operations)
    if np.any(shape.n_prediction_layers):
        parts["prediction"] = _prediction(shape, plan)
    if plan.has_adapters:
        parts["adapters"] = adapters(shape, plan)
    return parts


def _layers_of_a_kind(shape: Shape, plan: Plan) -> dict[str, list[Operation]]:
    """The layers of one kind, by part."""
    s, execution = shape, plan.flop_execution()
    again = execution.recompute_layers
    tokens = plain(np.asarray(plan.sequences) * s.seq_len / plan.cp)
    dense, n_attention = plain(dense_layers(s)), np.asarray(attention_layers(s))
    # All projections of a layer as one product of their total width: the dims of the largest.
    width = plain(attention_weights(s) / np.asarray(s.d_model) / 4 / plan.tp)
    parts = {
        "attention_projections": linear(
            (tokens, width, s.d_model),
            plan,
            again_projected(s, execution),
            count=plain(4 * n_attention),
        ),
        "attention_scores": scores(shape, plan),
        "dense_ffn": linear(
            (tokens, plain(np.asarray(s.d_ff) / plan.tp), s.d_model),
            plan,
            plain(np.asarray(execution.again("dense_ffn")) * (1 - last_product(s, plan))),
            count=plain(np.asarray(dense) * np.asarray(s.ffn_matrices)),
        ),
        "norms_and_activations": pointwise(shape, plan, tokens, dense),
    }
    if np.any(s.n_recurrent_layers):
        parts |= recurrence(shape, plan, tokens)
    if np.any(s.d_layer_input):
        sizes = (tokens, s.d_layer_input, s.d_model)
        parts["layer_inputs"] = linear(sizes, plan, again, count=plain(3 * np.asarray(s.n_layers)))
    return parts | experts(shape, plan, plain(np.asarray(tokens) / plan.tp))


def again_projected(shape: Shape, execution: Execution) -> Number:
    """How often the projections of attention are recomputed; of some of them alone, their part.

    DeepSeek-V3: 5.45e7 of 1.87e8 weights lead from latents, so 0.29 of the projections.
    """
    again = execution.again("attention_projections")
    for name, weights in PARTS_OF_PROJECTIONS.items():
        if np.any(more := np.asarray(execution.recompute_parts.get(name, 0.0))):
            part = np.asarray(weights(shape)) / np.maximum(attention_weights(shape), 1)
            again = plain(np.asarray(again) + more * part)
    return again


def last_product(shape: Shape, plan: Plan) -> NDArray[Any]:
    """Share of a dense network that its recomputation leaves out: the last of its products."""
    stops = np.where(np.asarray(plan.recompute_stops, bool), 1, 0)
    return np.asarray(stops / np.asarray(shape.ffn_matrices))


def _prediction(shape: Shape, plan: Plan) -> list[Operation]:
    """Modules of multi-token prediction: a layer, a projection of 2 M to M, logits and loss."""
    tokens = plain(np.asarray(plan.sequences) * shape.seq_len / plan.cp)
    sizes = (tokens, plain(np.asarray(shape.d_model) / plan.tp), 2 * shape.d_model)
    layer = _layers_of_a_kind(prediction_layer(shape), plan)
    once = [operation for part in layer.values() for operation in part]
    once += linear(sizes, plan, plan.flop_execution().recompute_layers) + loss(shape, plan)
    return [
        replace(each, count=plain(np.asarray(each.count) * shape.n_prediction_layers))
        for each in once
    ]


def adapters(shape: Shape, plan: Plan) -> list[Operation]:
    """Adapters of frozen matrices: y = x W + x A B, with A of k x r and B of r x n, both trained.

    All matrices of a part have its mean width. The sum of both paths, and backward that of their
    gradients, are 8 passes of it.
    """
    s, again, rank = shape, plan.flop_execution().recompute_layers, plan.adapter_rank
    tokens = np.asarray(plan.sequences) * s.seq_len / plan.cp
    trained = np.where(np.asarray(plan.trained) == "adapters", 1, 0)
    columns, n_attention = adapter_columns(s, plan), np.asarray(attention_layers(s))
    networks = np.asarray(s.n_layers) * np.maximum(s.ffn_matrices, 2)
    slots = tokens / plan.tp * computed_experts(s) * plan.capacity_factor
    parts = (
        ("attention", 4 * n_attention, tokens, plan.tp, 1),
        ("dense", networks, tokens, plan.tp, 1),
        (
            "routed",
            np.asarray(s.n_moe_layers) * s.expert_matrices,
            slots * plan.ep * plan.etp / s.n_experts,
            plan.etp,
            plain(np.asarray(s.n_experts) / plan.ep),
        ),
    )
    operations: list[Operation] = []
    for name, matrices, rows, split, groups in parts:
        if not np.any(columns[name]):
            continue
        width = plain(np.asarray(columns[name]) / np.maximum(matrices, 1) / 2 / split)
        kind: Kind = "grouped" if name == "routed" else "product"
        count = plain(trained * matrices)
        for sizes in ((plain(rows), rank, width), (plain(rows), width, rank)):
            operations += linear(
                sizes, plan, again, kind=kind, groups=groups, count=count, wide=True, frozen=False
            )
        operations.append(
            elementwise(plain(np.asarray(rows) * groups * width), 8, plan, calls=6, count=count)
        )
    return operations


def recurrence(shape: Shape, plan: Plan, tokens: Number) -> dict[str, list[Operation]]:
    """Recurrent layers: their projections, and convolution and state in chunks of tokens.

    The state is computed by a fused kernel, as attention is; queries, keys, values, decays and the
    output move through memory once forward and twice backward.

    Args:
        shape: of one kind of layers.
        plan: of the step.
        tokens: T.
    """
    s, count = shape, np.asarray(shape.n_recurrent_layers)
    again = plan.flop_execution().recompute_layers
    width = plain(recurrent_weights(s) / np.asarray(s.d_model) / 2 / plan.tp)
    executed = executed_flop(shape, plan.flop_execution())["recurrence_states"]
    layer_flop = np.asarray(executed) * tokens / np.maximum(count, 1) / plan.tp
    backward = np.asarray(plan.input_gradients)
    layer_flop = layer_flop * (1 + 2 * backward + again) / (3 + np.asarray(again))
    moved = 2 * np.asarray(key_width(s)) + 3 * np.asarray(inner_width(s))
    values = (1 + 2 * backward) * moved / plan.tp
    states = Operation(
        kind="attention",
        count=plain(count),
        flop=plain(layer_flop),
        bytes=plain(tokens * values * plan.activation_bytes),
        calls=4,
    )
    return {
        "recurrence": linear((tokens, width, s.d_model), plan, again, count=plain(2 * count)),
        "recurrence_states": [states],
    }


def experts(shape: Shape, plan: Plan, tokens: Number) -> dict[str, list[Operation]]:
    """The mixture layers: their experts, and the routing of tokens to them.

    A chip with T tokens, in a group of e*x chips, gives each of its E/e experts T*e*x*K*c/E rows
    of width H_e/x: 1,024 tokens, top-2 of 16 on one chip: 128. The busiest chip sets the time.
    """
    s, execution = shape, plan.flop_execution()
    moe_layers = np.asarray(s.n_moe_layers)
    if not np.any(moe_layers):
        return {}
    slots = np.asarray(tokens) * computed_experts(s) * plan.capacity_factor
    matrices = moe_layers * s.expert_matrices
    rows = plain(slots * plan.ep * plan.etp / s.n_experts)
    grouped = linear(
        (rows, plain(np.asarray(s.d_expert) / plan.etp), either(s.d_latent_expert, s.d_model)),
        plan,
        execution.again("experts"),
        kind="grouped",
        groups=plain(np.asarray(s.n_experts) / plan.ep),
        count=plain(matrices * plan.expert_imbalance),
    )
    all_tokens = plain(np.asarray(tokens) * plan.tp)
    shared = linear(
        (all_tokens, plain(either(s.d_shared, s.d_expert) / np.asarray(plan.tp)), s.d_model),
        plan,
        execution.again("shared_experts"),
        count=plain(matrices * np.asarray(s.n_shared_experts)),
    )
    return {"experts": grouped, "shared_experts": shared} | routing(shape, plan, tokens)


def routing(shape: Shape, plan: Plan, tokens: Number) -> dict[str, list[Operation]]:
    """Router, and the way of tokens to their experts: by permutation or by one-hot products."""
    s, execution = shape, plan.flop_execution()
    again, moe_layers = np.asarray(execution.again("experts")), np.asarray(s.n_moe_layers)
    routed = np.where(np.asarray(s.n_experts) > 1, 1, 0) * moe_layers
    group = np.asarray(execution.one_hot_group, float)
    k = np.asarray(computed_experts(s)) * plan.capacity_factor
    permuted = np.where(group > 0, 0, 1) * routed
    gate = (tokens, s.n_experts, s.d_model)
    backward = np.asarray(plan.input_gradients)
    parts = {
        "router": [
            *linear(gate, plan, plain(again), count=plain(routed), wide=True),
            # softmax, top-k, load and balancing loss over (T, E)
            elementwise(
                plain(np.asarray(tokens) * s.n_experts),
                plain(6 + 6 * backward),
                plan,
                calls=30,
                count=plain(routed),
            ),
        ],
        # copies, gather, scatter, weighting and sum: 8K + 2 passes over (T, M) forward, as many
        # and the zeros that gathers add into backward
        "permutation": [
            elementwise(
                plain(np.asarray(tokens) * s.d_model),
                plain((12 * k + 2) * backward + (8 * k + 2) * (1 + again)),
                plan,
                calls=30,
                count=plain(permuted),
            ),
        ],
    }
    if np.any(group > 0):
        # Dispatch and combine, 2*slots*G*M each; 2.5 times that with the backward pass. To combine
        # is the last product of a layer, which recomputation may leave out.
        slots = np.asarray(tokens) * s.top_k * plan.capacity_factor
        redone = again * (1 - np.where(np.asarray(plan.recompute_stops, bool), 0.5, 0))
        times = 2 * (1 + 1.5 * backward + redone) * moe_layers * np.where(group > 0, 1, 0)
        one_hot = product(
            (plain(slots), s.d_model, plain(group)), plan.activation_bytes, count=plain(times)
        )
        parts["dispatch"] = [one_hot]
    return parts


def pointwise(shape: Shape, plan: Plan, tokens: Number, dense: Number) -> list[Operation]:
    """Norms, residuals, head transposes and activations.

    Two norms of 7 passes, two residuals of 3, and 2 more norms' worth in the backward pass with
    the sums of gradients at each branch: 54 passes of M; 16 of the heads; a gated activation 5
    forward and 8 backward of H, a plain one 2 and 3, ReLU (GLaM's experts) as GELU. Sequence
    parallelism (arXiv:2205.05198) shares the norms out over the tensor parallel group too.

    Args:
        shape: of the model.
        plan: of the step.
        tokens: T.
        dense: layers with a dense feed-forward network.
    """
    s, t = shape, np.asarray(tokens, float)
    again = np.asarray(plan.flop_execution().recompute_layers)
    # The 14 forward passes of the norms, and activations of networks that are redone or not.
    norms, light = np.asarray(plan.recomputed("norms")), np.asarray(plan.recomputed("activations"))
    heads = t * s.n_heads * s.d_head / plan.tp
    gated, backward = np.asarray(s.ffn_matrices) > 2, np.asarray(plan.input_gradients)
    # A layer with a mixer and a network has two branches, each with half of the norms' passes.
    full = plain(np.asarray(branches(s)) / 2)
    slices = np.where(np.asarray(plan.sequence_parallel, bool), plan.tp, 1)
    operations = [
        elementwise(
            plain(t * s.d_model / slices),
            plain(20 + 34 * backward + 6 * again + 14 * norms),
            plan,
            calls=50,
            count=full,
        ),
        elementwise(
            plain(heads),
            plain(8 + 8 * backward + 8 * again),
            plan,
            calls=16,
            count=plain(attention_layers(s)),
        ),
        elementwise(
            plain(t * s.d_ff / plan.tp),
            _activation_passes(gated, backward, np.maximum(light, plan.recomputed("mlp"))),
            plan,
            calls=6,
            count=dense,
        ),
    ]
    moe = np.asarray(s.n_moe_layers)
    if np.any(moe):
        shared = s.n_shared_experts * (either(s.d_shared, s.d_expert) / np.maximum(s.d_expert, 1))
        rows = t / plan.tp * (np.asarray(computed_experts(s)) * plan.capacity_factor + shared)
        light = np.maximum(light, plan.recomputed("experts"))
        passes = _activation_passes(np.asarray(s.expert_matrices) > 2, backward, light)
        operations.append(
            elementwise(plain(rows * s.d_expert), passes, plan, calls=6, count=plain(moe))
        )
    return operations


def _activation_passes(gated: NDArray[Any], backward: NDArray[Any], light: NDArray[Any]) -> Number:
    """Passes of an activation over the width of its network."""
    of_gated, of_plain = 5 + 8 * backward + 5 * light, 2 + 3 * backward + 2 * light
    return plain(np.where(gated, of_gated, of_plain))
