"""One training step of a whole GLaM as a program: its layers in a scan, logits, loss and Adafactor.

A scan runs the same layers over and over, so all of its turns are alike. Weights and the
state of the optimizer are donated: the new ones take their places.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from benchmarks.tpu_oracle.program import BATCH, NARROW, Layers, norm, stack, weights

Tree = dict[str, Any]


def step(layers: Layers, mesh: Mesh, n_stacks: int, vocab_size: int) -> tuple[Any, tuple[Any, ...]]:
    """The program of a step and the shapes of its arguments: weights, state and tokens.

    Args:
        layers: of one turn of the scan.
        mesh: of the chips.
        n_stacks: turns.
        vocab_size: of the tied embedding.
    """

    def placed(*spec: Any) -> NamedSharding:
        return NamedSharding(mesh, P(*spec))

    cut = {name: (None, *spec) for name, (_, spec) in weights(layers).items()}
    shapes = {name: (n_stacks, *shape) for name, (shape, _) in weights(layers).items()}
    cut["embedding"] = ("y", BATCH) if layers.zero == 3 else ("y", None)
    shapes["embedding"] = (vocab_size, layers.d_model)

    def loss(w: Tree, tokens: Any) -> Any:
        table = w["embedding"].astype(NARROW)
        table = jax.lax.with_sharding_constraint(table, placed("y", None))
        x = jax.lax.with_sharding_constraint(table[tokens], placed(BATCH, "y", None))
        stacked = {name: value for name, value in w.items() if name != "embedding"}

        def turn(x: Any, layer: Tree) -> tuple[Any, None]:
            return stack(layers, mesh, layer, x), None

        x, _ = jax.lax.scan(turn, x, stacked)
        x = jax.lax.with_sharding_constraint(norm(x), placed(BATCH, None, None))
        logits = jnp.einsum("bsm,vm->bsv", x, table)
        logits = jax.lax.with_sharding_constraint(logits, placed(BATCH, None, "y"))
        wide = logits.astype(jnp.float32)
        target = jnp.roll(tokens, -1, axis=1)
        chosen = jnp.take_along_axis(wide, target[..., None], axis=-1)[..., 0]
        return jnp.mean(jax.nn.logsumexp(wide, axis=-1) - chosen)

    def whole(w: Tree, state: Tree, tokens: Any) -> Any:
        value, gradients = jax.value_and_grad(loss)(w, tokens)
        updated = {name: _adafactor(w[name], gradients[name], state[name]) for name in w}
        new = {name: pair[0] for name, pair in updated.items()}
        return value, new, {name: pair[1] for name, pair in updated.items()}

    of_weights = {name: _single(shapes[name], placed(*cut[name])) for name in shapes}
    of_state = {
        name: (
            _single(shape[:-1], placed(*cut[name][:-1])),
            _single((*shape[:-2], shape[-1]), placed(*cut[name][:-2], cut[name][-1])),
        )
        for name, shape in shapes.items()
    }
    tokens = jax.ShapeDtypeStruct(
        (layers.sequences, layers.seq_len), jnp.int32, sharding=placed(BATCH, None)
    )
    kept = jax.tree.map(lambda leaf: leaf.sharding, (of_weights, of_state))
    compiled = jax.jit(whole, donate_argnums=(0, 1), out_shardings=(placed(), *kept))
    return compiled, (of_weights, of_state, tokens)


def _single(shape: tuple[int, ...], cut: NamedSharding) -> Any:
    return jax.ShapeDtypeStruct(shape, jnp.float32, sharding=cut)


def _adafactor(weight: Any, gradient: Any, state: tuple[Any, Any]) -> tuple[Any, Any]:
    """An update with a row and a column of second moments (arXiv:1804.04235)."""
    square = gradient * gradient + 1e-30
    row = 0.99 * state[0] + 0.01 * jnp.mean(square, axis=-1)
    column = 0.99 * state[1] + 0.01 * jnp.mean(square, axis=-2)
    mean = jnp.mean(row, axis=-1, keepdims=True)[..., None]
    update = gradient * jax.lax.rsqrt(row[..., None] * column[..., None, :] / mean)
    update = update / jnp.maximum(1.0, jnp.sqrt(jnp.mean(update * update)))
    return weight - 0.01 * update, (row, column)
