"""Layers of GLaM as a program for the TPU compiler; jax is imported here and in `inside` only.

A mesh has three axes: "r" the copies of an expert, "x" its expert parallel ranks, "y" its tensor
parallel ones. Sequences are shared out over r and x, heads and widths over y, and between its
products a residual over y as well (arXiv:2105.04663). Shardings not written here are the
compiler's own choice.

Weights are float32 and cast where they are used. A gradient is a result and is cut as its weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

Weights = dict[str, Any]
BATCH = ("r", "x")
RESIDUAL = P(BATCH, "y", None)
BY_HEAD = (BATCH, "y", None, None)
NARROW = jnp.bfloat16


@dataclass(frozen=True)
class Layers:
    """Layers and how they are shared out; sizes as in `energy.shape`.

    Attributes:
        layers: D for a dense layer, M for one with experts.
        group: tokens of a group of one-hot dispatch.
        mesh: sizes of its axes r, x, y.
        sequences: of all chips together.
        zero: 3 where weights are cut over the data parallel ranks, else 1.
        dispatch: "sort" or "one-hot".
        recompute: "none" or "full".
    """

    layers: str
    group: int
    d_model: int
    n_heads: int
    d_head: int
    d_ff: int
    n_experts: int
    d_expert: int
    top_k: int
    seq_len: int
    capacity_factor: float
    mesh: tuple[int, int, int]
    sequences: int
    zero: int
    dispatch: str
    recompute: str


def weights(layers: Layers) -> dict[str, tuple[tuple[int, ...], P]]:
    """Shapes of the weights, and how they are cut between steps."""
    s, cut = layers, BATCH if layers.zero == 3 else None
    experts = "r" if layers.zero == 3 else None
    first = {
        "qkv": ((s.d_model, 3, s.n_heads, s.d_head), P(cut, None, "y", None)),
        "mix": ((s.n_heads, s.d_head, s.d_model), P("y", None, cut)),
    }
    dense = {
        "up": ((s.d_model, 2, s.d_ff), P(cut, None, "y")),
        "down": ((s.d_ff, s.d_model), P("y", cut)),
    }
    mixture = {
        "router": ((s.d_model, s.n_experts), P(None, None)),
        "in": ((s.n_experts, s.d_model, s.d_expert), P("x", experts, "y")),
        "out": ((s.n_experts, s.d_expert, s.d_model), P("x", "y", experts)),
    }
    return {
        f"{place}.{name}": value
        for place, kind in enumerate(layers.layers)
        for name, value in (first | (mixture if kind == "M" else dense)).items()
    }


def program(layers: Layers, mesh: Mesh) -> tuple[Any, tuple[Any, ...]]:
    """The forward and backward pass of the layers, and the shapes of its arguments.

    Its arguments are weights, input and the gradient of its output; it returns the output, the
    gradient of the input and those of the weights, so that nothing of it is dead code.
    """

    def placed(spec: P) -> NamedSharding:
        return NamedSharding(mesh, spec)

    def passes(w: Weights, x: Any, dy: Any) -> Any:
        y, backward = jax.vjp(partial(stack, layers, mesh), w, x)
        return y, *backward(dy)

    cuts = {name: placed(spec) for name, (_, spec) in weights(layers).items()}
    of_weights = {
        name: jax.ShapeDtypeStruct(shape, jnp.float32, sharding=cuts[name])
        for name, (shape, _) in weights(layers).items()
    }
    of_input = jax.ShapeDtypeStruct(
        (layers.sequences, layers.seq_len, layers.d_model), NARROW, sharding=placed(RESIDUAL)
    )
    results = (placed(RESIDUAL), cuts, placed(RESIDUAL))
    return jax.jit(passes, out_shardings=results), (of_weights, of_input, of_input)


def stack(layers: Layers, mesh: Mesh, w: Weights, x: Any) -> Any:
    """The layers, one after the other; recomputed ones keep their input alone."""
    for place, kind in enumerate(layers.layers):
        of_layer = {name[2:]: value for name, value in w.items() if name[0] == f"{place}"}
        network = _mixture if kind == "M" else _dense

        def layer(of_layer: Weights, x: Any, network: Any = network) -> Any:
            x = x + _attention(layers, mesh, of_layer, norm(x))
            return x + network(layers, mesh, of_layer, norm(x))

        x = (jax.checkpoint(layer) if layers.recompute == "full" else layer)(of_layer, x)
    return _cut(x, mesh, *RESIDUAL)


def norm(x: Any) -> Any:
    """Root mean square norm without a weight."""
    wide = x.astype(jnp.float32)
    scale = jax.lax.rsqrt(jnp.mean(wide * wide, axis=-1, keepdims=True) + 1e-6)
    return (wide * scale).astype(NARROW)


def _cut(x: Any, mesh: Mesh, *spec: Any) -> Any:
    return jax.lax.with_sharding_constraint(x, NamedSharding(mesh, P(*spec)))


def _attention(s: Layers, mesh: Mesh, w: Weights, x: Any) -> Any:
    x = _cut(x, mesh, *RESIDUAL)
    qkv = _cut(w["qkv"].astype(NARROW), mesh, None, None, "y", None)
    with jax.named_scope("attention_projections"):
        projected = jnp.einsum("bsm,mchd->cbhsd", x, qkv)
    projected = _cut(projected, mesh, None, BATCH, "y", None, None)
    q, k, v = (_cut(projected[i], mesh, *BY_HEAD) for i in range(3))
    with jax.named_scope("attention_scores"):
        mixed = _scores(s, mesh, q, k, v)
    out = _cut(w["mix"].astype(NARROW), mesh, "y", None, None)
    with jax.named_scope("attention_projections"):
        result = jnp.einsum("bhsd,hdm->bsm", mixed, out)
    return _cut(result, mesh, BATCH, "y", None)


def _scores(s: Layers, mesh: Mesh, q: Any, k: Any, v: Any) -> Any:
    scores = _cut(jnp.einsum("bhsd,bhtd->bhst", q, k), mesh, *BY_HEAD)
    causal = jnp.tril(jnp.ones((s.seq_len, s.seq_len), bool))
    scores = jnp.where(causal, scores.astype(jnp.float32), -1e30)
    shares = _cut(jax.nn.softmax(scores).astype(NARROW), mesh, *BY_HEAD)
    return _cut(jnp.einsum("bhst,bhtd->bhsd", shares, v), mesh, *BY_HEAD)


def _dense(s: Layers, mesh: Mesh, w: Weights, x: Any) -> Any:
    x = _cut(x, mesh, *RESIDUAL)
    wide = _cut(w["up"].astype(NARROW), mesh, None, None, "y")
    with jax.named_scope("dense_ffn"):
        both = jnp.einsum("bsm,mch->cbsh", x, wide)
    both = _cut(both, mesh, None, BATCH, None, "y")
    down = _cut(w["down"].astype(NARROW), mesh, "y", None)
    gate, up = (_cut(both[i], mesh, BATCH, None, "y") for i in range(2))
    inner = _cut(jax.nn.gelu(gate) * up, mesh, BATCH, None, "y")
    with jax.named_scope("dense_ffn"):
        result = jnp.einsum("bsh,hm->bsm", inner, down)
    return _cut(result, mesh, BATCH, "y", None)


def _mixture(s: Layers, mesh: Mesh, w: Weights, x: Any) -> Any:
    shares, chosen = _routed(s, w["router"], x)
    experts = [_cut(w[name].astype(NARROW), mesh, *cut) for name, cut in EXPERTS.items()]
    run = _by_one_hot if s.dispatch == "one-hot" else _by_sort
    return run(s, mesh, experts, x, shares, chosen)


EXPERTS = {"in": ("x", None, "y"), "out": ("x", "y", None)}


def _routed(s: Layers, router: Any, x: Any) -> tuple[Any, Any]:
    """Shares and numbers of the experts of each token."""
    with jax.named_scope("router"):
        logits = jnp.einsum("bsm,me->bse", x, router.astype(NARROW)).astype(jnp.float32)
    shares, chosen = jax.lax.top_k(jax.nn.softmax(logits), s.top_k)
    return shares / jnp.sum(shares, axis=-1, keepdims=True), chosen


def _slots(chosen: Any, n_experts: int) -> Any:
    """The place of each assignment among those of its expert, by a sort: no product is hidden."""
    order = jnp.argsort(chosen, stable=True)
    ranked = chosen[order]
    first = jnp.searchsorted(ranked, jnp.arange(n_experts), method="sort")
    place = jnp.arange(len(chosen)) - first[ranked]
    return jnp.zeros_like(chosen).at[order].set(place)


def _by_sort(s: Layers, mesh: Mesh, experts: Any, x: Any, shares: Any, chosen: Any) -> Any:
    """Tokens are copied to slots of experts, and the slots sent: explicit messages on each chip."""
    chips = mesh.size
    tokens = s.sequences * s.seq_len // chips
    capacity = round(tokens * s.top_k * s.capacity_factor / s.n_experts)

    def local(x: Any, shares: Any, chosen: Any, w_in: Any, w_out: Any) -> Any:
        flat = x.reshape(tokens, s.d_model)
        to, share = chosen.reshape(-1), shares.reshape(-1).astype(NARROW)
        place = _slots(to, s.n_experts)
        slot = jnp.where(place < capacity, to * capacity + place, s.n_experts * capacity)
        token = jnp.arange(len(to)) // s.top_k
        sent = jnp.zeros((s.n_experts * capacity, s.d_model), NARROW)
        sent = sent.at[slot].set(flat[token], mode="drop", unique_indices=True)
        sent = sent.reshape(s.n_experts, capacity, s.d_model)
        rows = jax.lax.all_to_all(sent, "x", 0, 1, tiled=True)
        rows = jax.lax.all_gather(rows, "y", axis=1, tiled=True)
        with jax.named_scope("experts"):
            inner = jax.nn.relu(jnp.einsum("ecm,emh->ech", rows, w_in))
            done = jnp.einsum("ech,ehm->ecm", inner, w_out)
        done = jax.lax.psum_scatter(done, "y", scatter_dimension=1, tiled=True)
        back = jax.lax.all_to_all(done, "x", 1, 0, tiled=True).reshape(-1, s.d_model)
        values = back.at[slot].get(mode="fill", fill_value=0) * share[:, None]
        return values.reshape(tokens, s.top_k, s.d_model).sum(1).reshape(x.shape)

    by_token = P(BATCH, "y", None)
    return jax.shard_map(
        local,
        mesh=mesh,
        in_specs=(by_token, by_token, by_token, P("x", None, "y"), P("x", "y", None)),
        out_specs=by_token,
        check_vma=False,
    )(x, shares, chosen, *experts)


def _by_one_hot(s: Layers, mesh: Mesh, experts: Any, x: Any, shares: Any, chosen: Any) -> Any:
    """GShard's products with masks (arXiv:2006.16668), the slots constrained on both sides."""
    capacity = round(s.group * s.top_k * s.capacity_factor / s.n_experts)
    own = (*BATCH, "y")
    x_groups = _cut(_grouped(s, x), mesh, own, None, None)
    groups = len(x_groups)
    to = _grouped(s, chosen).reshape(groups, s.group * s.top_k)
    place = jax.vmap(lambda row: _slots(row, s.n_experts))(to)
    expert = jax.nn.one_hot(to, s.n_experts, dtype=NARROW)
    slot = jax.nn.one_hot(place, capacity, dtype=NARROW)
    shape = (groups, s.group, s.top_k, s.n_experts, capacity)
    mask = (expert[..., None] * slot[..., None, :]).reshape(shape)
    share = _grouped(s, shares).astype(NARROW)
    sends = _cut(mask.sum(2), mesh, own, None, None, None)
    combines = _cut((mask * share[..., None, None]).sum(2), mesh, own, None, None, None)
    with jax.named_scope("dispatch"):
        rows = jnp.einsum("gsec,gsm->egcm", sends, x_groups)
    rows = _cut(rows, mesh, None, own, None, None)
    rows = _cut(rows, mesh, "x", ("r", "y"), None, None)
    rows = _cut(rows, mesh, "x", "r", None, None)
    with jax.named_scope("experts"):
        inner = _cut(jnp.einsum("egcm,emh->egch", rows, experts[0]), mesh, "x", "r", None, "y")
        inner = _cut(jax.nn.relu(inner), mesh, "x", "r", None, "y")
        done = jnp.einsum("egch,ehm->egcm", inner, experts[1])
    done = _cut(done, mesh, "x", ("r", "y"), None, None)
    done = _cut(done, mesh, None, own, None, None)
    with jax.named_scope("dispatch"):
        out = jnp.einsum("gsec,egcm->gsm", combines, done)
    return _ungrouped(s, _cut(out, mesh, own, None, None))


def _grouped(s: Layers, values: Any) -> Any:
    """Values of tokens, (sequences, positions, n), by groups of the tokens that a chip has.

    Positions are cut over y. A group of neighbours would lie on several chips, and where it is no
    whole sequence the partitioner replicates all tokens to make it.
    """
    copies, ranks, tensor = s.mesh
    parts = (copies * ranks, -1, tensor, s.seq_len // tensor, values.shape[-1])
    return values.reshape(parts).swapaxes(1, 2).reshape(-1, s.group, values.shape[-1])


def _ungrouped(s: Layers, groups: Any) -> Any:
    """The inverse of `_grouped`."""
    copies, ranks, tensor = s.mesh
    parts = (copies * ranks, tensor, -1, s.seq_len // tensor, groups.shape[-1])
    return groups.reshape(parts).swapaxes(1, 2).reshape(s.sequences, s.seq_len, groups.shape[-1])
