"""A plan: how a model is laid on chips and how its step is executed.

Every number may be an array and every choice an array of words, so one plan is a million plans.
The defaults are one device that does its whole batch at once.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from energy.errors import InfeasibleError, InputError
from energy.flops import Execution
from energy.shape import Number, Shape, plain
from simulator.physics.expert_load import ExpertLoad

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
        ep: expert parallel degree, folded into tp * cp * dp (arXiv:2504.14960).
        etp: tensor parallel degree inside an expert.
        cp: context parallel degree.
        zero: ZeRO stage, 0 to 3: optimiser state, gradients, weights sharded.
        shard: chips over which ZeRO shards, dp or a part of it (hybrid sharding); None is dp.
        sequence_parallel: norms and residuals shared out over tp (arXiv:2205.05198).
        global_batch: sequences of one optimiser step, over all chips.
        micro_batch: sequences of one forward and backward pass of one data parallel rank; None
            is all that the rank gets.
        recompute: "none", "full" (all layers) or "selective": attention scores
            (arXiv:2205.05198) or, where flash leaves none, norms and activations.
        flash: attention that never writes its S x S scores (arXiv:2205.14135) and skips what a
            causal mask hides; without it every score is computed and travels through memory.
        capacity_factor: slots computed per assignment of a token to an expert, normalised by K;
            1 is dropless.
        dispatch: "sort" (permutation, bytes) or "one-hot" (GShard's products, FLOP).
        dispatch_group: tokens in a group of one-hot dispatch.
        imbalance: rows of the busiest chip's experts over the mean.
        expert_load: instead of imbalance, the shares of the experts, of which it follows.
        optimizer: "adafactor" or "adamw".
        weight_bytes: bytes a stored weight.
        gradient_bytes: bytes a stored gradient.
        stages_by_work: layers are laid on stages by work, the output head counted; else evenly.
        bucket_bytes: bytes a parameter of flat communication buffers beside stored gradients.
        activation_bytes: bytes an activation, and a weight as it is multiplied.
        loss_chunk: tokens whose logits stand in memory at once.
    """

    n_chips: Number = 1
    tp: Number = 1
    pp: Number = 1
    vp: Number = 1
    ep: Number = 1
    etp: Number = 1
    cp: Number = 1
    zero: Number = 0
    shard: Number | None = None
    sequence_parallel: bool | NDArray[Any] = True
    global_batch: Number = 1
    micro_batch: Number | None = None
    recompute: Choice = "none"
    flash: bool | NDArray[Any] = False
    capacity_factor: Number = 1.0
    dispatch: Choice = "sort"
    dispatch_group: Number = 1024
    imbalance: Number = 1.0
    expert_load: ExpertLoad | None = None
    optimizer: Choice = "adafactor"
    weight_bytes: Number = 4
    gradient_bytes: Number = 4
    bucket_bytes: Number = 0
    stages_by_work: bool | NDArray[Any] = False
    activation_bytes: Number = 4
    loss_chunk: Number = 1024

    def __post_init__(self) -> None:
        for name in (
            "n_chips",
            "tp",
            "pp",
            "vp",
            "ep",
            "etp",
            "cp",
            "global_batch",
            "capacity_factor",
            "imbalance",
        ):
            _require(np.asarray(getattr(self, name)) >= 1, name, "at least 1", getattr(self, name))
        _require(np.isin(self.zero, (0, 1, 2, 3)), "zero", "0, 1, 2 or 3", self.zero)
        for name, known in CHOICES.items():
            words = getattr(self, name)
            _require(np.isin(words, known), name, f"one of {', '.join(known)}", words)

    @property
    def dp(self) -> Number:
        """Data parallel degree: n_chips / (tp * pp * cp)."""
        return plain(self.n_chips / (np.asarray(self.tp) * self.pp * self.cp))

    @property
    def sharded(self) -> Number:
        """Chips over which ZeRO shards what is not an expert."""
        return self.dp if self.shard is None else plain(np.minimum(self.shard, self.dp))

    @property
    def expert_dp(self) -> Number:
        """Copies of an expert: tp * cp * dp / (ep * etp)."""
        group = np.asarray(self.tp) * self.cp * self.dp
        return plain(group / (np.asarray(self.ep) * self.etp))

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

    @property
    def busiest(self) -> Number:
        """Rows of the busiest chip's experts over the mean: as given, or of the experts' load."""
        if self.expert_load is None:
            return self.imbalance
        return self.expert_load.busiest_over_mean(self.ep)

    def execution(self) -> Execution:
        """What `energy.flops.executed_flop` has to know of this plan."""
        recompute, flash = np.asarray(self.recompute), np.asarray(self.flash, bool)
        one_hot = np.asarray(self.dispatch) == "one-hot"
        return Execution(
            expert_padding=self.capacity_factor,
            recompute_layers=plain(np.where(recompute == "full", 1.0, 0.0)),
            recompute_scores=plain(np.where((recompute == "selective") & ~flash, 1.0, 0.0)),
            one_hot_group=plain(np.where(one_hot, self.dispatch_group, 0)),
            score_multiplier=plain(np.where(flash, 3.5, 3.0)),
        )

    def require_possible(self, shape: Shape) -> None:
        """Raise InfeasibleError where degrees do not multiply to the chips or cut a model evenly.

        A batch that is no multiple of dp or of the micro-batch is possible: the last one is short.
        """
        for why, holds in self.conditions(shape).items():
            if not np.all(holds):
                raise InfeasibleError(f"expected {why}", self._degrees(), "choose other degrees")

    @property
    def recompute_pointwise(self) -> Number:
        """1 where the backward pass does norms and activations again."""
        again = (np.asarray(self.recompute) == "selective") & np.asarray(self.flash, bool)
        return plain(np.where(again | (np.asarray(self.recompute) == "full"), 1.0, 0.0))

    def conditions(self, shape: Shape) -> dict[str, NDArray[np.bool_]]:
        """What a possible plan fulfils, in words, and where these plans do."""
        dp, copies = np.asarray(self.dp), np.asarray(self.expert_dp)
        local = np.asarray(self.local_batch)
        found = {
            "n_chips to be a multiple of tp * pp * cp": (dp >= 1) & (dp == np.floor(dp)),
            "tp * cp * dp to be a multiple of ep * etp": (copies >= 1)
            & (copies == np.floor(copies)),
            "global_batch of at least dp sequences": local >= 1,
            "pp * vp of at most n_layers": np.asarray(self.pp) * self.vp <= shape.n_layers,
            "tp to divide n_heads": np.asarray(shape.n_heads) % self.tp == 0,
            "ep to divide n_experts": np.asarray(shape.n_experts) % self.ep == 0,
            "cp to divide seq_len": np.asarray(shape.seq_len) % self.cp == 0,
        }
        if self.micro_batch is not None:
            micro = np.asarray(self.micro_batch)
            found["micro_batch from 1 to the sequences of a data parallel rank"] = (micro >= 1) & (
                micro <= local
            )
        return found

    def _degrees(self) -> str:
        names = ("n_chips", "tp", "pp", "vp", "ep", "etp", "cp", "global_batch", "micro_batch")
        return ", ".join(
            f"{name} {getattr(self, name)}"
            for name in names
            if np.any(np.asarray(getattr(self, name) or 1) != 1)
        )


def taken(thing: Any, index: slice | NDArray[np.int64]) -> Any:
    """A plan, a shape or hardware with the chosen places of its arrays; numbers stay."""
    cut = {
        item.name: value[index]
        for item in fields(thing)
        if isinstance(value := getattr(thing, item.name), np.ndarray)
    }
    return replace(thing, **cut) if cut else thing


def one_of(plans: Plan, index: int) -> Plan:
    """A single plan of many."""
    values: dict[str, Any] = {}
    for item in fields(Plan):
        value = getattr(plans, item.name)
        values[item.name] = value[index].item() if isinstance(value, np.ndarray) else value
    return Plan(**values)


def _require(holds: Any, name: str, expectation: str, value: Any) -> None:
    if not np.all(holds):
        raise InputError(f"expected plan.{name} to be {expectation}", f"{value}")


def in_words(plan: Plan) -> str:
    """A plan's degrees as a person writes them: "tp 8, pp 4, dp 8, ZeRO 1, micro-batch 2"."""
    degrees = [
        f"{name} {getattr(plan, name):g}"
        for name in ("tp", "pp", "vp", "ep", "etp", "cp")
        if getattr(plan, name) != 1
    ]
    some = f" over {plan.sharded:g}" if plan.zero and plan.sharded < plan.dp else ""
    rest = (
        f"dp {plan.dp:g}",
        f"ZeRO {plan.zero:g}{some}",
        f"micro-batch {plan.sequences:g}",
        f"recompute {plan.recompute}",
    )
    return ", ".join([*degrees, *rest])


AXES = (
    "tp",
    "pp",
    "vp",
    "cp",
    "ep",
    "etp",
    "zero",
    "shard",
    "micro_batch",
    "recompute",
    "sequence_parallel",
)
