"""What the chips of a plan tell each other in one step, by kind of parallelism.

Messages of tensor, context, expert and pipeline parallelism pass with each micro-batch; those of
data parallelism once a step, or with each micro-batch where weights are sharded (ZeRO 3). At
degree one there are none. Legend as in `simulator.physics.compute`; w bytes of an activation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from energy.shape import Number, Shape, plain
from simulator.physics.collectives import group
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.memory import stage_parameters
from simulator.physics.plan import Plan


@dataclass(frozen=True)
class Messages:
    """Seconds of communication before any of it is hidden behind computing.

    Attributes:
        tensor_s: of one micro-batch and all layers of the model.
        context_s: likewise.
        expert_s: likewise.
        pipeline_s: of one micro-batch at one cut, both directions.
        shard_s: ZeRO 3, weights and gradients of one micro-batch, all layers of a stage.
        data_s: gradients and weights of one step, all layers of a stage.
    """

    tensor_s: Number
    context_s: Number
    expert_s: Number
    pipeline_s: Number
    shard_s: Number
    data_s: Number


def messages(shape: Shape, plan: Plan, hardware: Hardware, constants: Constants) -> Messages:
    """Seconds of all messages of one step, by kind."""
    shard, data = data_parallel(shape, plan, hardware, constants)
    return Messages(
        tensor_s=tensor_parallel(shape, plan, hardware, constants),
        context_s=context_parallel(shape, plan, hardware, constants),
        expert_s=expert_parallel(shape, plan, hardware, constants),
        pipeline_s=pipeline_parallel(shape, plan, hardware, constants),
        shard_s=shard,
        data_s=data,
    )


def tensor_parallel(shape: Shape, plan: Plan, hardware: Hardware, constants: Constants) -> Number:
    """One all-reduce of T*M*w after attention and one after a dense network, forward and backward.

    Recomputing the layers repeats the forward one. Sequence parallelism moves the same bytes as
    all-gather and reduce-scatter (arXiv:2205.05198). A mixture layer sends its tokens to experts
    instead, unless its experts are cut themselves.
    """
    s = shape
    if not np.any(np.asarray(plan.tp) > 1):
        return 0.0
    tokens = np.asarray(plan.sequences) * s.seq_len / plan.cp
    one = group(plan.tp, 1, hardware, constants).reduce_s(
        plain(tokens * s.d_model * plan.activation_bytes)
    )
    again = np.asarray(plan.flop_execution().recompute_layers)
    moe = np.asarray(s.n_moe_layers)
    return plain((2 * np.asarray(s.n_layers) - moe) * (2 + again) * one)


def context_parallel(shape: Shape, plan: Plan, hardware: Hardware, constants: Constants) -> Number:
    """Keys and values pass around a ring: forward once, backward with their gradients."""
    s = shape
    if not np.any(np.asarray(plan.cp) > 1):
        return 0.0
    held = np.asarray(plan.sequences) * s.seq_len * 2 * s.n_kv_heads * s.d_head / plan.tp
    ring = group(plan.cp, plan.tp, hardware, constants)
    times = 3 + np.asarray(plan.flop_execution().recompute_layers)
    return plain(
        np.asarray(s.n_layers) * times * ring.gather_s(plain(held * plan.activation_bytes))
    )


def expert_parallel(shape: Shape, plan: Plan, hardware: Hardware, constants: Constants) -> Number:
    """Dispatch and combine, forward and backward: 4 all-to-alls of T*K*c*M*w a mixture layer.

    Experts that are cut gather their tokens and scatter their results over the cut as well.
    GLaM, 16 bits: 8,192 * 2 * 2 * 4 = 131 kB a token and layer.
    """
    s = shape
    if not np.any(np.asarray(s.n_moe_layers)):
        return 0.0
    tokens = np.asarray(plan.sequences) * s.seq_len / plan.cp / plan.tp
    sent = tokens * s.top_k * plan.capacity_factor * s.d_model * plan.activation_bytes
    times = np.asarray(s.n_moe_layers) * (
        4 + 2 * np.asarray(plan.flop_execution().recompute_layers)
    )
    found = times * group(plan.ep, plan.etp, hardware, constants).exchange_s(plain(sent))
    if np.any(np.asarray(plan.etp) > 1):
        cut = group(plan.etp, 1, hardware, constants)
        found = found + times * cut.gather_s(plain(sent * plan.etp))
    return plain(np.asarray(found) * plan.expert_imbalance)


def pipeline_parallel(shape: Shape, plan: Plan, hardware: Hardware, constants: Constants) -> Number:
    """T*M*w to the next stage and as much back; the stages lie farthest apart of all ranks."""
    if not np.any(np.asarray(plan.pp) > 1):
        return 0.0
    stage = np.asarray(plan.n_chips) / plan.pp
    tokens = np.asarray(plan.sequences) * shape.seq_len / plan.cp
    cut = np.where(np.asarray(plan.sequence_parallel, bool), plan.tp, 1)
    size = tokens * shape.d_model * plan.activation_bytes / cut
    near = stage < np.asarray(hardware.link_domain_chips)
    rate = np.where(
        near,
        np.maximum(hardware.link_bytes_per_s, 1.0) * constants.link_efficiency,
        np.maximum(hardware.network_bytes_per_s, 1.0) * constants.network_efficiency,
    )
    latency = np.where(near, constants.link_latency_s, constants.network_latency_s)
    return plain(np.where(np.asarray(plan.pp) > 1, 2 * (size / rate + latency), 0.0))


def data_parallel(
    shape: Shape, plan: Plan, hardware: Hardware, constants: Constants
) -> tuple[Number, Number]:
    """Gradients and weights: (seconds of a micro-batch, seconds of a step).

    ZeRO 0 all-reduces gradients once a step; 1 and 2 scatter gradients and gather weights; 3
    gathers weights for the forward pass and again for the backward one, and scatters gradients,
    with every micro-batch. Where shards span a part of the ranks, the rest all-reduces its shard.
    An expert's copies are fewer: tp * cp * dp / (ep * etp).
    """
    experts, rest = stage_parameters(shape, plan)
    zero, width = np.asarray(plan.zero), np.asarray(plan.activation_bytes)
    shard: Number = 0.0
    data: Number = 0.0
    stride = np.asarray(plan.tp) * plan.cp
    held = ((rest, plan.dp, stride), (experts, plan.expert_dp, np.asarray(plan.ep) * plan.etp))
    for count, copies, apart in held:
        if not np.any(count) or not np.any(np.asarray(copies) > 1):
            continue
        inside = np.minimum(plan.sharded, np.asarray(copies))
        inner = group(inside, apart, hardware, constants)
        gradients = inner.gather_s(plain(count * plan.gradient_bytes))
        weights = inner.gather_s(plain(count * width))
        outside = np.maximum(np.asarray(copies) / inside, 1)
        outer = group(outside, np.asarray(apart) * inside, hardware, constants)
        rest_s = outer.reduce_s(plain(count * plan.gradient_bytes / np.where(zero > 0, inside, 1)))
        shard = shard + np.where(zero >= 3, 2 * np.asarray(weights) + gradients, 0)
        whole = np.where(zero >= 3, 0, np.where(zero > 0, weights, gradients) + gradients)
        data = data + whole + rest_s
    return plain(shard), plain(data)
