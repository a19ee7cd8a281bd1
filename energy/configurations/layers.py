"""Which mixer and which network each layer of a configuration has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from energy.configurations.families import Family
from energy.configurations.fields import Fields, RefusedError
from energy.inputs import shown

Mixer = Literal["full", "window", "chunk", "recurrent", "none"]
Network = Literal["dense", "moe", "none"]

MIXERS: dict[str, Mixer] = {
    "full_attention": "full",
    "attention": "full",
    "indexed_attention": "full",
    "sliding_attention": "window",
    "chunked_attention": "chunk",
    "linear_attention": "recurrent",
    "mamba": "recurrent",
    "moe": "none",
    "mlp": "none",
}

MOST_LAYERS = 10_000
"""Layers of a model, each of which is looked at."""

BLOCKS = {"M": "mamba", "*": "full_attention", "E": "moe", "-": "mlp"}
"""Letters of a `hybrid_override_pattern`: one branch in each layer."""


@dataclass(frozen=True)
class Layer:
    """One layer."""

    mixer: Mixer
    network: Network


def layers_of(config: Fields, family: Family, n_experts: int) -> list[Layer]:
    """Every layer in its order.

    Raises:
        InputError: a pattern is not of the number of layers, or has a word that is not known.
    """
    if blocks := _single_branches(config):
        networks: dict[str, Network] = {"moe": "moe", "mlp": "dense"}
        return [Layer(_mixer(block), networks.get(block, "none")) for block in blocks]
    count = config.size("num_hidden_layers", "n_layers", "num_layers", least=1, most=MOST_LAYERS)
    mixtures = _mixtures(config, family, count, n_experts)
    return [
        Layer(mixer, "moe" if moe else "dense")
        for mixer, moe in zip(_mixers(config, family, count), mixtures, strict=True)
    ]


def _single_branches(config: Fields) -> list[str] | None:
    """The blocks of a model whose layers have one branch each."""
    blocks = (
        config.list_of("layers_block_type")
        if config.values.get("model_type") == "nemotron_h"
        else None
    )
    pattern = config.get("hybrid_override_pattern")
    if pattern is not None:
        if not isinstance(pattern, str) or set(pattern) - set(BLOCKS):
            raise RefusedError(
                ["hybrid_override_pattern"],
                "expected hybrid_override_pattern of M, *, E and -",
                shown(pattern),
            )
        blocks = [BLOCKS[letter] for letter in pattern]
    if blocks is not None:
        config.size("sliding_window", default=0)
        count = config.size("num_hidden_layers", default=len(blocks))
        if count != len(blocks):
            raise RefusedError(
                ["num_hidden_layers"],
                f"expected a pattern of num_hidden_layers, {count}",
                f"{len(blocks)}",
            )
    return blocks


def _mixer(word: object) -> Mixer:
    if not isinstance(word, str) or word not in MIXERS:
        raise RefusedError(
            ["layer_types"],
            "expected layer_types that are known",
            shown(word),
            f"known: {', '.join(MIXERS)}",
        )
    return MIXERS[word]


def _mixers(config: Fields, family: Family, count: int) -> list[Mixer]:
    """What each layer mixes positions with, from the most explicit field that is there."""
    whole: Mixer = "full"
    window = config.size("sliding_window", default=0)
    sliding = config.flag("use_sliding_window", default=True) and window > 0
    first = config.size("max_window_layers", default=0)
    every = config.size(
        "full_attention_interval",
        "sliding_window_pattern",
        "_sliding_window_pattern",
        default=family.full_every,
    )
    chunk = config.size("attention_chunk_size", default=0)
    words = config.list_of("layer_types", "layers_block_type", length=count)
    softmax = config.list_of("attn_type_list", length=count)
    linear = config.table("linear_attn_config")
    period = config.size("attn_layer_period", default=0)
    offset = config.size("attn_layer_offset", default=0)
    if words is not None:
        return [_mixer(word) for word in words]
    if softmax is not None:
        return ["full" if entry else "recurrent" for entry in softmax]
    if linear is not None and (full := linear.list_of("full_attn_layers")) is not None:
        linear.list_of("kda_layers")
        return ["full" if i + 1 in full else "recurrent" for i in range(count)]
    if period:
        return ["full" if i % period == offset else "recurrent" for i in range(count)]
    if family.recurrence == "kimi-delta":
        return ["full" if i and i % 4 == 0 else "recurrent" for i in range(count)]
    if family.recurrence == "mamba2":
        return ["recurrent"] * count
    if every:
        return _interleaved(family, count, every, sliding, chunk)
    if sliding:
        return ["window" if i >= first else whole for i in range(count)]
    return [whole] * count


def _interleaved(family: Family, count: int, every: int, sliding: bool, chunk: int) -> list[Mixer]:
    """Every n-th layer with full attention, or, for lightning attention, every n-th without."""
    if family.recurrence == "lightning":
        return ["full" if (i + 1) % every else "recurrent" for i in range(count)]
    other: Mixer = "window" if sliding else "chunk" if chunk else "full"
    if family.recurrence != "none":
        other = "recurrent"
    return [other if (i + 1) % every else "full" for i in range(count)]


def _mixtures(config: Fields, family: Family, count: int, n_experts: int) -> list[bool]:
    """Which layers are mixtures of experts."""
    words = config.list_of("mlp_layer_types", length=count)
    leading = config.size("first_k_dense_replace", default=0)
    frequency = config.size("moe_layer_freq", default=1, least=1)
    places = config.list_of("moe_layers")
    step = config.size("decoder_sparse_step", "interleave_moe_layer_step", default=1, least=1)
    dense = config.list_of("mlp_only_layers") or []
    first = config.size("moe_layer_start_index", default=0)
    open_end = config.get("moe_layer_end_index") in (None, -1)
    last = count - 1 if open_end else config.size("moe_layer_end_index")
    interval = config.size("moe_layer_interval", default=1, least=1)
    period = config.size("expert_layer_period", default=0)
    offset = config.size("expert_layer_offset", default=0)
    enabled = config.flag("enable_moe_block", default=True)
    if n_experts <= 1 or not enabled:
        return [False] * count
    if words is not None:
        return [word == "sparse" for word in words]
    if places is not None:
        return [i in places for i in range(count)]
    if period:
        return [i % period == offset for i in range(count)]
    return [
        i >= max(leading, first)
        and i <= last
        and i not in dense
        and (i + 1) % step == 0
        and (i + 1) % interval == 0
        and (i % frequency == 0)
        for i in range(count)
    ]
