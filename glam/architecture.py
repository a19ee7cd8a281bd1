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
    """The fields in which the families differ; the defaults are those of `glam`.

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

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            if known := get_args(kind):
                require_known(name, getattr(self, name), known)
        weight = self.vocabulary_z_loss
        require(0 <= weight < math.inf, "vocabulary_z_loss", "at least 0 and finite", weight)


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
