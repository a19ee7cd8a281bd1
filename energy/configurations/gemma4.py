"""What Gemma 4 has and no other family: heads by layer, and keys and values that layers share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from energy.configurations.fields import Fields, RefusedError
from energy.configurations.layers import Layer
from energy.inputs import shown
from energy.shape import Shape


def heads_by_layer(config: Fields, layers: list[Layer], shape: Shape) -> Shape:
    """A shape whose full layers have other heads, and whose last layers may lack keys and values.

    Args:
        config: of the model.
        layers: all of them.
        shape: as if all layers had the heads of the windowed ones.
    """
    shared = config.size("num_kv_shared_layers", default=0)
    wide = config.flag("use_double_wide_mlp")
    one_projection = config.flag("attention_k_eq_v")
    own = _own_sizes(config, layers, shape, one_projection)
    described: Counter[tuple[tuple[str, Any], ...]] = Counter()
    for i, layer in enumerate(layers):
        full, reuses = layer.mixer == "full", i >= len(layers) - shared
        sizes: dict[str, Any] = dict(own[i])
        matrices = 0 if reuses else 1 if full and one_projection else 2
        norms = 1 if reuses else 2
        sizes |= {
            "kv_matrices": matrices,
            "qk_norm": norms * sizes["d_head"],
            "d_ff": shape.d_ff * (2 if wide and reuses else 1),
            "n_window_layers": 0 if full else 1,
        }
        described[tuple(sorted(sizes.items()))] += 1
    return _of_kinds(shape, described)


def _own_sizes(
    config: Fields, layers: list[Layer], shape: Shape, one_projection: bool
) -> list[dict[str, Any]]:
    """Width of a head and key-value heads of each layer."""
    usual = {"d_head": int(shape.d_head), "n_kv_heads": int(shape.n_kv_heads)}
    by_layer = _tables(config)
    width = config.size("global_head_dim", default=512)
    grouped = config.size("num_global_key_value_heads", default=0)
    full = usual | {"d_head": width}
    if grouped and one_projection:
        full["n_kv_heads"] = grouped
    if by_layer is None:
        return [full if layer.mixer == "full" else usual for layer in layers]
    names = {"head_dim": "d_head", "num_key_value_heads": "n_kv_heads"}
    sizes = []
    for i in range(len(layers)):
        table = Fields(
            by_layer.get(f"{i:02d}", by_layer.get(str(i), {})), config.where, "per_layer_config"
        )
        changed = {ours: table.size(name, default=usual[ours]) for name, ours in names.items()}
        table.require_all_used()
        sizes.append(changed)
    return sizes


def _tables(config: Fields) -> Mapping[str, Mapping[str, Any]] | None:
    """The sizes of single layers by their numbers; None where no layer has its own."""
    tables = config.get("per_layer_config")
    if tables is None:
        return None
    if not isinstance(tables, Mapping) or not all(isinstance(t, Mapping) for t in tables.values()):
        raise RefusedError(
            ["per_layer_config"], "expected per_layer_config of tables by layer", shown(tables)
        )
    return tables


def _of_kinds(shape: Shape, described: Counter[tuple[tuple[str, Any], ...]]) -> Shape:
    """The first kind as the whole, the further ones as its others."""
    kinds = []
    for sizes, count in described.items():
        values = dict(sizes)
        mixtures = count if shape.n_moe_layers else 0
        kinds.append(
            replace(
                shape,
                **values
                | {
                    "n_layers": count,
                    "n_window_layers": count * values["n_window_layers"],
                    "n_moe_layers": mixtures,
                    "n_dense_beside_moe": mixtures,
                },
            )
        )
    first, *others = kinds
    counts = ("n_layers", "n_window_layers", "n_moe_layers", "n_dense_beside_moe")
    whole = {name: sum(getattr(kind, name) for kind in kinds) for name in counts}
    return replace(first, others=tuple(others), **whole)
