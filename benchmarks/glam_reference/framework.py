"""What GLaM's authors' framework computes for small models; runs under Praxis, without torch.

Every array is stored under the names and in the layout of our own parameters, so that the tests
only load and compare. `benchmarks.glam_reference.inside` imports this once the stand-ins are there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from praxis import (
    base_layer,
    gshard_utils,
    optimizers,
    pax_fiddle,
    schedules,
)
from praxis import optimizer_prefix_vectorization as vectorization
from praxis.layers import glam

from benchmarks.glam_reference import standins

Arrays = dict[str, Any]

SHAPE = {
    "n_layers": 4,
    "d_model": 16,
    "n_heads": 3,
    "n_kv_heads": 3,
    "d_head": 4,
    "d_ff": 24,
    "ffn_matrices": 3,
    "vocab_size": 48,
    "seq_len": 40,
    "relative_buckets": 32,
}
MIXTURE = {"n_moe_layers": 2, "n_experts": 4, "top_k": 2, "d_expert": 20, "expert_matrices": 2}
SEQUENCES = 3
SEEDS = 64
"""Draws of the first weights, whose moments are stored."""
BALANCE_WEIGHT, Z_WEIGHT = 0.01, 1e-4
GATING = {"groups": 2, "tokens": 64, "experts": 8}
FACTORS = (1.0, 1.25, 2.0)
POLICIES = {"all": ("all", 0.0), "sampling": ("sampling", 0.0), "random": ("random", 0.5)}
"""Name -> policy and threshold of the second expert."""


def language_model(*, moe: bool, factor: float) -> Any:
    """GLaM of the authors' set-up, whose experts have so many slots per token."""
    config = glam.GlamUniTransformerLmHParams(
        name="lm",
        vocab_size=SHAPE["vocab_size"],
        model_dim=SHAPE["d_model"],
        ff_dim=SHAPE["d_ff"],
        moe_hidden_dim=MIXTURE["d_expert"],
        attention_num_heads=SHAPE["n_heads"],
        attention_key_value_dim=SHAPE["d_head"],
        num_transformer_layers=SHAPE["n_layers"],
        moe=moe,
        capacity_factor=factor,
        e_dim=MIXTURE["n_experts"],
        num_groups=1,
        moe_load_balance_loss_weight=BALANCE_WEIGHT,
        z_loss_weight=Z_WEIGHT,
    )
    return base_layer.instantiate(config)


def batch(tokens: Any) -> tuple[Any, Any, standins.NestedMap]:
    """Inputs, paddings and labels of sequences with one token more than the model reads."""
    inputs, targets = jnp.asarray(tokens[:, :-1]), jnp.asarray(tokens[:, 1:])
    labels = standins.NestedMap(class_ids=targets, class_weights=jnp.ones(targets.shape))
    return inputs, jnp.zeros(inputs.shape), labels


def ours(tree: Any, *, moe: bool) -> Arrays:
    """The tensors of a tree of weights or gradients under our names, in our layout."""
    body = tree["transformer"]["repeat"]["sub"]
    block = 2 if moe else 1
    arrays = {
        "embedding": tree["softmax"]["embedding"]["w"],
        "norm.scale": tree["final_ln"]["scale"],
    }
    for i in range(SHAPE["n_layers"]):
        for name, tensor in _layer(body[f"x_layers_{i % block}"], i // block):
            arrays[f"layers.{i}.{name}"] = tensor
    return {name: np.asarray(tensor, np.float32) for name, tensor in arrays.items()}


def _layer(stacked: Any, index: int) -> Iterator[tuple[str, Any]]:
    layer = jax.tree_util.tree_map(lambda x: x[index], stacked)
    attention, feed = layer["self_attention"], layer["ff_layer"]
    yield "attention_norm.scale", layer["layer_norm"]["scale"]
    for name, theirs in (
        ("query", "query"),
        ("key", "key"),
        ("value", "value"),
        ("output", "post"),
    ):
        yield f"attention.{name}.weight", attention[theirs]["w"].T
    yield "attention.bias", attention["relative_bias"]["wrb"].T
    yield "ffn_norm.scale", feed["layer_norm"]["scale"]
    if "gate" in feed:
        yield "ffn.router.weight", feed["gate"].T
        yield "ffn.experts.up", feed["wi_0"].swapaxes(1, 2)
        yield "ffn.experts.down", feed["wo_0"].swapaxes(1, 2)
        return
    for name, theirs in (("gate", "ffn_layer1_gate"), ("up", "ffn_layer1"), ("down", "ffn_layer2")):
        yield f"ffn.{name}.weight", feed[theirs]["linear"]["w"].T


def run_model(*, moe: bool) -> tuple[Arrays, Arrays]:
    """Weights, logits, losses and gradients, and one optimizer step; the same with drops."""
    generator = np.random.default_rng(19)
    tokens = generator.integers(SHAPE["vocab_size"], size=(SEQUENCES, SHAPE["seq_len"] + 1))
    inputs = batch(tokens)
    roomy = language_model(moe=moe, factor=2.0 * MIXTURE["n_experts"])
    with base_layer.JaxContext.new_context(hparams=base_layer.JaxContext.HParams(do_eval=False)):
        weights = roomy.init(jax.random.PRNGKey(19), *inputs)["params"]
        # Norms begin at 1, where a wrong place of their scale would not show.
        weights = jax.tree_util.tree_map_with_path(
            lambda path, x: (
                x * generator.uniform(0.7, 1.3, x.shape).astype(np.float32)
                if "scale" in str(path[-1])
                else x
            ),
            weights,
        )

        def losses(weights: Any, model: Any = roomy) -> tuple[Any, Arrays]:
            output, collected = model.apply(
                {"params": weights}, *inputs, mutable=["aux_loss", "summaries"]
            )
            leaves = jax.tree_util.tree_flatten_with_path(
                collected["aux_loss"], is_leaf=lambda leaf: hasattr(leaf, "weight")
            )[0]
            named = {str(path[-1].key): leaf.value for path, leaf in leaves}
            return output.total_loss, {
                "logits": output.logits,
                "cross_entropy": output.avg_xent,
                "total_loss": output.total_loss,
                "z_loss": named["aux_z_loss"] / Z_WEIGHT,
                "balancing_loss": named.get("aux_moe_load_balance_loss", 0.0) / BALANCE_WEIGHT,
            }

        (_, outputs), gradients = jax.value_and_grad(losses, has_aux=True)(weights)
        arrays = {f"weights.{name}": x for name, x in ours(weights, moe=moe).items()}
        arrays |= {f"gradients.{name}": x for name, x in ours(gradients, moe=moe).items()}
        arrays |= {"tokens": tokens, **outputs}
        if moe:
            limited = language_model(moe=True, factor=1.0)
            arrays |= {f"limited.{name}": x for name, x in losses(weights, limited)[1].items()}
        metadata = roomy.abstract_init_with_metadata(*inputs)["params"]
    updated = optimizer_steps(weights, [gradients], "pow", metadata)[0]
    step = {f"updated.{name}": x for name, x in ours(updated, moe=moe).items()}
    return arrays, step


def optimizer_steps(weights: Any, gradients: list[Any], decay: str, metadata: Any) -> list[Any]:
    """Weights after each step of the sharded Adafactor, as a learner of Pax applies it."""
    config = pax_fiddle.Config(
        optimizers.ShardedAdafactor,
        decay_method=decay,
        decay_adam=0.99,
        decay_pow=0.8,
        beta1=0.0,
        clip_threshold=1.0,
        multiply_by_parameter_scale=True,
        learning_rate=1.0,
        lr_schedule=pax_fiddle.Config(schedules.SqrtDecay, decay_start=10_000),
    )
    layer_by_layer = vectorization.get_transformations_with_vectorized_repeat_prefix
    transformation = layer_by_layer(
        base_layer.instantiate(config).get_grad_transformation(metadata), metadata
    )
    state, after = transformation.init(weights), []
    for gradient in gradients:
        updates, state = transformation.update(gradient, state, weights)
        weights = jax.tree_util.tree_map(jnp.add, weights, updates)
        after.append(weights)
    return after


def stacked_steps() -> Arrays:
    """Three steps with random gradients of stacked layers of experts, a matrix and a vector.

    Gradients of the second layer are 1e-5 times as large.
    """
    generator = np.random.default_rng(7)
    sizes = {"experts": (2, 3, 12, 8), "matrix": (24, 16), "vector": (16,)}
    prefix = {"experts": [2]}
    weights, metadata, arrays = standins.NestedMap(), standins.NestedMap(), {}
    for name, size in sizes.items():
        layers = prefix.get(name)
        weights[name] = jnp.asarray(generator.normal(size=size), jnp.float32)
        metadata[name] = base_layer.WeightHParams(
            shape=list(size[1:] if layers else size),
            repeat_prefix=layers,
            repeat_prefix_split_dims_mapping=[-1] if layers else None,
        )
    gradients = [
        standins.NestedMap(
            {
                name: jnp.asarray(generator.normal(size=size), jnp.float32)
                * (jnp.asarray([1.0, 1e-5]).reshape(2, 1, 1, 1) if name == "experts" else 1.0)
                for name, size in sizes.items()
            }
        )
        for _ in range(3)
    ]
    for name in sizes:
        arrays[f"before.{name}"] = weights[name]
        arrays[f"gradients.{name}"] = np.stack([gradient[name] for gradient in gradients])
    for ours_name, decay in (("power", "pow"), ("adam", "adam")):
        after = optimizer_steps(weights, gradients, decay, metadata)
        for name in sizes:
            arrays[f"{ours_name}.{name}"] = np.stack([step[name] for step in after])
    counts = np.array([0, 1, 9_999, 10_000, 10_001, 40_000])
    schedule = base_layer.instantiate(pax_fiddle.Config(schedules.SqrtDecay, decay_start=10_000))
    rates = [schedule.value_at(jnp.asarray(count)) for count in counts]
    return arrays | {"schedule.steps_before": counts, "schedule.rates": np.array(rates)}


def gating() -> Arrays:
    """Which assignments have which slot, by capacity factor and policy, with the draws of each."""
    generator = np.random.default_rng(3)
    size = (GATING["groups"], GATING["tokens"], GATING["experts"])
    logits = jnp.asarray(1.5 * generator.normal(size=size), jnp.float32)
    arrays: Arrays = {"logits": logits}
    for number, (name, (policy, threshold)) in enumerate(POLICIES.items()):
        key = jax.random.PRNGKey(number)
        drawn = size if policy == "sampling" else size[:2]
        arrays[f"{name}.draws"] = jax.random.uniform(jax.random.split(key)[1], drawn)
        for factor in FACTORS:
            balancing, combine, dispatch, _ = gshard_utils.top2_gating_on_logits(
                paddings=None,
                logits=logits,
                experts_dim=GATING["experts"],
                expert_capacity_dim=None,
                fprop_dtype=jnp.float32,
                prng_key=key,
                second_expert_policy=policy,
                second_expert_threshold=threshold,
                capacity_factor=factor,
            )
            case = f"{name}.{factor}"
            sent = np.asarray(dispatch) > 0
            slots = np.where(sent.any(-1), sent.argmax(-1), -1)
            arrays |= {
                f"{case}.slots": slots.astype(np.int16),
                f"{case}.weights": combine.sum(-1),
                f"{case}.balancing_loss": balancing,
                f"{case}.capacity": np.array(combine.shape[-1]),
            }
    return arrays


def first_weights(*, moe: bool) -> Arrays:
    """Number of values, mean, variance and fourth central moment of each first weight."""
    model = language_model(moe=moe, factor=2.0)
    tokens = np.zeros((SEQUENCES, SHAPE["seq_len"] + 1), int)
    with base_layer.JaxContext.new_context(hparams=base_layer.JaxContext.HParams(do_eval=False)):
        draw = jax.jit(lambda key: model.init(key, *batch(tokens))["params"])
        draws = [ours(draw(jax.random.PRNGKey(seed)), moe=moe) for seed in range(SEEDS)]
    moments = {}
    for name in draws[0]:
        values = np.stack([weights[name] for weights in draws]).astype(np.float64)
        mean = values.mean()
        central = [((values - mean) ** power).mean() for power in (2, 4)]
        moments[name] = np.array([values.size, mean, *central])
    return moments


def write(folder: Path) -> None:
    """Write all golden files into a folder."""
    step: Arrays = {}
    for name, moe in (("mixture", True), ("dense", False)):
        arrays, updated = run_model(moe=moe)
        _save(folder / f"{name}.npz", arrays)
        step |= {f"{name}.{key}": value for key, value in updated.items()}
    _save(folder / "adafactor.npz", step | stacked_steps())
    _save(folder / "gating.npz", gating())
    first = {
        f"{name}.{key}": value
        for name, moe in (("mixture", True), ("dense", False))
        for key, value in first_weights(moe=moe).items()
    }
    _save(folder / "first-weights.npz", first)
    shapes = {"mixture": SHAPE | MIXTURE, "dense": SHAPE}
    (folder / "shapes.json").write_text(json.dumps(shapes, indent=1) + "\n", encoding="utf-8")


def _save(path: Path, arrays: Arrays) -> None:
    plain = {name: np.asarray(value) for name, value in sorted(arrays.items())}
    single = {
        name: value.astype(np.float32) if value.dtype == np.float64 and value.ndim > 1 else value
        for name, value in plain.items()
    }
    np.savez_compressed(path, **single)  # type: ignore[arg-type]  # it takes any names
