"""The model of a row of throughput: its sizes, and a width that is blank solved from its total.

A blank that is a convention of its tables (the vocabulary of GPT-2) is filled and named. A width is
no convention: it follows from the parameters that the row states, or the row is refused.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from energy.errors import InputError
from energy.facts import catalog
from energy.shape import Shape, parameters, total
from energy.stated_total import require_about
from simulator.facts.software import attention_of
from simulator.published.tables import Cells

VOCABULARY = 51_200
"""Where a row names none: GPT-2's 50,257 padded, as usual in the tables that leave it out."""

TIED_BELOW = 4096
"""Width below which input and output embedding are assumed to be one matrix."""

WIDEST = 16.0
"""Largest feed-forward width over the model's that is believed of a solved one."""

MULTIPLE = 64
"""Feed-forward widths are multiples of it."""


def shape_of(cells: Cells, assumed: list[str], *, prediction_layer: bool) -> Shape:
    """The model of a row: of its sizes or, where it has none, that of the catalog by its name.

    Args:
        cells: of the row.
        assumed: conventions that filled blank cells are added to it.
        prediction_layer: one more layer, for multi-token prediction.

    Raises:
        InputError: a size is blank and does not follow from others.
    """
    if not cells.text("layers") and not cells.text("d_model") and cells.text("model_name"):
        return _named(cells, prediction_layer=prediction_layer)
    if not cells.number("vocab"):
        assumed.append(f"vocabulary {VOCABULARY:,}")
    d_ff, d_expert = cells.number("d_ff") or 0.0, cells.number("moe_d_ff_expert") or 0.0
    mixture, some_dense = _is_mixture(cells), _has_dense_layers(cells)
    if mixture and not d_expert and d_ff:
        d_expert = d_ff
        assumed.append(f"expert width {d_expert:,.0f}, that of d_ff")
    if (some_dense and not d_ff) or (mixture and not d_expert):
        width = _solved(cells, d_ff, d_expert)
        d_ff, d_expert = d_ff or width, d_expert or width
        assumed.append(f"width {width:,.0f}, solved from the total of parameters")
    return _shape(cells, d_ff, d_expert, 1 if prediction_layer else 0)


def _named(cells: Cells, *, prediction_layer: bool) -> Shape:
    """A model of the catalog, with the sequences of a row.

    Raises:
        InputError: it is none of the catalog, or one whose layers a table has no columns for.
    """
    model = catalog.model(cells.text("model_name"))
    if model.shape.others or model.shape.n_recurrent_layers:
        problem = f"{model.name}, with layers of several kinds"
        raise InputError("expected a model with attention in every layer", problem)
    return replace(
        model.shape,
        seq_len=cells.number("seq_len") or model.shape.seq_len,
        n_prediction_layers=1 if prediction_layer else 0,
    )


def as_stated(shape: Shape, cells: Cells, assumed: list[str], *, prediction_layer: bool) -> Shape:
    """A shape with the embeddings, tied or not, that its stated total has.

    Args:
        shape: of a row.
        cells: of the row, with its total.
        assumed: what was concluded is added to it.
        prediction_layer: whether the shape has a layer more, which totals leave out.

    Raises:
        InputError: the total is not about what the sizes give, either way.
    """
    stated = cells.required("params_total_b") * 1e9
    counted = replace(shape, **_without_last(shape)) if prediction_layer else shape
    nearest = _with_stated_embedding(counted, stated, assumed)
    require_about(nearest, stated, "params_total_b")
    return replace(shape, tied_embedding=nearest.tied_embedding)


def _without_last(shape: Shape) -> dict[str, Any]:
    """Layers of a shape without the one for multi-token prediction."""
    mixtures = shape.n_moe_layers - 1 if shape.n_moe_layers else 0
    return {"n_layers": shape.n_layers - 1, "n_moe_layers": mixtures}


def _with_stated_embedding(shape: Shape, stated: float, assumed: list[str]) -> Shape:
    """The shape with tied or untied embeddings, whichever is nearer to a stated total."""
    other = replace(shape, tied_embedding=not shape.tied_embedding)

    def distance(of: Shape) -> float:
        return abs(float(total(parameters(of))) - stated)

    if distance(other) >= distance(shape):
        return shape
    assumed.append(
        f"{'tied' if other.tied_embedding else 'untied'} embeddings, by the stated total"
    )
    return other


def _solved(cells: Cells, d_ff: float, d_expert: float) -> float:
    """The blank width with which the model has the parameters that its row states.

    Raises:
        InputError: they are not stated, or no usual width has them.
    """
    stated = (cells.number("params_total_b") or 0.0) * 1e9
    if not stated:
        raise InputError("expected d_ff", "blank", "fill the cell, or params_total_b")

    def count(width: float) -> float:
        shape = _shape(cells, d_ff or width, d_expert or width, 0)
        return float(total(parameters(shape)))

    slope = count(2.0) - count(1.0)
    width = round((stated - count(1.0)) / slope / MULTIPLE) * MULTIPLE + 0.0
    if not 0 < width <= WIDEST * cells.required("d_model"):
        raise InputError(
            "expected a total of parameters that a usual d_ff gives",
            f"d_ff {width:,.0f} for {stated / 1e9:g} billion",
            "fill d_ff, or check params_total_b",
        )
    return width


def _shape(cells: Cells, d_ff: float, d_expert: float, more_layers: int) -> Shape:
    layers, width = cells.required("layers"), cells.required("d_model")
    heads = cells.number("heads") or max(1, width // (cells.number("head_dim") or 128))
    model = " ".join(cells.text(name) for name in ("model_name", "model_family"))
    return Shape(
        n_layers=layers + more_layers,
        d_model=width,
        n_heads=heads,
        n_kv_heads=cells.number("kv_heads") or heads,
        d_head=cells.number("head_dim") or width / heads,
        d_ff=d_ff,
        ffn_matrices=3 if _is_gated(cells) else 2,
        vocab_size=cells.number("vocab") or VOCABULARY,
        seq_len=cells.required("seq_len"),
        tied_embedding=width < TIED_BELOW,
        **_mixture_fields(cells, layers, d_expert, more_layers),
        **attention_of(model, layers),
    )


def _is_gated(cells: Cells) -> bool:
    return cells.number("gated_ffn") == 1


def _is_mixture(cells: Cells) -> bool:
    return (cells.number("moe_experts") or 1) > 1


def _has_dense_layers(cells: Cells) -> bool:
    """Whether some layers have a dense network."""
    every, leading = cells.number("moe_every_n") or 1, cells.number("moe_first_dense") or 0
    return not _is_mixture(cells) or every > 1 or leading > 0


def _mixture_fields(
    cells: Cells, layers: float, d_expert: float, more_layers: int
) -> dict[str, Any]:
    """Fields of a shape on its mixture of experts.

    Args:
        cells: of the row.
        layers: of the model, without those for multi-token prediction.
        d_expert: width of an expert.
        more_layers: layers for multi-token prediction.
    """
    gated = cells.number("expert_gated")
    is_gated = _is_gated(cells) if gated is None else gated == 1
    matrices: dict[str, Any] = {"expert_matrices": 3 if is_gated else 2}
    if not _is_mixture(cells):
        return matrices
    every, leading = cells.number("moe_every_n") or 1, cells.number("moe_first_dense") or 0
    return matrices | {
        "n_moe_layers": (layers - leading) // every + more_layers,
        "n_experts": cells.number("moe_experts") or 1,
        "top_k": cells.number("moe_top_k") or 1,
        "d_expert": d_expert,
        "n_shared_experts": cells.number("moe_shared_experts") or 0,
    }
