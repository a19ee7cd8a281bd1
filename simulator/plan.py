"""A plan: how a model is laid on chips and how its step is executed.

Every number may be an array and every choice an array of words, so one plan is a million plans.
The defaults are one device that does its whole batch at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from energy.errors import InputError
from energy.flops import Execution
from energy.shape import Number, Shape, plain

Choice: TypeAlias = str | NDArray[Any]

CHOICES = {
    "recompute": ("none", "selective", "full"),
    "dispatch": ("sort", "one-hot"),
    "optimizer": ("adafactor", "adamw"),
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Parallel degrees, batch and execution of one training step.

    Attributes:
        n_chips: chips of the whole run.
        tp: tensor parallel degree.
        pp: pipeline parallel degree.
        vp: virtual stages a chip (interleaved pipeline).
        ep: expert parallel degree, inside the data parallel ranks.
        cp: context parallel degree.
        zero: ZeRO stage, 0 to 3: optimiser state, gradients, weights sharded over dp.
        global_batch: sequences of one optimiser step, over all chips.
        micro_batch: sequences of one forward and backward pass of one data parallel rank; None
            is all that the rank gets.
        recompute: "none", "selective" (attention scores) or "full" (all layers).
        flash: attention that never writes its S x S scores (arXiv:2205.14135) and skips what a
            causal mask hides; without it every score is computed and travels through memory.
        capacity_factor: slots computed per assignment of a token to an expert, normalised by K;
            1 is dropless.
        dispatch: "sort" (permutation, bytes) or "one-hot" (GShard's products, FLOP).
        dispatch_group: tokens in a group of one-hot dispatch.
        imbalance: rows of the busiest chip's experts over the mean.
        optimizer: "adafactor" or "adamw".
        weight_bytes: bytes a stored weight.
        gradient_bytes: bytes a stored gradient.
        activation_bytes: bytes an activation, and a weight as it is multiplied.
        loss_chunk: tokens whose logits stand in memory at once.
    """

    n_chips: Number = 1
    tp: Number = 1
    pp: Number = 1
    vp: Number = 1
    ep: Number = 1
    cp: Number = 1
    zero: Number = 0
    global_batch: Number = 1
    micro_batch: Number | None = None
    recompute: Choice = "none"
    flash: bool | NDArray[Any] = False
    capacity_factor: Number = 1.0
    dispatch: Choice = "sort"
    dispatch_group: Number = 1024
    imbalance: Number = 1.0
    optimizer: Choice = "adafactor"
    weight_bytes: Number = 4
    gradient_bytes: Number = 4
    activation_bytes: Number = 4
    loss_chunk: Number = 1024

    def __post_init__(self) -> None:
        for name in ("n_chips", "tp", "pp", "vp", "ep", "cp", "global_batch"):
            _require(np.asarray(getattr(self, name)) >= 1, name, "at least 1", getattr(self, name))
        for name in ("capacity_factor", "imbalance"):
            _require(np.asarray(getattr(self, name)) >= 1, name, "at least 1", getattr(self, name))
        for name, known in CHOICES.items():
            words = getattr(self, name)
            _require(np.isin(words, known), name, f"one of {', '.join(known)}", words)
        dp = np.asarray(self.dp)
        _require((dp >= 1) & (dp == np.floor(dp)), "n_chips", "a multiple of tp * pp * cp",
                 self.n_chips)  # fmt: skip
        local = np.asarray(self.local_batch)
        _require(local >= 1, "global_batch", "at least dp sequences", self.global_batch)
        if self.micro_batch is not None:
            micro = np.asarray(self.micro_batch)
            _require((micro >= 1) & (micro <= local), "micro_batch",
                     "from 1 to the sequences of a data parallel rank", micro)  # fmt: skip

    @property
    def dp(self) -> Number:
        """Data parallel degree: n_chips / (tp * pp * cp)."""
        return plain(self.n_chips / (np.asarray(self.tp) * self.pp * self.cp))

    @property
    def local_batch(self) -> Number:
        """Sequences of one step on one data parallel rank."""
        return plain(np.asarray(self.global_batch) / self.dp)

    @property
    def sequences(self) -> Number:
        """Sequences of one micro-batch."""
        return self.local_batch if self.micro_batch is None else self.micro_batch

    @property
    def n_micro(self) -> Number:
        """Micro-batches of one step; 256 sequences on dp = 16, 4 at a time: 4."""
        return plain(np.ceil(np.asarray(self.local_batch) / self.sequences))

    def execution(self) -> Execution:
        """What `energy.flops.executed_flop` has to know of this plan."""
        recompute, one_hot = np.asarray(self.recompute), np.asarray(self.dispatch) == "one-hot"
        return Execution(
            expert_padding=self.capacity_factor,
            recompute_layers=plain(np.where(recompute == "full", 1.0, 0.0)),
            recompute_scores=plain(np.where(recompute == "selective", 1.0, 0.0)),
            one_hot_group=plain(np.where(one_hot, self.dispatch_group, 0)),
            score_multiplier=plain(np.where(self.flash, 3.5, 3.0)),
        )

    def require_divides(self, shape: Shape) -> None:
        """Raise InputError where a degree does not divide what it cuts."""
        for name, what in (("tp", "n_heads"), ("ep", "n_experts"), ("cp", "seq_len")):
            left = np.asarray(getattr(shape, what)) % getattr(self, name)
            _require(left == 0, name, f"a divisor of {what}", getattr(self, name))


def _require(holds: Any, name: str, expectation: str, value: Any) -> None:
    if not np.all(holds):
        raise InputError(f"expected plan.{name} to be {expectation}", f"{value}")
