"""The shape of a decoder, and its parameter counts.

Dense is not a special case: a dense layer is one expert that every token passes through. Every
field may be a number or a numpy array, so the same formula serves one model or a million.

Symbols: L layers, M model width, h query heads, k_v key-value heads, d head width, V vocabulary,
S sequence length, H feed-forward width, E experts, K experts per token (top k), H_e expert width.
"""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields, replace
from functools import lru_cache
from typing import Any, Literal, Self, get_args

import numpy as np

from energy.errors import InputError, nearest, require_choice
from energy.shapes import contradictions
from energy.shapes.attention import (
    Attention,
    attention_biases,
    attention_norms,
    attention_weights,
)
from energy.shapes.network import (
    Networks,
    computed_experts,
    dense_biases,
    dense_layers,
    expert_biases,
    expert_weights,
    router_weights,
    shared_biases,
    shared_weights,
)
from energy.shapes.recurrence import Recurrent, recurrent_values, recurrent_weights
from energy.shapes.stack import Number, attention_layers, branches, plain

__all__ = [
    "ACTIVE_CONVENTION",
    "LAYER_COUNTS",
    "ActiveConvention",
    "Number",
    "Shape",
    "active_parameters",
    "attention_weights",
    "dense_twin",
    "kinds",
    "parameters",
    "plain",
    "prediction_layer",
    "total",
    "without_mixture",
]

ActiveConvention = Literal["without-input-embedding", "with-both-embeddings", "without-embeddings"]
"""Which embedding matrices count as active. A token passes one row of the input embedding and the
whole output matrix, so the first leaves out an input embedding that is a matrix of its own.
Publishers use each of the three."""

ACTIVE_CONVENTION: ActiveConvention = "without-input-embedding"

LAYER_COUNTS = (
    "n_layers",
    "n_moe_layers",
    "n_dense_beside_moe",
    "n_window_layers",
    "n_recurrent_layers",
    "n_network_layers",
    "n_mixer_layers",
)
"""Fields that count layers."""


@dataclass(frozen=True, kw_only=True)
class Shape(Attention, Recurrent, Networks):
    """A decoder-only model: attention or recurrence, dense or mixture-of-experts.

    Fields of attention, recurrence and networks are those of its bases.

    Attributes:
        vocab_size: V.
        tied_embedding: whether input and output embedding share their matrix.
        head_bias: whether the output matrix has biases.
        position_rows: rows of a learned absolute position embedding.
        norm_vectors: learned vectors of width M per norm: 1 for scale, 2 for scale and shift.
        branch_norms: norms of each branch of a layer: 1, or 2 before and after it.
        d_layer_input: width of an embedding that each layer has for itself; 0 without it.
        n_prediction_layers: layers of multi-token prediction that are trained too.
        others: layers of another kind, such as other heads: each a shape of its own, whose counts
            of layers are part of those of the whole.
    """

    vocab_size: Number
    tied_embedding: Number = True
    head_bias: Number = False
    position_rows: Number = 0
    norm_vectors: Number = 1
    branch_norms: Number = 1
    d_layer_input: Number = 0
    n_prediction_layers: Number = 0
    others: tuple[Shape, ...] = ()

    def __post_init__(self) -> None:
        contradictions.refuse(self)

    def dense(self) -> Self:
        """The dense model of the same layers: every feed-forward network is dense."""
        none: dict[str, Any] = {"n_shared_experts": 0, "n_zero_experts": 0, "n_dense_beside_moe": 0}
        return replace(
            self,
            n_moe_layers=0,
            n_experts=1,
            top_k=1,
            d_latent_expert=0,
            router_bias=False,
            shared_gate=False,
            moe_norms=0,
            others=tuple(other.dense() for other in self.others),
            **none,
        )

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain numbers, for records."""
        return {name: list(v) if name == "others" else v for name, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `as_dict`; a table of `others` may leave out what is as in the whole.

        Raises:
            InputError: a key is unknown, a required one is absent, or the shape contradicts itself.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise InputError(
                "expected the fields of a shape", unknown[0], nearest(unknown[0], known)
            )
        required = [field.name for field in fields(cls) if field.default is MISSING]
        if absent := [name for name in required if name not in values]:
            raise InputError("expected the fields of a shape", f"no {', no '.join(absent)}")
        contradictions.require_said(values)
        whole = {name: value for name, value in values.items() if name != "others"}
        same = {name: value for name, value in whole.items() if name not in LAYER_COUNTS}
        others = tuple(cls(**{**same, **other, "others": ()}) for other in values.get("others", ()))
        return cls(**whole, others=others)


def kinds(shape: Shape) -> tuple[Shape, ...]:
    """The layers of a shape by kind: one shape for the usual ones, one for each of `others`."""
    if not shape.others:
        return (shape,)
    rest = {
        name: getattr(shape, name) - sum(getattr(other, name) for other in shape.others)
        for name in LAYER_COUNTS
    }
    return (without_mixture(shape, others=(), **rest), *shape.others)


def without_mixture(shape: Shape, **changes: Any) -> Shape:
    """A changed copy of a shape, without experts where none of its layers is a mixture any more."""
    if not changes["n_moe_layers"]:
        changes |= {"n_experts": 1, "top_k": 1, "n_zero_experts": 0}
    return replace(shape, **changes)


def parameters(shape: Shape) -> dict[str, Number]:
    """Parameters by part; their sum is the size of the model.

    Embedding V*M (twice when untied). Per layer: attention 4*M*h*d, dense feed-forward n_m*M*H
    with n_m matrices, experts E*n_m*M*H_e, shared experts, router M*E (none for a single expert),
    norms. Parts that few models have (recurrence, inputs of layers, multi-token prediction) are
    there only where they are.
    GLaM 64B/64E with 256,000 tokens of vocabulary: 1.162e12 (arXiv:2112.06905 says 1.2T).

    >>> from energy.facts import catalog
    >>> glam = catalog.model("glam-64b-64e").shape
    >>> f"{total(parameters(glam)):.3e}"
    '1.162e+12'
    """
    try:
        return dict(_parameters_of_one(shape))
    except TypeError:  # arrays have no hash
        return _parameters(shape)


@lru_cache(maxsize=256)
def _parameters_of_one(shape: Shape) -> dict[str, Number]:
    """The same of a shape of numbers, which searches ask for with every block of plans."""
    return _parameters(shape)


def _parameters(shape: Shape) -> dict[str, Number]:
    s = shape
    untied = 2 - np.asarray(s.tied_embedding, dtype=float)
    parts: dict[str, Any] = {
        "embedding": s.vocab_size * s.d_model * untied
        + s.position_rows * s.d_model
        + np.asarray(s.vocab_size) * s.head_bias
    }
    for kind in kinds(s):
        for name, count in _layer_parameters(kind).items():
            parts[name] = parts.get(name, 0) + count
    parts["norms"] = parts["norms"] + np.asarray(s.norm_vectors) * s.d_model
    inputs = np.asarray(s.n_layers) * s.d_layer_input
    table = (s.vocab_size + s.d_model) * inputs + s.d_layer_input
    parts["layer_inputs"] = parts["layer_inputs"] + table
    parts["prediction"] = 0
    if np.any(s.n_prediction_layers):
        # The hidden state and the next embedding pass a norm each and become one of width M.
        joint = 2 * np.asarray(s.d_model) ** 2 + 3 * np.asarray(s.norm_vectors) * s.d_model
        layer = sum(_layer_parameters(prediction_layer(s)).values())
        parts["prediction"] = s.n_prediction_layers * (layer + joint)
    return _present(parts)


def _layer_parameters(shape: Shape) -> dict[str, Any]:
    """Parameters of all layers of one kind, by part."""
    s = shape
    n_attention, n_moe = attention_layers(s), s.n_moe_layers
    norms = s.branch_norms * branches(s) + np.asarray(n_moe) * s.moe_norms
    rows, some_input = np.asarray(s.d_layer_input), np.asarray(s.d_layer_input) > 0
    choices = np.asarray(s.n_experts) + s.n_zero_experts
    return {
        "attention": n_attention * (attention_weights(s) + np.asarray(attention_biases(s))),
        "relative_bias": n_attention * s.relative_buckets * s.n_heads,
        "recurrence": s.n_recurrent_layers
        * (recurrent_weights(s) + np.asarray(recurrent_values(s))),
        "dense_ffn": dense_layers(s) * (s.ffn_matrices * s.d_model * s.d_ff + dense_biases(s)),
        "experts": n_moe * s.n_experts * (expert_weights(s) + expert_biases(s)),
        "shared_experts": n_moe * (shared_weights(s) + shared_biases(s)),
        "router": n_moe * (router_weights(s) + choices * s.router_bias),
        "norms": norms * s.norm_vectors * s.d_model + n_attention * attention_norms(s),
        "layer_inputs": s.n_layers * (2 * rows + some_input) * s.d_model,
    }


def _present(parts: dict[str, Any]) -> dict[str, Number]:
    """The parts as numbers; the rare ones only where a model has them."""
    rare = ("recurrence", "layer_inputs", "prediction")
    return {
        name: plain(count) for name, count in parts.items() if name not in rare or np.any(count)
    }


def dense_twin(shape: Shape) -> Shape:
    """The dense model with the networks that a token passes in a mixture, one in each layer.

    Each layer keeps its mixer. All networks are equally wide: as wide as, on average over the
    layers, K * H_e with the shared experts and the dense network. So the active parameters are
    equal but for the router and the rounding of the width.

    >>> from energy.facts import catalog
    >>> glam = catalog.model("glam-64b-64e").shape
    >>> twin = dense_twin(glam)
    >>> [f"{total(count):.3g}" for count in (active_parameters(glam), parameters(twin))]
    ['9.66e+10', '9.66e+10']
    """
    s = shape
    passed = computed_experts(s) * np.asarray(expert_weights(s)) + shared_weights(s)
    matrix = np.asarray(s.ffn_matrices) * s.d_model
    n_dense, n_moe = np.asarray(dense_layers(s)), np.asarray(s.n_moe_layers)
    n_layers = np.maximum(np.asarray(s.n_layers) - s.n_mixer_layers, 1)
    width = (n_dense * s.d_ff + n_moe * passed / matrix) / n_layers
    others = tuple(dense_twin(other) for other in s.others)
    return replace(s.dense(), d_ff=plain(np.rint(width)), others=others)


def prediction_layer(shape: Shape) -> Shape:
    """The layer of a module of multi-token prediction: one with attention, a mixture if any.

    DeepSeek-V3 (arXiv:2412.19437, section 2.2).
    """
    moe = np.minimum(shape.n_moe_layers, 1)
    beside = np.minimum(shape.n_dense_beside_moe, 1)
    counts: dict[str, Any] = {
        **dict.fromkeys(LAYER_COUNTS, 0),
        "n_layers": 1,
        "d_layer_input": 0,
    }
    return replace(
        shape,
        **{**counts, "n_moe_layers": plain(moe), "n_dense_beside_moe": plain(beside)},
        n_prediction_layers=0,
        others=(),
    )


def active_parameters(
    shape: Shape, convention: ActiveConvention = ACTIVE_CONVENTION
) -> dict[str, Number]:
    """Parameters that a token passes through, by part.

    As `parameters`, with K experts in place of E. A tied embedding counts once; an untied one by
    the convention. Embeddings of single layers are rows too and do not count.
    GLaM 64B/64E: 9.66e10, 8.3 % of the total. gpt-oss-120b: 5.13e9 without the input embedding, as
    its card says (arXiv:2508.10925), 5.71e9 with both.

    >>> from energy.facts import catalog
    >>> glam = catalog.model("glam-64b-64e").shape
    >>> f"{total(active_parameters(glam)):.3g}"
    '9.66e+10'

    Raises:
        InputError: the convention is unknown.
    """
    require_choice("a convention of active parameters", convention, get_args(ActiveConvention))
    parts = parameters(shape)
    layers = [_layer_parameters(kind) for kind in kinds(shape)]
    parts["experts"] = plain(
        sum(
            np.asarray(layer["experts"]) * (np.asarray(computed_experts(kind)) / kind.n_experts)
            for kind, layer in zip(kinds(shape), layers, strict=True)
        )
    )
    if convention == "without-embeddings":
        parts["embedding"] = 0
    if convention == "without-input-embedding":
        rows = np.where(np.asarray(shape.tied_embedding, bool), 0, shape.vocab_size)
        parts["embedding"] = plain(parts["embedding"] - rows * np.asarray(shape.d_model))
    if "layer_inputs" in parts:
        table = np.asarray(shape.n_layers) * shape.d_layer_input * shape.vocab_size
        parts["layer_inputs"] = plain(parts["layer_inputs"] - table)
    if "prediction" in parts:
        del parts["prediction"]
    return parts


def total(parts: dict[str, Number]) -> Number:
    """Sum the parts of a count."""
    return plain(sum(parts.values()))
