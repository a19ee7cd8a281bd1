"""The routers of GLaM's relatives, by the name of their class or from a config.json.

They differ from GLaM's in what makes weights of logits, in what chooses, and in the scale of the
balancing loss, so that a coefficient goes with its recipe alone. The defaults are those of
transformers' classes, which the tests read. transformers multiplies loads and gates that are
averaged over all layers; here each layer has its loss, and their mean is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from energy.errors import InputError, nearest
from energy.inputs import is_number, read_json

BIAS_STEP = 0.001
"""Step of the biases in DeepSeek-V3's training (arXiv:2412.19437, section 4.2)."""


@dataclass(frozen=True)
class Relative:
    """The router of a relative.

    Attributes:
        architecture: fields of `Architecture`, by name.
        auxiliary_weight: of the load-balancing loss.
        shared_experts: experts that every token passes.
    """

    architecture: dict[str, Any]
    auxiliary_weight: float
    shared_experts: int = 0


DEFAULTS: dict[str, dict[str, Any]] = {
    "mixtral": {"norm_topk_prob": True, "router_aux_loss_coef": 0.001},
    "qwen3_moe": {"norm_topk_prob": False, "router_aux_loss_coef": 0.001},
    "olmoe": {"norm_topk_prob": False, "router_aux_loss_coef": 0.01},
    "deepseek_v3": {
        "norm_topk_prob": True,
        "routed_scaling_factor": 2.5,
        "n_group": 8,
        "topk_group": 4,
        "n_shared_experts": 1,
    },
}
"""What a configuration of each class says of its router where it leaves it out."""


def relative_of(which: str) -> Relative:
    """Return the router of a class, "mixtral", or of a configuration, "mixtral/config.json".

    Raises:
        InputError: there is no such class or file, or its router is not known here.
    """
    if which in DEFAULTS:
        return _relative(which, {}, which)
    path = Path(which)
    if path.suffix != ".json" and not path.is_dir():
        known = f"{nearest(which, DEFAULTS)}; known: {', '.join(DEFAULTS)}"
        raise InputError("expected a class with a known router, or a config.json", which, known)
    path = path / "config.json" if path.is_dir() else path
    values = read_json(path, "a configuration", f"name one of {', '.join(DEFAULTS)}")
    model_type = str(values.get("model_type")) if isinstance(values, dict) else "no JSON object"
    if model_type not in DEFAULTS:
        raise InputError(
            f"expected a model_type with a known router in {path}",
            model_type,
            f"known: {', '.join(DEFAULTS)}; or set the fields router_* of [architecture]",
        )
    return _relative(model_type, values, str(path))


def _relative(model_type: str, values: Mapping[str, Any], where: str) -> Relative:
    defaults = DEFAULTS[model_type]
    said = {
        key: default if (own := values.get(key)) is None else own
        for key, default in defaults.items()
    }
    for key, default in defaults.items():
        kind = isinstance(said[key], bool) if isinstance(default, bool) else is_number(said[key])
        if not kind or (type(default) is int and int(said[key]) != said[key]):
            raise InputError(f"expected {key} like {default} in {where}", repr(said[key]))
    fields = {
        "router_renormalize": said["norm_topk_prob"],
        "balance_choices": "all",
        "balance_over_layers": "mean",
    }
    if model_type != "deepseek_v3":
        return Relative(fields, float(said["router_aux_loss_coef"]))
    groups = {"router_groups": int(said["n_group"]), "router_top_groups": int(said["topk_group"])}
    fields |= groups | {
        "router_gates": "sigmoid",
        "router_scale": float(said["routed_scaling_factor"]),
        "router_bias_step": BIAS_STEP,
    }
    return Relative(fields, 0.0, int(said["n_shared_experts"]))
