"""A configuration (config.json) as a shape: every field is used, known not to matter, or refused.

The fields are those of Hugging Face transformers, as checkpoints on its hub spell them. What a
class does and no field says (norms of queries, biases) is in `families`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from energy.configurations import gemma4, parts
from energy.configurations.families import Family, family_of
from energy.configurations.fields import NOTED, Fields, RefusedError
from energy.configurations.layers import Layer, layers_of
from energy.errors import InputError
from energy.inputs import read_json, shown
from energy.shape import Shape, without_mixture

FIX = "name the config.json of a model, or a model of simulator models"

SEQUENCE = 4096
"""Tokens of a training sequence where none is named: the limit of a configuration is that of the
positions it was extended to, not what it was trained with."""

OUTSIDE = ("vision_config", "audio_config", "embed_vision_config", "vision_tower_config")
"""Tables of a multimodal model beside its decoder."""


@dataclass(frozen=True)
class Configuration:
    """What a configuration says.

    Attributes:
        family: its `model_type`.
        shape: of the decoder.
        notes: what was left out or assumed.
    """

    family: str
    shape: Shape
    notes: tuple[str, ...]


def is_configuration(name: str) -> bool:
    """Whether a name is of a configuration file, or of a folder that has one."""
    path = Path(name)
    return path.suffix == ".json" or (path / "config.json").is_file()


def model_name(path: str) -> str:
    """What a model is called by its configuration: the file, or its folder's for a config.json."""
    place = Path(path)
    if place.suffix != ".json":
        return place.name
    return Path(os.path.realpath(place)).parent.name if place.name == "config.json" else place.stem


def read(path: Path, seq_len: int | None = None) -> Configuration:
    """Read a configuration file, or the config.json of a folder.

    Args:
        path: of either.
        seq_len: tokens of a training sequence; `SEQUENCE` at most without it.

    Raises:
        InputError: there is no such file, it is no JSON object, or a field of it is missing, not
            known, or contradicts another.
    """
    path = path / "config.json" if path.is_dir() else path
    values = read_json(path, "a configuration", FIX)
    if not isinstance(values, dict):
        raise InputError(f"expected a JSON object in {path}", type(values).__name__)
    return from_dict(values, str(path), seq_len)


def from_dict(values: Mapping[str, Any], where: str, seq_len: int | None = None) -> Configuration:
    """As `read`, of the configuration itself.

    Args:
        values: the configuration.
        where: where it came from, for messages.
        seq_len: tokens of a training sequence.
    """
    values, notes = _decoder(values, where)
    name, family = family_of(values.get("model_type"), where)
    config = Fields({**values, "model_type": name}, where)
    shape = _shape(config, family, notes, seq_len)
    config.require_all_used()
    notes += [note for field, note in NOTED.items() if config.has(field)]
    return Configuration(name, shape, tuple(notes))


def _decoder(values: Mapping[str, Any], where: str) -> tuple[dict[str, Any], list[str]]:
    """The configuration of the decoder alone, out of that of a multimodal model."""
    inner = values.get("text_config")
    if inner is None:
        return dict(values), []
    if not isinstance(inner, Mapping):
        raise RefusedError(
            ["text_config"], f"expected text_config to be a table in {where}", shown(inner)
        )
    left = [name for name in values if name in OUTSIDE]
    note = f"left out: {', '.join(left)}" if left else "only text_config is counted"
    tied = "tie_word_embeddings"
    whole = {tied: values[tied]} if tied in values and tied not in inner else {}
    return {"model_type": values.get("model_type"), **whole, **inner}, [note]


def _shape(config: Fields, family: Family, notes: list[str], seq_len: int | None) -> Shape:
    """The shape of a decoder."""
    width, n_experts = config.size("hidden_size", "d_model"), parts.experts_of(config)
    layers = layers_of(config, family, n_experts)
    fields: dict[str, Any] = parts.attention(config, family)
    if any(layer.mixer == "recurrent" for layer in layers):
        fields |= parts.recurrence(config, family, width)
    elif family.recurrence != "none":
        parts.recurrence(config, family, width)
    networks = parts.networks(config, family, n_experts)
    if not any(layer.network == "moe" for layer in layers):
        if n_experts > 1:
            notes.append("no layer is a mixture: its experts are left out")
        networks = {name: networks[name] for name in ("d_ff", "ffn_matrices", "ffn_bias")}
    if not family.dense_beside and not any(layer.network == "dense" for layer in layers):
        networks["d_ff"] = 0
    shape = Shape(
        d_model=width,
        vocab_size=config.size("vocab_size"),
        seq_len=_seq_len(config, notes, seq_len),
        tied_embedding=config.flag("tie_word_embeddings", default=family.tied),
        head_bias=_head_bias(config),
        norm_vectors=family.norm_vectors,
        branch_norms=family.branch_norms,
        d_layer_input=_layer_input(config),
        **fields,
        **networks,
        **_counts(config, layers),
    )
    if left := config.size(
        "num_nextn_predict_layers", "num_mtp_modules", "mtp_num_layers", "num_mtp_layers", default=0
    ):
        config.get(
            "mtp_layers_block_type",
            "mtp_hybrid_override_pattern",
            "use_mtp",
            "mtp_transformer_layers",
        )
        notes.append(
            f"{left} layer{'' if left == 1 else 's'} of multi-token prediction left out; "
            f"n_prediction_layers = {left} in [model.shape] trains them too"
        )
    config.get("mtp_layers_block_type", "mtp_hybrid_override_pattern")
    if config.values["model_type"] == "gemma4_text":
        return gemma4.heads_by_layer(config, layers, shape)
    return _shared_indexers(config, shape, layers)


def _counts(config: Fields, layers: list[Layer]) -> dict[str, Any]:
    """Layers by mixer and network, and the window."""
    mixers = [layer.mixer for layer in layers]
    networks = [layer.network for layer in layers]
    windowed = mixers.count("window") + mixers.count("chunk")
    counts: dict[str, Any] = {
        "n_layers": len(layers),
        "n_recurrent_layers": mixers.count("recurrent"),
        "n_network_layers": mixers.count("none"),
        "n_mixer_layers": networks.count("none"),
        "n_moe_layers": networks.count("moe"),
        "n_window_layers": windowed,
    }
    if windowed:
        chunked = "chunk" in mixers
        counts["window"] = config.size("attention_chunk_size" if chunked else "sliding_window")
        counts["chunked_window"] = chunked
    return counts


def _seq_len(config: Fields, notes: list[str], seq_len: int | None) -> int:
    """Tokens of a training sequence."""
    limits = ("max_position_embeddings", "model_max_length", "max_seq_len", "n_positions")
    most = config.size(*limits, default=SEQUENCE)
    if seq_len is not None:
        return seq_len
    assumed = min(SEQUENCE, most) or SEQUENCE
    notes.append(f"sequences of {assumed:,} tokens assumed: --seq-len names others")
    return assumed


def _head_bias(config: Fields) -> bool:
    """Whether the output matrix has biases."""
    own = config.flag("lm_head_bias")
    ernie = str(config.values["model_type"]) == "ernie4_5_moe" and config.flag("use_bias")
    return own or ernie


def _layer_input(config: Fields) -> int:
    """Width of the inputs of single layers, whose vocabulary must be that of the model."""
    width = config.size("hidden_size_per_layer_input", default=0)
    rows = config.size("vocab_size_per_layer_input", default=0)
    if width and rows and rows != config.size("vocab_size"):
        raise RefusedError(
            ["vocab_size_per_layer_input"],
            "expected vocab_size_per_layer_input to be vocab_size",
            f"{rows}",
        )
    return width


def _shared_indexers(config: Fields, shape: Shape, layers: list[Layer]) -> Shape:
    """A shape some of whose sparse layers use the positions that an earlier one chose."""
    words = config.list_of("indexer_types")
    pattern = config.get("index_topk_pattern")
    every, first = (
        config.size("index_topk_freq", default=1),
        config.size("index_skip_topk_offset", default=2),
    )
    count = int(shape.n_layers)
    if words is None and pattern is not None:
        letters = list(pattern) if isinstance(pattern, str | list) else []
        words = ["full" if letter in ("F", "full") else "shared" for letter in letters]
    if words is None:
        words = [
            "full" if max(i - first + 1, 0) % max(every, 1) == 0 else "shared" for i in range(count)
        ]
    if not shape.index_heads or "shared" not in words:
        return shape
    if len(words) != count:
        raise RefusedError(
            ["index_topk_pattern"],
            f"expected an indexer for each of {count} layers",
            f"{len(words)}",
        )
    sharing = [layer for layer, word in zip(layers, words, strict=True) if word == "shared"]
    without = without_mixture(
        shape,
        n_layers=len(sharing),
        n_moe_layers=sum(layer.network == "moe" for layer in sharing),
        index_heads=0,
        d_index=0,
    )
    return replace(shape, others=(without,))
