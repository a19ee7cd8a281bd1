"""Time that the chips of a plan spend on messages in one step, by kind of parallelism.

Messages of tensor, context, expert and pipeline parallelism are sent with each micro-batch, those
of data parallelism once a step, or with each micro-batch where weights are sharded (ZeRO 3). A
degree of one sends none. Legend as in `simulator.physics.compute`; w bytes per activation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from energy.shape import Number, Shape, kinds, plain
from energy.shapes.attention import kv_values
from energy.shapes.stack import attention_layers
from simulator.physics.collectives import group
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.plan import Plan
from simulator.physics.traffic import (
    Message,
    expert_cut,
    residuals,
    slots,
    stage_parameters,
    trained_parameters,
    whole_slice,
)


@dataclass(frozen=True)
class Messages:
    """Seconds of communication before any of it overlaps with computation.

    Attributes:
        tensor_s: tensor parallel, of one micro-batch and all layers of the model.
        context_s: context parallel, likewise.
        expert_s: expert parallel, likewise.
        pipeline_s: between two stages, of one micro-batch, both directions.
        shard_s: ZeRO 3, weights and gradients of one micro-batch, all layers of a stage.
        data_s: data parallel, gradients and weights of one step, all layers of a stage.
    """

    tensor_s: Number
    context_s: Number
    expert_s: Number
    pipeline_s: Number
    shard_s: Number
    data_s: Number


def messages(shape: Shape, plan: Plan, hardware: Hardware, constants: Constants) -> Messages:
    """Seconds of all messages of one step, by kind."""
    shard_s, data_s = data_parallel(shape, plan, hardware, constants)
    return Messages(
        tensor_s=tensor_parallel(shape, plan, hardware, constants),
        context_s=context_parallel(shape, plan, hardware, constants),
        expert_s=expert_parallel(shape, plan, hardware, constants),
        pipeline_s=pipeline_parallel(shape, plan, hardware, constants),
        shard_s=shard_s,
        data_s=data_s,
    )


def tensor_parallel(shape: Shape, plan: Plan, hardware: Hardware, constants: Constants) -> Number:
    """Seconds of what attention and dense networks gather and scatter (`traffic.residuals`).

    Without sequence parallelism an all-reduce moves the same bytes (arXiv:2205.05198).
    """
    if not np.any(np.asarray(plan.tp) > 1):
        return 0.0
    return _seconds(residuals(shape, plan).values(), hardware, constants)


def context_parallel(shape: Shape, plan: Plan, hardware: Hardware, constants: Constants) -> Number:
    """Seconds in which keys and values pass around a ring: forward, and backward with gradients."""
    s = shape
    if not np.any(np.asarray(plan.cp) > 1):
        return 0.0
    per_token = sum(np.asarray(attention_layers(kind)) * kv_values(kind) for kind in kinds(s))
    values = np.asarray(plan.sequences) * s.seq_len * per_token / plan.tp
    ring = group(plan.cp, plan.tp, hardware, constants)
    again = np.asarray(plan.flop_execution().recompute_layers)
    times = 1 + 2 * np.asarray(plan.input_gradients) + again
    # Each layer sends its own: the start of a collective counts once a layer.
    n_attention = sum(np.asarray(attention_layers(kind)) for kind in kinds(s))
    each = plain(values / np.maximum(n_attention, 1) * plan.activation_bytes)
    return plain(n_attention * times * ring.all_gather_s(each))


def expert_parallel(shape: Shape, plan: Plan, hardware: Hardware, constants: Constants) -> Number:
    """Seconds of dispatch and combine, and of what experts that are tensor parallel gather.

    Dispatched by node, a token crosses the network once for each node that its experts are on.
    """
    if not np.any(np.asarray(shape.n_moe_layers)):
        return 0.0
    sent = slots(shape, plan)
    seconds = np.asarray(_seconds([sent], hardware, constants))
    by_node = np.asarray(plan.expert_messages) == "by-node"
    if np.any(by_node):
        ranks = group(sent.ranks, sent.stride, hardware, constants)
        once_s = ranks.dispatch_s(sent.bytes, shape.top_k, plan.expert_nodes)
        seconds = np.where(by_node, np.minimum(np.asarray(sent.count) * once_s, seconds), seconds)
    if np.any(np.asarray(plan.etp) > 1):
        seconds = seconds + _seconds(expert_cut(shape, plan).values(), hardware, constants)
    return plain(seconds * plan.expert_imbalance)


def _seconds(sent: Iterable[Message], hardware: Hardware, constants: Constants) -> Number:
    """Seconds of messages, one after the other."""
    seconds: Number = 0.0
    for message in sent:
        ranks = group(message.ranks, message.stride, hardware, constants)
        one_s = ranks.all_to_all_s if message.kind == "all-to-all" else ranks.all_gather_s
        seconds = seconds + np.asarray(message.count) * one_s(message.bytes)
    return plain(seconds)


def pipeline_parallel(shape: Shape, plan: Plan, hardware: Hardware, constants: Constants) -> Number:
    """Seconds to send T*M*w to the next stage and as much back; stages are outermost in rank.

    Over the fast links where a domain holds two stages: of 36 chips each in a rack of 72.
    """
    if not np.any(np.asarray(plan.pp) > 1):
        return 0.0
    stage_chips = np.asarray(plan.n_chips) / plan.pp
    tokens = np.asarray(plan.sequences) * shape.seq_len / plan.cp
    slices = np.where(np.asarray(plan.sequence_parallel, bool), plan.tp, 1)
    size_bytes = tokens * shape.d_model * plan.activation_bytes / slices
    same_domain = 2 * stage_chips <= np.asarray(hardware.link_domain_chips)
    rate = np.where(
        same_domain,
        np.maximum(hardware.link_bytes_per_s, 1.0) * constants.link_efficiency,
        np.maximum(hardware.network_bytes_per_s, 1.0) * constants.network_efficiency,
    )
    latency_s = np.where(same_domain, constants.link_latency_s, constants.network_latency_s)
    directions = 1 + np.asarray(plan.input_gradients)
    one_s = size_bytes / rate + latency_s
    return plain(np.where(np.asarray(plan.pp) > 1, directions * one_s, 0.0))


def data_parallel(
    shape: Shape, plan: Plan, hardware: Hardware, constants: Constants
) -> tuple[Number, Number]:
    """Seconds for gradients and weights: (with each micro-batch, once a step).

    ZeRO 0 all-reduces gradients once a step. ZeRO 1 and 2 reduce-scatter gradients and all-gather
    weights. ZeRO 3 gathers weights for the forward pass and again for the backward one and
    scatters gradients, with every micro-batch. Where shards span a part of the ranks, the shards
    are all-reduced over the rest. Experts have fewer copies: tp * cp * dp / (ep * etp). Weights
    that are frozen have no gradients and change nowhere: ZeRO 3 alone sends them.
    """
    experts, rest = stage_parameters(shape, plan)
    trained_experts, trained_rest = trained_parameters(shape, plan)
    frozen = not np.all(plan.weight_gradients)
    zero, gradient_width = np.asarray(plan.zero), np.asarray(plan.sent_gradient_bytes)
    shard_s: Number = 0.0
    data_s: Number = 0.0
    replicated = (
        (rest, trained_rest, plan.dp, np.asarray(plan.tp) * plan.cp),
        (experts, trained_experts, plan.expert_dp, np.asarray(plan.ep) * plan.etp),
    )
    for parameters, trained, copies, stride in replicated:
        if not np.any(parameters) or not np.any(np.asarray(copies) > 1):
            continue
        shards = np.minimum(plan.sharded, np.asarray(copies))
        inner = group(shards, stride, hardware, constants)
        times = whole_slice(plan, copies, hardware)
        gradients_s = inner.all_gather_s(plain(np.asarray(trained) * times * gradient_width))
        width = np.asarray(plan.activation_bytes)
        weights_s = updated_s = inner.all_gather_s(plain(np.asarray(parameters) * times * width))
        if frozen:
            updated_s = inner.all_gather_s(plain(np.asarray(trained) * times * width))
        outer = group(
            np.maximum(np.asarray(copies) / shards, 1),
            np.asarray(stride) * shards,
            hardware,
            constants,
        )
        outer_s = outer.all_reduce_s(
            plain(trained * gradient_width / np.where(zero > 0, shards, 1))
        )
        if frozen:
            sends = np.where(np.asarray(trained) > 0, 1, 0)
            gradients_s, updated_s, outer_s = (
                plain(sends * each_s) for each_s in (gradients_s, updated_s, outer_s)
            )
        # After the gradients are scattered, the updated weights (or the sums) are gathered.
        gathered_s = np.where(zero > 0, updated_s, gradients_s)
        inner_s = gathered_s + gradients_s
        if np.any(with_each := zero >= 3):
            gathers = 1 + np.asarray(plan.input_gradients)
            waits = (gathers + 1) * (np.asarray(plan.shard_messages) - 1)
            each_s = gathers * np.asarray(weights_s) + gradients_s + waits * inner.latency_s
            shard_s = shard_s + np.where(with_each, each_s, 0)
            inner_s = np.where(with_each, 0, inner_s)
        data_s = data_s + inner_s + outer_s
    return plain(shard_s), plain(data_s)
