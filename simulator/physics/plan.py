"""The plan of a training step: how it is parallelized, executed and stored.

A plan has four parts: `Parallelism` shares the model and its batch out over chips, `Execution` says
how a step runs, `Formats` how numbers are stored, `Workload` what is trained, and on what. A
function asks for the part that it needs. Every number may be an array and every choice an array of
words, so one plan object can stand for a million plans. The defaults describe one device that
processes its whole batch at once.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from energy import flops
from energy.errors import InfeasibleError
from energy.shape import Number, Shape, plain
from simulator.physics.checks import Choice, require, require_at_least_1, require_word
from simulator.physics.expert_load import ExpertLoad
from simulator.physics.formats import Formats
from simulator.physics.recomputation import names_modules, recomputed, require_modules
from simulator.physics.workload import Workload

Flag: TypeAlias = bool | NDArray[Any]

DEGREES = ("tp", "pp", "vp", "ep", "etp", "cp")

SCHEDULES = ("1f1b", "zero-bubble", "zero-bubble-v", "dualpipe")

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
"""The fields of a plan that a search varies."""


@dataclass(frozen=True, kw_only=True)
class Parallelism:
    """How a model and its batch are shared out over chips.

    Attributes:
        n_chips: chips of the whole run.
        tp: tensor parallel degree.
        pp: pipeline parallel degree.
        vp: virtual stages per chip (interleaved pipeline).
        schedule: of the pipeline, as in `simulator.physics.pipeline.bubble_s`.
        ep: expert parallel degree, folded into tp * cp * dp (arXiv:2504.14960).
        etp: tensor parallel degree inside an expert.
        cp: context parallel degree.
        zero: ZeRO stage, 0 to 3: sharded optimizer state, gradients, weights.
        shard: chips over which ZeRO shards, dp or a part of it (hybrid sharding); None means dp.
        sequence_parallel: whether norms and residuals are shared out over tp (arXiv:2205.05198).
        global_batch: sequences of one optimizer step, over all chips.
        micro_batch: sequences of one forward and backward pass of one data parallel rank; None
            means all sequences of the rank.
    """

    n_chips: Number = 1
    tp: Number = 1
    pp: Number = 1
    vp: Number = 1
    schedule: Choice = "1f1b"
    ep: Number = 1
    etp: Number = 1
    cp: Number = 1
    zero: Number = 0
    shard: Number | None = None
    sequence_parallel: Flag = True
    global_batch: Number = 1
    micro_batch: Number | None = None

    def __post_init__(self) -> None:
        require_at_least_1(self, ("n_chips", *DEGREES, "global_batch"))
        require_word(self, "schedule", SCHEDULES)
        require(np.isin(self.zero, (0, 1, 2, 3)), "zero", "0, 1, 2 or 3", self.zero)

    @property
    def dp(self) -> Number:
        """Data parallel degree: n_chips / (tp * pp * cp)."""
        return plain(self.n_chips / (np.asarray(self.tp) * self.pp * self.cp))

    @property
    def sharded(self) -> Number:
        """Chips over which ZeRO shards everything but the experts."""
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

    def conditions(self, shape: Shape) -> dict[str, NDArray[np.bool_]]:
        """What a possible plan fulfills, in words, and where these plans do.

        A batch that is not a multiple of dp or of the micro-batch is possible: the last
        micro-batch is smaller.
        """
        dp, copies = np.asarray(self.dp), np.asarray(self.expert_dp)
        local = np.asarray(self.local_batch)
        fulfilled = {
            "n_chips to be a multiple of tp * pp * cp": (dp >= 1) & (dp == np.floor(dp)),
            "tp * cp * dp to be a multiple of ep * etp": (copies >= 1)
            & (copies == np.floor(copies)),
            "global_batch of at least dp sequences": local >= 1,
            "pp * vp of at most n_layers": np.asarray(self.pp) * self.vp <= shape.n_layers,
            "tp to divide n_heads": np.asarray(shape.n_heads) % self.tp == 0,
            "ep to divide n_experts": np.asarray(shape.n_experts) % self.ep == 0,
            "cp to divide seq_len": np.asarray(shape.seq_len) % self.cp == 0,
        }
        if np.any(np.asarray(self.schedule) != "1f1b"):
            own = np.asarray(self.schedule) == "1f1b"
            fulfilled["vp of 1 with another schedule than 1f1b"] = own | (np.asarray(self.vp) == 1)
            odd = (np.asarray(self.schedule) == "dualpipe") & (np.asarray(self.pp) % 2 > 0)
            fulfilled["an even pp for dualpipe"] = ~odd
        if self.micro_batch is not None:
            micro = np.asarray(self.micro_batch)
            within = (micro >= 1) & (micro <= local)
            fulfilled["micro_batch from 1 to the sequences of a data parallel rank"] = within
        return fulfilled

    def require_possible(self, shape: Shape) -> None:
        """Check `conditions`.

        Raises:
            InfeasibleError: the degrees do not multiply to the chips or do not divide the model.
        """
        for condition, fulfilled in self.conditions(shape).items():
            if not np.all(fulfilled):
                raise InfeasibleError(f"expected {condition}", self._degrees(), "change degrees")

    def _degrees(self) -> str:
        names = ("n_chips", *DEGREES, "global_batch", "micro_batch")
        return ", ".join(
            f"{name} {getattr(self, name)}"
            for name in names
            if np.any(np.asarray(getattr(self, name) or 1) != 1)
        )


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How the chips execute a step.

    Attributes:
        recompute: "none", "full" (all layers), "selective": attention scores (arXiv:2205.05198)
            or, where flash stores none, norms and activations; or modules, such as "norms,mlp".
        recompute_share: share of the layers that "full" recomputes: k of n layers are k / n.
        recompute_stops: whether recomputation ends at the last value that a gradient needs, as that
            of XLA and torch's own (non-reentrant) does; otherwise all of a layer is done again.
        flash: attention that never writes its S x S scores (arXiv:2205.14135) and skips what a
            causal mask hides; without it every score is computed and moves through memory.
        capacity_factor: slots computed per assignment of a token to an expert, normalized by K;
            1 is dropless.
        dispatch: "sort" (a permutation, costs bytes) or "one-hot" (GShard's products, cost FLOP).
        dispatch_group: tokens in a group of one-hot dispatch.
        expert_messages: "all-to-all", or "by-node": a token goes once to each node (DeepEP).
        expert_nodes: nodes of a token's experts, at most (arXiv:2412.19437, section 2.1.2: 4).
        expert_overlap: whether messages of experts hide behind another micro-batch's work.
        imbalance: rows of the busiest chip's experts over the mean.
        expert_load: shares of the experts, from which the imbalance is computed instead.
        stages_by_work: whether pipeline stages are cut by work, with the output head counted;
            otherwise every stage has as many layers.
        loss_chunk: tokens whose logits are in memory at the same time.
        tensor_overlap: whether tensor parallel messages hide as well as data parallel ones.
        gathers_again: whether the backward pass waits for another gather of sequence parallel
            inputs, as that of the TPU compiler does; otherwise it is hidden.
        loss_in_place: whether the gradient of the logits takes their place, as in a program of XLA.
        casts_weights: whether all wider weights of a chip have a narrow copy, as in a scan of XLA.
        gathered_layers: whole copies of a layer that ZeRO 3 has at a time: weights and gradients.
        fuses: whether products make what they read by element-wise work anew: XLA stores no such.
        shard_messages: in which ZeRO 3 gathers the weights of a stage; the latency of each counts.
    """

    recompute: Choice = "none"
    recompute_share: Number = 1.0
    recompute_stops: Flag = False
    flash: Flag = False
    capacity_factor: Number = 1.0
    dispatch: Choice = "sort"
    dispatch_group: Number = 1024
    expert_messages: Choice = "all-to-all"
    expert_nodes: Number = 1024
    expert_overlap: Flag = False
    imbalance: Number = 1.0
    expert_load: ExpertLoad | None = None
    stages_by_work: Flag = False
    loss_chunk: Number = 1024
    tensor_overlap: Flag = False
    gathers_again: Flag = False
    loss_in_place: Flag = False
    casts_weights: Flag = False
    gathered_layers: Number = 4
    fuses: Flag = False
    shard_messages: Number = 1

    def __post_init__(self) -> None:
        require_at_least_1(self, ("capacity_factor", "imbalance", "expert_nodes"))
        require_at_least_1(self, ("gathered_layers", "shard_messages"))
        share = (np.asarray(self.recompute_share) >= 0) & (np.asarray(self.recompute_share) <= 1)
        require(share, "recompute_share", "from 0 to 1", self.recompute_share)
        require_modules(self.recompute)
        require_word(self, "dispatch", ("sort", "one-hot"))
        require_word(self, "expert_messages", ("all-to-all", "by-node"))

    def flop_execution(self) -> flops.Execution:
        """What `energy.flops.executed_flop` needs to know of this execution."""
        flash = np.asarray(self.flash, bool)
        one_hot = np.asarray(self.dispatch) == "one-hot"
        full = np.where(np.asarray(self.recompute) == "full", self.recompute_share, 0.0)
        parts = {"attention_scores": self.recomputed("attention")}
        if np.any(names_modules(self.recompute)):
            mixtures = self.recomputed("experts")
            # Every second product: half of attention's weights (keys, output) and of a network's.
            second = np.maximum(0.5 * np.asarray(self.recomputed("second_products")), full)
            parts |= {
                "attention_projections": second,
                "up_projections": self.recomputed("up_projections"),
                "output_projection": self.recomputed("output_projection"),
                "dense_ffn": np.maximum(self.recomputed("mlp"), second),
                "experts": mixtures,
                "router": mixtures,
                "shared_experts": np.maximum(mixtures, self.recomputed("shared_experts")),
            }
        return flops.Execution(
            expert_padding=self.capacity_factor,
            recompute_layers=plain(full),
            recompute_stops=plain(np.where(np.asarray(self.recompute_stops, bool), 1.0, 0.0)),
            recompute_parts={
                name: plain(more)
                for name, share in parts.items()
                if np.any(more := np.asarray(share) - full)
            },
            one_hot_group=plain(np.where(one_hot, self.dispatch_group, 0)),
            score_multiplier=plain(np.where(flash, 3.5, 3.0)),
        )

    def recomputed(self, module: str) -> Number:
        """Share of the layers in which the backward pass computes a module again."""
        return recomputed(self.recompute, self.recompute_share, self.flash, module)


@dataclass(frozen=True, kw_only=True)
class Plan(Parallelism, Execution, Formats, Workload):
    """One step: its parallelism, execution and formats, and what it trains."""

    def __post_init__(self) -> None:
        for part in (Parallelism, Execution, Formats, Workload):
            part.__post_init__(self)

    def flop_execution(self) -> flops.Execution:
        """What `energy.flops.executed_flop` needs to know of this step, forward alone or not."""
        execution = super().flop_execution()
        if np.all(backward := np.asarray(self.input_gradients)):
            return execution
        times = np.where(backward > 0, execution.score_multiplier, 1.0)
        return replace(execution, score_multiplier=plain(times))

    @property
    def expert_imbalance(self) -> Number:
        """Rows of the busiest chip's experts over the mean, from `expert_load` where it is set."""
        if self.expert_load is None:
            return self.imbalance
        return self.expert_load.busiest_over_mean(self.ep)


def select(arrays: Any, index: slice | NDArray[np.int64]) -> Any:
    """A plan, a shape or hardware with the chosen places of its arrays; single values stay."""
    return _changed(
        arrays,
        {
            name: value[index]
            for name, value in vars(arrays).items()
            if isinstance(value, np.ndarray)
        },
    )


def plan_at(plans: Plan, index: int) -> Plan:
    """The single plan at one place of the arrays of `plans`."""
    single: Plan = _changed(
        plans,
        {
            name: value[index].item()
            for name, value in vars(plans).items()
            if isinstance(value, np.ndarray)
        },
    )
    return single


def with_columns(plan: Plan, columns: dict[str, Any]) -> Plan:
    """A plan with arrays of values that are known to be valid, as those of a space are."""
    plans: Plan = _changed(plan, columns)
    return plans


def _changed(original: Any, values: dict[str, Any]) -> Any:
    """A copy with other values of some fields, which are not checked again."""
    if not values:
        return original
    changed = copy(original)
    for name, value in values.items():
        object.__setattr__(changed, name, value)
    return changed


def in_words(plan: Plan) -> str:
    """A plan's degrees as an engineer writes them: "tp 8, pp 4, dp 8, ZeRO 1, micro-batch 2"."""
    degrees = [f"{name} {getattr(plan, name):g}" for name in DEGREES if getattr(plan, name) != 1]
    ranks = f" over {plan.sharded:g}" if plan.zero and plan.sharded < plan.dp else ""
    share = "" if plan.recompute_share == 1 else f" of {plan.recompute_share:.0%} of the layers"
    rest = (
        f"dp {plan.dp:g}",
        f"ZeRO {plan.zero:g}{ranks}",
        f"micro-batch {plan.sequences:g}",
        f"recompute {plan.recompute}{share}",
    )
    return ", ".join([*degrees, *rest])
