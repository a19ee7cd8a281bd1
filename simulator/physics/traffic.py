"""The messages of a step as a table: how many bytes, among which ranks, how often, in which buffer.

Their seconds (`communication`), the memory that they need (`memory`) and what a compiler sends are
all read from here. Legend as in `energy.shape`; w bytes per activation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from energy.shape import Number, Shape, parameters, plain, total
from energy.shapes.network import computed_experts, dense_layers
from energy.shapes.stack import either
from simulator.physics.hardware import Hardware
from simulator.physics.plan import Parallelism, Plan
from simulator.physics.workload import adapter_parameters

Kind = Literal["all-gather", "reduce-scatter", "all-to-all"]


@dataclass(frozen=True, kw_only=True)
class Message:
    """One kind of message.

    Attributes:
        kind: an all-reduce is a reduce-scatter and an all-gather.
        ranks: chips of its group; 1 sends nothing.
        stride: distance of neighbors in the order of ranks.
        bytes: of the whole that is gathered or scattered, or that a chip gives to an all-to-all.
        count: how often with a micro-batch, in all layers of the model.
        buffer: bytes that stand in memory beside what is stored, while one layer is computed.
    """

    kind: Kind
    ranks: Number
    stride: Number
    bytes: Number
    count: Number
    buffer: Number = 0


def residuals(shape: Shape, plan: Plan) -> dict[str, Message]:
    """Gathers and scatters of T*M*w around the tensor parallel products of attention and network.

    Each branch gathers its input and scatters its result forward, and does both with gradients
    backward. Recomputation repeats the forward ones. Where the input is not kept, the weights'
    gradient gathers it once more (`Execution.gathers_again`), also where it was recomputed. A
    mixture sends its tokens to experts instead. GLaM, two layers, without recomputation: 3
    branches, 9 gathers, 6 scatters.

    >>> from dataclasses import replace
    >>> from energy.facts import catalog
    >>> two = replace(catalog.model("glam-64b-64e").shape, n_layers=2, n_moe_layers=1)
    >>> [sent.count for sent in residuals(two, Plan(n_chips=2, tp=2, gathers_again=True)).values()]
    [9, 6]
    """
    s = shape
    tokens = np.asarray(plan.sequences) * s.seq_len / plan.cp
    execution = plan.flop_execution()
    branches = np.asarray(s.n_layers - s.n_network_layers + dense_layers(s))
    # A dense network alone that is computed again is one of the branches.
    mlp, again = (np.asarray(execution.again(name)) for name in ("dense_ffn", "layers"))
    networks = (mlp - again) * dense_layers(s)
    spread = np.asarray(plan.gathers_again, bool) & np.asarray(plan.sequence_parallel, bool)
    whole = tokens * s.d_model * plan.activation_bytes
    gathers = np.asarray(plan.sequence_parallel, bool) & (np.asarray(plan.tp) > 1)
    group: dict[str, Any] = {
        "ranks": plan.tp,
        "stride": 1,
        "bytes": plain(whole),
        "buffer": plain(np.where(gathers, whole, 0.0)),
    }
    backward = np.asarray(plan.input_gradients)
    # What the last product of a recomputed layer gives is not scattered where it is not needed.
    last = np.where(np.asarray(plan.recompute_stops, bool), dense_layers(s), 0)
    scatters = branches * (1 + backward + again) + networks - mlp * last
    once_more = np.where(spread, backward, 0)
    return {
        "gathers": Message(
            kind="all-gather",
            count=plain(branches * (1 + backward + again + once_more) + networks),
            **group,
        ),
        "scatters": Message(kind="reduce-scatter", count=plain(scatters), **group),
    }


def slots(shape: Shape, plan: Plan) -> Message:
    """Dispatch and combine of the mixtures, forward and backward: T*K*c*M*w each.

    GLaM, 16 bits: 8,192 * 2 * 2 * 4 = 131 kB per token and layer.

    >>> from energy.facts import catalog
    >>> glam = catalog.model("glam-64b-64e").shape
    >>> sent = slots(glam, Plan(activation_bytes=2))
    >>> sent.bytes * sent.count / glam.seq_len / glam.n_moe_layers
    131072.0
    """
    s = shape
    tokens = np.asarray(plan.sequences) * s.seq_len / plan.cp / plan.tp
    width = either(s.d_latent_expert, s.d_model)
    sent = tokens * computed_experts(s) * plan.capacity_factor * width * plan.activation_bytes
    again = np.asarray(plan.flop_execution().again("experts"))
    return Message(
        kind="all-to-all",
        ranks=plan.ep,
        stride=plan.etp,
        bytes=plain(sent),
        count=plain(np.asarray(s.n_moe_layers) * 2 * (1 + plan.input_gradients + again)),
    )


def expert_cut(shape: Shape, plan: Plan) -> dict[str, Message]:
    """Experts that are tensor parallel gather the slots of their group, and scatter the results.

    What is gathered stands in memory while a layer is computed, and so does a result before it is
    scattered. GLaM 64B/64E, 16 bits, on 64 x 16 chips with 1,024 tokens each: 1,024 * 2.5 * 8,192 *
    2 B = 42 MB a chip are gathered to 0.67 GB, and as much is scattered.
    """
    sent = slots(shape, plan)
    whole = np.asarray(sent.bytes) * plan.etp
    group: dict[str, Any] = {
        "ranks": plan.etp,
        "stride": 1,
        "bytes": plain(whole),
        "count": plain(np.asarray(sent.count) / 2),
        "buffer": plain(np.where(np.asarray(plan.etp) > 1, whole, 0.0)),
    }
    return {
        "gathers": Message(kind="all-gather", **group),
        "scatters": Message(kind="reduce-scatter", **group),
    }


WHOLE_SLICE = 64
"""Chips from which the TPU compiler all-reduces over a whole 3-D slice: zeros and a chip's own part
in place of an all-gather, all parts in place of a reduce-scatter."""


def whole_slice(plan: Parallelism, ranks: Number, hardware: Hardware) -> Number:
    """Times the bytes of a gather or a scatter of weights: 2 where an all-reduce takes its place.

    Args:
        plan: with all chips of the run, which are a slice.
        ranks: chips of the group.
        hardware: with the axes of its torus.
    """
    torus, group = np.asarray(hardware.link_axes) == 3, np.asarray(ranks)
    whole = torus & (group >= WHOLE_SLICE) & (group == np.asarray(plan.n_chips))
    return plain(np.where(whole, 2, 1))


def stage_parameters(shape: Shape, plan: Parallelism) -> tuple[Number, Number]:
    """Parameters of the mean stage on one chip before ZeRO: (experts, the rest)."""
    parts = parameters(shape)
    experts = np.asarray(parts.pop("experts"))
    stages = np.asarray(plan.pp, float)
    return (
        plain(experts / (stages * plan.ep * plan.etp)),
        plain(np.asarray(total(parts)) / (stages * plan.tp)),
    )


def trained_parameters(shape: Shape, plan: Plan) -> tuple[Number, Number]:
    """Parameters of the mean stage on one chip that have gradients: (of experts, of the rest)."""
    experts, rest = stage_parameters(shape, plan)
    whole = np.asarray(plan.weight_gradients)
    if np.all(whole):
        return experts, rest
    own, beside = adapter_parameters(shape, plan)
    adapted = np.where(np.asarray(plan.trained) == "adapters", 1, 0) / np.asarray(plan.pp, float)
    own = adapted * own / (np.asarray(plan.ep) * plan.etp)
    return (
        plain(np.where(whole > 0, experts, own)),
        plain(np.where(whole > 0, rest, adapted * beside / plan.tp)),
    )
