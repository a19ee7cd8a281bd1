"""Memory that a plan needs on one chip, by part, and whether it fits.

A plan that does not fit is a result, not an exception: it says by how much, and which part is the
largest. Legend as in `energy.shape`; w bytes per activation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energy.shape import Number, Shape, kinds, parameters, plain, total
from energy.shapes.attention import kv_values, value_width
from energy.shapes.network import computed_experts, dense_layers
from energy.shapes.recurrence import inner_width, key_width
from energy.shapes.stack import attention_layers, branches, either
from energy.units import si
from simulator.physics.formats import MOMENT_BYTES, Formats
from simulator.physics.hardware import Hardware
from simulator.physics.pipeline import first_share, in_flight, weight_copies
from simulator.physics.plan import Plan, with_columns
from simulator.physics.recomputation import MODULES, names_modules
from simulator.physics.traffic import (
    expert_cut,
    residuals,
    stage_parameters,
    trained_parameters,
)

Array = NDArray[np.float64]

Shards = Sequence[tuple[Array, Array]]
"""Parameters on one chip, and chips that share them: of the experts, and of the rest."""


@dataclass(frozen=True)
class Memory:
    """Memory of one chip at the peak of a step.

    Attributes:
        bytes: by part.
        limit_bytes: memory of the chip.
        total_bytes: all parts together.
    """

    bytes: dict[str, Number]
    limit_bytes: Number
    total_bytes: Number

    @property
    def between_steps_bytes(self) -> Number:
        """What stays allocated between steps: all that does not depend on a micro-batch."""
        return total(
            {name: self.bytes[name] for name in ("weights", "gradients", "optimizer", "buffers")}
        )

    @property
    def fits(self) -> NDArray[np.bool_]:
        """Whether the sum is within the limit."""
        return np.asarray(np.asarray(self.total_bytes) <= self.limit_bytes)

    def reason(self) -> str:
        """Why a single plan does not fit, in words; empty when it fits."""
        if bool(np.all(self.fits)):
            return ""
        over = float(self.total_bytes) - float(self.limit_bytes)
        part = max(self.bytes, key=lambda name: float(self.bytes[name]))
        return (
            f"{si(float(self.total_bytes), 'B')} do not fit in {si(float(self.limit_bytes), 'B')}: "
            f"{si(over, 'B')} too many, {si(float(self.bytes[part]), 'B')} of them {part}"
        )


def memory(shape: Shape, plan: Plan, hardware: Hardware) -> Memory:
    """Bytes on one chip: weights, gradients, optimizer state, activations, logits, margin.

    Frozen weights have neither gradients nor state. Of activations what a step that trains all
    weights stores is an upper end; a forward pass alone has those of one layer. What only the layer
    whose backward pass runs has takes the place of the logits, which are no longer there.

    GLaM 64B/64E on one chip, float32, Adafactor: 1.162e12 * 4 B of weights = 4.6 TB.
    """
    stored = _shards(local_parameters(shape, plan), plan)
    trained = stored
    if frozen := not np.all(plan.weight_gradients):
        trained = _shards(trained_parameters(shape, plan), plan)
    zero = np.asarray(plan.zero)

    def sharded_bytes(shards: Shards, width: Number, stage: int) -> Number:
        """Bytes of what is sharded from a ZeRO stage on, at a width per parameter."""
        return plain(
            sum(count * width / np.where(zero >= stage, over, 1) for count, over in shards)
        )

    weights = sharded_bytes(stored, plan.weight_bytes, 3)
    if frozen:
        beside = np.where(np.asarray(plan.trained) == "adapters", plan.activation_bytes, 0)
        weights = weights + sharded_bytes(trained, plain(beside), 3)
    wide = np.asarray(plan.weight_bytes) > np.asarray(plan.activation_bytes)
    if np.any(cast := np.asarray(plan.casts_weights, bool) & wide):
        narrow = sharded_bytes(stored, plan.activation_bytes, 3)
        weights = weights + np.where(cast, narrow, 0)
    kept, of_one_layer = activations(shape, plan)
    sizes = {
        "weights": np.asarray(weights) * weight_copies(plan) + gathered_bytes(shape, plan),
        "gradients": np.asarray(sharded_bytes(trained, plan.gradient_bytes, 2))
        * weight_copies(plan),
        "optimizer": sharded_bytes(trained, state_bytes(shape, plan), 1),
        "buffers": bucket_bytes(plan, trained) + gathered_activation_bytes(shape, plan),
        "activations": kept + of_one_layer,
        "logits": np.maximum(logit_bytes(shape, plan) - of_one_layer, 0),
    }
    parts = {name: plain(size) for name, size in sizes.items()}
    whole = np.asarray(total(parts))
    parts["margin"] = plain(hardware.memory_margin * whole)
    return Memory(parts, hardware.memory_bytes, plain(whole + parts["margin"]))


def _shards(local: tuple[Number, Number], plan: Plan) -> Shards:
    """Parameters of experts and of the rest, each with the chips that ZeRO shards them over."""
    copies = np.maximum(np.asarray(plan.expert_dp), 1)
    return (
        (np.asarray(local[0]), np.minimum(plan.sharded, copies)),
        (np.asarray(local[1]), np.asarray(plan.sharded)),
    )


def local_parameters(shape: Shape, plan: Plan) -> tuple[Number, Number]:
    """Parameters of the fullest chip before ZeRO: (experts over e*x*p, the rest over t*p).

    The first stage of a pipeline has the input embedding besides its layers.
    """
    experts, rest = stage_parameters(shape, plan)
    embedding = np.asarray(parameters(shape)["embedding"]) / plan.tp
    stages, share = np.asarray(plan.pp, float), first_share(shape, plan)
    ends = np.minimum(stages, 2 - np.asarray(shape.tied_embedding, float))
    return plain(experts * share), plain((rest - embedding / stages) * share + embedding / ends)


def gathered_bytes(shape: Shape, plan: Plan) -> Number:
    """Weights that ZeRO 3 gathers, and gradients before it scatters them: copies of some layers.

    Experts of which each has one copy are not gathered.
    """
    experts, rest = local_parameters(shape, plan)
    layers = np.asarray(shape.n_layers) / np.asarray(plan.pp)
    shared = np.where(np.asarray(plan.expert_dp) > 1, experts, 0)
    layer = (shared + np.asarray(rest)) / layers * plan.activation_bytes
    return plain(np.where(np.asarray(plan.zero) >= 3, plan.gathered_layers * layer, 0))


def bucket_bytes(plan: Plan, shards: Shards) -> Array:
    """Flat copies that data parallel communication keeps beside what is stored.

    Gradients of the compute type in buckets next to their float32 sums; under ZeRO 1 also the flat
    result of the weights' all-gather and the chip's own shard of it. None where dp is 1.

    Args:
        plan: with the bytes per parameter in buckets.
        shards: (parameters on one chip, chips that share them) of the experts and of the rest.
    """
    gathers = np.asarray(plan.zero) == 1
    flat = sum(
        np.where(over > 1, count * (1 + gathers * (1 + 1 / over)), 0) for count, over in shards
    )
    return np.asarray(flat * plan.bucket_bytes)


def gathered_activation_bytes(shape: Shape, plan: Plan) -> Array:
    """What one layer gathers, and its results before they are scattered: residuals or slots."""
    residual, slot = (
        sum(np.asarray(message.buffer) for message in sent.values())
        for sent in (residuals(shape, plan), expert_cut(shape, plan))
    )
    mixtures = np.asarray(shape.n_moe_layers) > 0
    return np.asarray(np.maximum(residual, np.where(mixtures, slot, 0.0)))


def state_bytes(shape: Shape, formats: Formats) -> Number:
    """Bytes of optimizer state per parameter, with the float32 copy that a narrower weight needs.

    AdamW: two float32 moments, 8 B; and 4 B beside 16-bit weights: 12 B. Adafactor
    (arXiv:1804.04235): a row and a column of a matrix, about 2 * 4 / M B. Muon
    (arXiv:2502.16982): one float32 moment, 4 B.

    >>> from energy.facts import catalog
    >>> glam = catalog.model("glam-64b-64e").shape
    >>> [state_bytes(glam, Plan(optimizer="adamw", weight_bytes=width)) for width in (4, 2)]
    [8, 12]
    """
    chosen = np.asarray(formats.optimizer)
    sizes = [float(size) for size in MOMENT_BYTES.values()]
    moments = np.select([chosen == name for name in MOMENT_BYTES], sizes)
    moments = np.where(chosen == "adafactor", 8.0 / np.asarray(shape.d_model), moments)
    return plain(moments + np.where(np.asarray(formats.weight_bytes) < 4, 4.0, 0.0))


def activations(shape: Shape, plan: Plan) -> tuple[Array, Array]:
    """What the backward pass needs: bytes of all layers at once, of the one that runs besides.

    The first come from the forward passes of the micro-batches in flight, the others from what is
    computed again, and from scores and their gradient.

    A token of a layer stores, without recomputation, 6 M (inputs and results of norms, residual),
    queries, keys, values and their mixture, and of a gated network 4 H (plain: 2 H); an expert
    network 3 M + 2 H_e (gated: 4 H_e) for each of its c*K slots; without flash attention 2 h S
    scores (3 h S of software that fuses: in 32 bits, and their shares in 16). Selective
    recomputation drops the scores, or with flash attention the norms' results (3 M) and those of
    activations (1 H, of gated ones 2 H), which software that fuses never stores. Modules that are
    named drop what they store, of all layers but one. Full recomputation keeps M, and one layer in
    full. Stage 0 of a pipeline stores the most: p micro-batches of 1/p of the layers, and with v
    virtual stages (p - 1) / (p v) more. Cf. Korthikanti et al.,
    arXiv:2205.05198.
    """
    s, w = shape, np.asarray(plan.activation_bytes, float)
    tokens = np.asarray(plan.sequences) * s.seq_len / plan.cp / plan.tp
    # Without sequence parallelism every chip of a tensor parallel group has the norms in full.
    copies = np.where(np.asarray(plan.sequence_parallel, bool), 1, plan.tp)
    layers, largest, working = _all_kinds(shape, plan, copies)
    inputs = np.asarray(s.n_layers) * np.asarray(s.d_model) * copies
    stored = in_flight(plan) / np.asarray(plan.pp, float) * first_share(s, plan)
    share, kept = np.asarray(plan.recompute_share), layers * stored
    some = share * inputs * stored + (1 - share) * kept
    full = np.asarray(plan.recompute) == "full"
    several = np.where(full, some, kept)
    beside = working - np.where(full & (share > 0), 0, largest)
    if np.any(named := names_modules(plan.recompute)):
        nothing = with_columns(plan, {"recompute": "none"})
        beside = np.where(named, _all_kinds(shape, nothing, copies)[2] - largest, beside)
    alone = np.asarray(plan.input_gradients) == 0
    if np.any(alone):
        several = np.where(alone, np.asarray(s.d_model) * copies + largest, several)
        beside = np.where(alone, 0, beside)
    return np.asarray(tokens * w * several), np.asarray(tokens * w * beside)


def _all_kinds(shape: Shape, plan: Plan, copies: Array) -> tuple[Array, Array, Array]:
    """`_layer_values` of all kinds of layers: their sum, and the largest of the others."""
    layers, largest, working = zip(
        *(_layer_values(kind, plan, copies) for kind in kinds(shape)), strict=True
    )
    return (
        np.asarray(sum(layers)),
        np.asarray(np.max(np.broadcast_arrays(*largest), axis=0)),
        np.asarray(np.max(np.broadcast_arrays(*working), axis=0)),
    )


def _layer_values(shape: Shape, plan: Plan, copies: Array) -> tuple[Array, Array, Array]:
    """Values that a token stores of the layers of one kind.

    Args:
        shape: of one kind of layers.
        plan: with what is recomputed; "full" is none here.
        copies: of the norms' values within a tensor parallel group.

    Returns:
        Of all of them, of the largest, and of the largest while its backward pass runs.
    """
    s, width = shape, np.asarray(shape.d_model)
    gated, gated_expert = np.asarray(s.ffn_matrices) > 2, np.asarray(s.expert_matrices) > 2
    recompute, fuses = np.asarray(plan.recompute), np.asarray(plan.fuses, bool)
    apart = np.where(recompute == "full", 0.0, 1.0)
    again = {name: apart * plan.recomputed(name) for name in MODULES}
    light = np.where(fuses, 1.0, again["activations"])
    flash = np.asarray(plan.flash, bool)
    scores = np.where(flash | (again["attention"] > 0), 0, 2 + fuses)
    # A layer with a mixer and a network has two branches, each with half of the norms' values.
    norms = (6 - 3 * np.where(fuses, 1.0, again["norms"])) * width * copies
    latents = s.q_rank + np.asarray(s.kv_rank) + s.d_rope
    ups = again["up_projections"] * (np.asarray(s.kv_rank) > 0)
    inputs = np.asarray(s.n_heads) * s.d_head + kv_values(s)
    heads = (1 - ups) * inputs + ups * latents + np.asarray(s.n_heads) * value_width(s)
    # Of every second product, keys and one of a gated network's two inner results are not kept.
    second = again["second_products"]
    heads = heads - second * (1 - ups) * kv_values(s) / 2
    attention = heads + scores * np.asarray(s.n_heads) * s.seq_len
    recurrent = 2 * np.asarray(key_width(s)) + 3 * np.asarray(inner_width(s))
    inner_dense = np.where(gated, 4 - 2 * light - second, 2 - light)
    dense = inner_dense * np.asarray(s.d_ff) * (1 - again["mlp"])
    inner = np.where(gated_expert, 4 - 2 * light, 2 - light)
    routed = np.asarray(computed_experts(s)) * plan.capacity_factor
    shared = s.n_shared_experts * ((3 - light) * width + inner * either(s.d_shared, s.d_expert))
    expert = routed * ((3 - light) * width + inner * s.d_expert)
    expert = expert + shared * (1 - again["shared_experts"]) + 2 * np.asarray(s.n_experts)
    expert = expert * (1 - again["experts"])
    n_attention, n_recurrent = np.asarray(attention_layers(s)), np.asarray(s.n_recurrent_layers)
    n_dense, n_moe = np.asarray(dense_layers(s)), np.asarray(s.n_moe_layers)
    layers = (
        np.asarray(branches(s)) / 2 * norms
        + n_attention * attention
        + n_recurrent * recurrent
        + n_dense * dense
        + n_moe * expert
    )
    mixer = np.maximum(attention * (n_attention > 0), recurrent * (n_recurrent > 0))
    networks = [dense * (n_dense > 0), expert * (n_moe > 0)]
    outside = norms + mixer
    working = _while_backward(s, plan, outside, networks)
    return np.asarray(layers), np.asarray(outside + np.maximum(*networks)), working


def _while_backward(s: Shape, plan: Plan, outside: Array, networks: Sequence[Array]) -> Array:
    """Values that a token has of the largest layer of one kind while its backward pass runs.

    Without flash attention that is the gradient of its scores, and with selective recomputation
    its scores again (2 h S, 3 of software that fuses). Software that fuses has the gradients of a
    network's inner results beside them, and that of the scores in the place of both.

    Args:
        s: of one kind of layers.
        plan: of the step.
        outside: values that its norms and its mixer store.
        networks: values that a dense network stores, and a mixture.
    """
    flash, recompute = np.asarray(plan.flash, bool), np.asarray(plan.recompute)
    scores = np.where(
        flash, 0, s.n_heads * (np.asarray(attention_layers(s)) > 0) * np.asarray(s.seq_len)
    )
    gated, gated_expert = np.asarray(s.ffn_matrices) > 2, np.asarray(s.expert_matrices) > 2
    slots = np.asarray(computed_experts(s)) * plan.capacity_factor
    in_dense = np.where(gated, 2, 1) * np.asarray(s.d_ff) * (np.asarray(dense_layers(s)) > 0)
    in_experts = (
        np.where(gated_expert, 2, 1) * slots * s.d_expert * (np.asarray(s.n_moe_layers) > 0)
    )
    dense, expert = networks
    fuses = np.asarray(plan.fuses, bool)
    in_place = np.maximum(np.maximum(dense + in_dense, expert + in_experts), scores)
    peak = np.where(fuses, in_place, np.maximum(dense, expert) + scores)
    again = np.where(recompute == "selective", 2 + fuses, 0) * scores
    return np.asarray(outside + peak + again)


def logit_bytes(shape: Shape, plan: Plan) -> Number:
    """Logits of one chunk, their float32 gradient, unless it takes their place, and a rounded copy.

    4,096 tokens of 32,000 words: 1.31 GB, in place 0.79 GB.
    """
    rows = np.minimum(plan.loss_chunk, np.asarray(plan.sequences) * shape.seq_len)
    apart = np.where(np.asarray(plan.loss_in_place, bool), 0.0, 4.0)
    backward = apart * np.asarray(plan.input_gradients)
    width = 4.0 + backward + np.asarray(plan.activation_bytes)
    return plain(rows * shape.vocab_size * width / plan.tp)
