"""How a decoder is built and begun: what its shape, which counts parameters, does not say.

Families name whole sets of these fields. `glam` is GLaM as its authors' framework builds it
(Praxis 1.4.0, `praxis.layers.glam`), `plain` is GLaM as one would build it from the paper alone
(arXiv:2112.06905), `gpt` the dense baseline (arXiv:2005.14165).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args, get_type_hints

from glam.recipe import require, require_known

Activation = Literal["gelu", "gelu_tanh", "relu"]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The fields in which families and relatives differ; the defaults are those of `glam`.

    Attributes:
        moe_position: which layer of each group of n_layers / n_moe_layers has the mixture.
        extra_logit: whether the softmax of attention has one more logit, of 0, in its
            denominator, so that a head can attend to nothing.
        scale_queries: whether queries are divided by sqrt(d_head); if not, the initial weights of
            the query projection hold that factor.
        dense_activation: activation of dense feed-forward networks; gelu is exact, gelu_tanh its
            tanh approximation (arXiv:1606.08415).
        expert_activation: activation of experts.
        embedding_scale: where sqrt(d_model) stands: output divides the input of the tied output
            projection by it, input multiplies the embedded tokens with it, none does neither.
        balance_over_layers: whether the load-balancing losses of the mixture layers are summed or
            averaged.
        vocabulary_z_loss: weight of the mean square of the log-partition of the vocabulary's
            logits, added to the loss.
        initial_weights: gshard (arXiv:2006.16668, as Praxis has it) or gpt2.
        router_gates: what the router makes of its logits: softmax over the experts, or the sigmoid
            of each (DeepSeek-V3, arXiv:2412.19437).
        router_renormalize: whether the weights of the chosen experts are made to sum to 1. A single
            expert (K = 1) always keeps its gate (Switch, arXiv:2101.03961).
        router_scale: what the weights are multiplied by after that; 2.5 in DeepSeek-V3.
        router_groups: groups of experts, of which a token chooses some before it chooses experts
            in them; 1 for none.
        router_top_groups: groups that a token chooses, by the sum of the best two gates in each.
        router_bias_step: step of the biases of loss-free balancing (arXiv:2408.15664); 0 for none.
            A bias is added to the gate for the choice alone, not to the weight. After each update
            it rises by a step if its expert has less than the mean load, else it falls.
        balance_choices: choices whose loads the load-balancing loss counts: first, as GShard; or
            all, as transformers, where the loss is K times as large: K when uniform.
    """

    moe_position: Literal["first", "last"] = "first"
    extra_logit: bool = True
    scale_queries: bool = False
    dense_activation: Activation = "gelu_tanh"
    expert_activation: Activation = "relu"
    embedding_scale: Literal["output", "input", "none"] = "output"
    balance_over_layers: Literal["sum", "mean"] = "sum"
    vocabulary_z_loss: float = 1e-4
    initial_weights: Literal["gshard", "gpt2"] = "gshard"
    router_gates: Literal["softmax", "sigmoid"] = "softmax"
    router_renormalize: bool = True
    router_scale: float = 1.0
    router_groups: int = 1
    router_top_groups: int = 1
    router_bias_step: float = 0.0
    balance_choices: Literal["first", "all"] = "first"

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            if known := get_args(kind):
                require_known(name, getattr(self, name), known)
        weight = self.vocabulary_z_loss
        require(0 <= weight < math.inf, "vocabulary_z_loss", "at least 0 and finite", weight)
        scale, step = self.router_scale, self.router_bias_step
        require(0 < scale < math.inf, "router_scale", "above 0 and finite", scale)
        require(0 <= step < math.inf, "router_bias_step", "at least 0 and finite", step)
        groups, top = self.router_groups, self.router_top_groups
        require(groups >= 1, "router_groups", "at least 1", groups)
        require(1 <= top <= groups, "router_top_groups", f"1 to {groups} router_groups", top)

    @property
    def own_router(self) -> bool:
        """Whether the router chooses or weighs otherwise than GLaM's."""
        return (
            self.router_gates != "softmax"
            or not self.router_renormalize
            or self.router_scale != 1
            or self.router_groups > 1
            or self.router_bias_step > 0
        )


GLAM = Architecture()


PLAIN = Architecture(
    moe_position="last",
    extra_logit=False,
    scale_queries=True,
    dense_activation="gelu",
    expert_activation="gelu",
    embedding_scale="input",
    balance_over_layers="mean",
    vocabulary_z_loss=0.0,
    initial_weights="gpt2",
)
"""GLaM as it was built here before, from the paper alone."""


GPT = replace(PLAIN, embedding_scale="none")


ARCHITECTURES = {"glam": GLAM, "plain": PLAIN, "gpt": GPT}
"""Name of each family, and its architecture."""
