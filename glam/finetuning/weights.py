"""Which weights fine-tuning changes: all, all but the routers, or low-rank adapters of some.

Adapters are made by peft, of targets that are named here. Our layers multiply by `weight` and never
call the matrices that hold it, so that peft's own forward pass of a matrix would not be used,
without a word; its adapter is therefore added to the weight where that is read. The stacked experts
are called, and peft adds theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from energy.errors import InputError, nearest
from energy.flops import forward_flop
from glam.generation.work import Work
from glam.model.decoder import Glam

CHOICES = ("all", "frozen-router", "adapters")

TARGETS = {
    "attention": ("query", "key", "value", "output"),
    "dense": ("gate", "up", "down"),
    "experts": ("ffn.experts.up", "ffn.experts.down"),
}
"""What adapters can be of: matrices by name, experts by parameter."""

ADAPTER = "default"
"""peft's name of the one adapter."""


class _Added(nn.Module):
    """A weight with its adapter: W + scale B A."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = [layer]  # in a list, so that it is not a part of this module

    def forward(self, weight: Tensor) -> Tensor:
        (layer,) = self.layer
        down, up = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
        return torch.addmm(weight, up, down, alpha=layer.scaling[ADAPTER])


def require_targets(names: str) -> tuple[str, ...]:
    """Return the targets that a user names, separated by commas.

    Raises:
        InputError: there is no such target.
    """
    chosen = [name.strip() for name in names.split(",") if name.strip()]
    for name in chosen or [names]:
        if name not in TARGETS:
            fix = nearest(name, TARGETS)
            raise InputError(f"expected --targets of {', '.join(TARGETS)}", repr(name), fix)
    return tuple(dict.fromkeys(chosen))


class Tuned:
    """A model of which some weights are trained.

    Args:
        model: the model; its parameters are marked, and with adapters its layers are wrapped.
        weights: one of `CHOICES`.
        rank: of the adapters; the scale of their product is 2.
        targets: of the adapters.

    Raises:
        InputError: the model has none of the targets.
    """

    def __init__(
        self, model: Glam, weights: str = "all", rank: int = 8, targets: Iterable[str] = TARGETS
    ) -> None:
        self.model, self.weights, self.rank = model, weights, rank
        self.names = list(model.state_dict())
        self.targets = [name for name in targets if name != "experts" or model.shape.n_moe_layers]
        if weights == "adapters":
            if not self.targets:
                raise InputError("expected --targets of experts in a mixture", "a dense model")
            self._add_adapters()
        elif weights == "frozen-router":
            for name, parameter in model.named_parameters():
                parameter.requires_grad_(".router." not in name)

    @property
    def trained(self) -> int:
        """How many numbers are trained."""
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)

    def state(self) -> dict[str, Tensor]:
        """Return all weights under the names of the model without adapters, which are added in."""
        with torch.no_grad():
            return {name: self._value(name).detach().cpu().clone() for name in self.names}

    def flop(self, work: Work) -> tuple[float, float]:
        """Return model and executed FLOP of training steps from the counts of forward passes.

        The backward pass costs as much again for the gradients of activations, and once more for
        those of weights. Adapters need only the latter of A and B, of which x A and its product
        with B are computed as well; but as ours are added to W before the products, the gradient
        of W is executed, too.
        """
        shape = self.model.shape
        parts = forward_flop(shape)
        if self.weights != "adapters":
            saved = float(parts["router"]) * work.tokens if self.weights != "all" else 0.0
            return 3 * work.model_flop - saved, 3 * work.executed_flop - saved
        scores = float(parts["attention_scores"]) * work.tokens
        adapted = 6.0 * work.tokens * sum(self._adapter_weights())
        return 2 * work.model_flop + scores + adapted, 3 * work.executed_flop

    def _adapter_weights(self) -> list[float]:
        """Return the weights of adapters that a token meets, of each matrix."""
        shape = self.model.shape
        met = float(shape.top_k) / float(shape.n_experts) if shape.n_moe_layers else 1.0
        return [
            parameter.numel() * (met if ".experts." in name else 1.0)
            for name, parameter in self.model.named_parameters()
            if "lora_" in name
        ]

    def _add_adapters(self) -> None:
        from peft import LoraConfig, inject_adapter_in_model

        named = [name for target in self.targets for name in TARGETS[target]]
        inside = [name for name in named if "." in name]
        matrices = [name for name in named if "." not in name]
        config = LoraConfig(
            r=self.rank,
            lora_alpha=2 * self.rank,
            target_modules=self._modules(matrices),
            target_parameters=inside or None,
        )
        inject_adapter_in_model(config, self.model)
        for name in self._modules(matrices):
            layer: Any = self.model.get_submodule(name)
            parametrize.register_parametrization(layer.base_layer, "weight", _Added(layer))

    def _modules(self, matrices: Iterable[str]) -> list[str]:
        """Return the full names of matrices of attention and dense layers."""
        ends = tuple(f".{name}" for name in matrices)
        return [
            name.removesuffix(".weight")
            for name in self.names
            if name.removesuffix(".weight").endswith(ends) and ".experts." not in name
        ]

    def _value(self, name: str) -> Tensor:
        """Return a weight by the name that it has without adapters."""
        place, _, own = name.rpartition(".")
        module: Any = self.model.get_submodule(place) if place else self.model
        added = []
        while hasattr(module, "parameter_name"):  # peft's wrapper of one parameter of a module
            if module.parameter_name == own:
                added.append(module.get_delta_weight(ADAPTER))
            module = module.base_layer
        value: Tensor = getattr(module, own)
        return value + added[0] if added else value
