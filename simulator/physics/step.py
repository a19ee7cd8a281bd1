"""The time of one optimizer step, by part.

In each of n_micro micro-batches a chip computes its share of the layers, exchanges messages with
other chips, and waits where a pipeline has no work for it; once a step it updates its weights:

step = n_micro * slowest stage + other stages / v + data parallel messages + optimizer

Fitted constants say how long a part takes; its roof, the best product that the chip is known to do,
says how long it takes at least.

Messages overlap with computation up to a share of it and slow it down. On one device, where every
degree is one, the same sum has no messages and no waiting.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from energy.flops import model_flop
from energy.shape import Number, Shape, plain, total
from simulator.physics import compute
from simulator.physics.communication import Messages, messages
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.operations import Operation
from simulator.physics.pipeline import bubble_s, crossings, slowest_s
from simulator.physics.plan import Parallelism, Plan
from simulator.physics.traffic import stage_parameters

TENSORS_A_LAYER = 10
"""Weight tensors of a layer, each updated on its own: 4 of attention, 2 norms, bias, 3 of the
feed-forward network (or a router and two of the experts)."""

MUON_SHARE = 0.054
"""Time of Muon's orthogonalization over that of all else, from twins of a run: 5.0 and 5.8 % over
AdamW (Marin speedruns, TPU v5p). Its products alone, 30 M FLOP a parameter, take 1 %."""

LAYER_MESSAGES = ("tensor_parallel", "context_parallel", "expert_parallel")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One optimizer step of one chip.

    Attributes:
        seconds: by part; their sum is the step time.
        model_flop: 3 x forward of the step, all chips, by part; attention in full.
        executed_flop: of one chip, by part, with recomputation and padding.
        memory_bytes: moved through one chip's memory, by part.
        compute_s: seconds that arithmetic alone would take at its rate.
        memory_s: seconds that memory alone would take.
        link_s: seconds that links alone would take.
        relative: relative 80 % band of the step time (low, high).
        least_s: seconds of the parts that multiply at the chip's roof: no world is faster.
    """

    seconds: dict[str, Number]
    model_flop: dict[str, Number]
    executed_flop: dict[str, Number]
    memory_bytes: dict[str, Number]
    compute_s: Number
    memory_s: Number
    link_s: Number
    relative: tuple[float, float]
    least_s: dict[str, Number] = field(default_factory=dict)

    def at(self, index: int) -> Step:
        """The single step at one place of the arrays."""

        def single(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: single(part) for name, part in value.items()}
            return value[index].item() if isinstance(value, np.ndarray) else value

        return replace(self, **{name: single(value) for name, value in vars(self).items()})

    @property
    def step_s(self) -> Number:
        """Seconds of the step."""
        return total(self.seconds)

    def seconds_at(self, factor: Number) -> dict[str, Number]:
        """Seconds by part where steps take `factor` times as long, and no part passes its roof.

        A faster step saves of what each part takes beyond its least. A step of 10 s, 8 s of it
        products that take at least 6 s: at 0.8 there are 2 of 4 s left beside those 6 s, so 7 + 1
        s; at 0.5 nothing is left, 6 + 0 s.
        """
        least, step_s = total(self.least_s) if self.least_s else 0.0, np.asarray(self.step_s)
        spare = np.maximum(step_s - least, 1e-12 * step_s)
        kept = np.clip((step_s * factor - least) / spare, 0.0, 1.0)
        longer = np.maximum(factor, 1.0)
        at_least = {name: np.asarray(self.least_s.get(name, 0.0)) for name in self.seconds}
        return {
            name: plain((at_least[name] + (value - at_least[name]) * kept) * longer)
            for name, value in self.seconds.items()
        }

    @property
    def compute_busy(self) -> Number:
        """Share of the step in which arithmetic is at work."""
        return plain(np.minimum(np.asarray(self.compute_s) / self.step_s, 1))

    @property
    def memory_busy(self) -> Number:
        """Share of the step in which memory is at work, possibly at the same time as arithmetic."""
        return plain(np.minimum(np.asarray(self.memory_s) / self.step_s, 1))

    @property
    def link_busy(self) -> Number:
        """Share of the step in which links are at work, possibly at the same time as the rest."""
        return plain(np.minimum(np.asarray(self.link_s) / self.step_s, 1))


def step(shape: Shape, plan: Plan, hardware: Hardware, constants: Constants) -> Step:
    """Predict one step of a model under a plan; arrays broadcast.

    Args:
        shape: sizes of the model.
        plan: a possible one (`Parallelism.require_possible`).
        hardware: of one chip.
        constants: of the machine and its software.

    Returns:
        The step of the mean chip.
    """
    stages, micro = np.asarray(plan.pp, float), np.asarray(plan.n_micro, float)
    work = {
        part: _work(operations, plain(micro / stages), hardware, constants)
        for part, operations in (
            compute.layers(shape, plan) | {"logits": compute.loss(shape, plan)}
        ).items()
    }
    layers_s = sum(w.seconds for part, w in work.items() if part != "logits") * stages / micro
    logits_s = work["logits"].seconds * stages / micro
    sent = messages(shape, plan, hardware, constants)
    exposed = _exposed(sent, plain(layers_s), plan, constants)
    seconds: dict[str, Number] = {part: w.seconds for part, w in work.items()}
    for name in LAYER_MESSAGES:
        seconds[name] = exposed[name] * micro / stages
    seconds["data_parallel"] = exposed["sharding"] * micro + exposed["data_parallel"]
    per_micro = (
        layers_s
        + exposed["tensor_parallel"]
        + exposed["context_parallel"]
        + exposed["expert_parallel"]
    ) / stages + exposed["sharding"]
    seconds["pipeline"] = _pipeline(per_micro, logits_s, sent, shape, plan)
    updates = compute.optimizer(
        _updated_parameters(shape, plan), plan, TENSORS_A_LAYER * shape.n_layers / stages
    )
    work["optimizer"] = _work(updates, 1, hardware, constants)
    is_muon = np.asarray(plan.optimizer) == "muon"
    orthogonal_s = np.where(is_muon, MUON_SHARE * np.asarray(sum(seconds.values())), 0)
    seconds["optimizer"] = plain(work["optimizer"].seconds + orthogonal_s)
    started_s = sum(w.calls for w in work.values()) * constants.host_s
    seconds["host"] = np.maximum(started_s - sum(seconds.values()), 0) + constants.step_s
    seconds = {
        name: plain(np.asarray(value) * constants.software) for name, value in seconds.items()
    }
    return Step(
        seconds=seconds,
        model_flop=_model_flop(shape, plan),
        executed_flop={name: plain(w.flop) for name, w in work.items() if np.any(w.flop)},
        memory_bytes={name: plain(w.bytes) for name, w in work.items()},
        compute_s=plain(sum(w.compute_s for w in work.values())),
        memory_s=plain(sum(w.memory_s for w in work.values())),
        link_s=plain(_link_s(sent, plan)),
        relative=hardware.time_relative,
        least_s={name: plain(w.least_s) for name, w in work.items() if np.any(w.least_s)},
    )


@dataclass(frozen=True)
class _Work:
    """All operations of a part of the step together, on one chip."""

    seconds: Number
    compute_s: Number
    memory_s: Number
    flop: Number
    bytes: Number
    calls: Number
    least_s: Number


def _work(
    operations: list[Operation], times: Number, hardware: Hardware, constants: Constants
) -> _Work:
    """All operations of a part, `times` over; no software takes a product past the roof."""
    sums: list[Number] = [0.0] * 7
    for operation in operations:
        count = np.asarray(operation.count, float) * times
        compute_s = operation.compute_seconds(hardware, constants)
        memory_s = operation.memory_seconds(hardware, constants)
        least_s = operation.least_seconds(hardware)
        seconds = np.maximum(compute_s, memory_s) + operation.fixed_seconds(constants)
        seconds = np.maximum(seconds, least_s / np.asarray(constants.software))
        calls = operation.started(constants)
        for i, value in enumerate(
            (seconds, compute_s, memory_s, operation.flop, operation.bytes, calls, least_s)
        ):
            if isinstance(value, np.ndarray) or value:
                sums[i] = sums[i] + count * value
    return _Work(*sums)


def _exposed(
    sent: Messages, layers_s: Number, plan: Plan, constants: Constants
) -> dict[str, Number]:
    """Seconds that messages add: what does not overlap, and the slowing of what overlaps.

    Data parallel messages of a step overlap with the last micro-batch; those of ZeRO 3 with each.
    Messages of experts overlap as well as these where another micro-batch's work hides them.
    """
    stage_s = np.asarray(layers_s) / plan.pp
    expert_share = constants.overlap_ep
    if np.any(plan.expert_overlap):
        shares = np.maximum(constants.overlap_dp, constants.overlap_ep)
        expert_share = plain(np.where(plan.expert_overlap, shares, constants.overlap_ep))

    def added(message_s: Number, behind_s: Number, share: Number) -> Number:
        hidden_s = np.minimum(message_s, np.asarray(behind_s) * share)
        return plain(message_s - hidden_s + hidden_s * constants.contention)

    return {
        "tensor_parallel": added(sent.tensor_s, layers_s, constants.overlap_tp),
        "context_parallel": added(sent.context_s, layers_s, constants.overlap_dp),
        "expert_parallel": added(sent.expert_s, layers_s, expert_share),
        "sharding": added(sent.shard_s, stage_s, constants.overlap_dp),
        "data_parallel": added(sent.data_s, stage_s, constants.overlap_dp),
    }


def _pipeline(
    per_micro: Number, logits_s: Number, sent: Messages, shape: Shape, plan: Plan
) -> Number:
    """Seconds that a chip waits for other stages, and for the messages between them.

    The slowest stage sets the pace: the fullest one, or the last, with the logits.
    """
    stages, micro = np.asarray(plan.pp, float), np.asarray(plan.n_micro, float)
    layer_s = plain(np.asarray(per_micro) * stages / np.asarray(shape.n_layers, float))
    mean = np.asarray(per_micro) + np.asarray(logits_s) / stages
    slowest = np.maximum(slowest_s(shape, plan, layer_s, logits_s), mean)
    waits = micro * (slowest - mean) + bubble_s(shape, plan, plain(mean), plain(slowest))
    return plain(np.where(stages > 1, waits + crossings(plan) * sent.pipeline_s, 0))


def _updated_parameters(shape: Shape, plan: Parallelism) -> Number:
    """Parameters whose state one chip updates: all of its own, or its shard of them."""
    experts, rest = stage_parameters(shape, plan)
    sharded = np.asarray(plan.zero) > 0
    copies = np.minimum(plan.sharded, np.maximum(plan.expert_dp, 1))
    return plain(rest / np.where(sharded, plan.sharded, 1) + experts / np.where(sharded, copies, 1))


def _link_s(sent: Messages, plan: Parallelism) -> Number:
    """Seconds of a step in which a chip's links or its network are at work."""
    micro, stages = np.asarray(plan.n_micro), np.asarray(plan.pp)
    layers_s = np.asarray(sent.tensor_s) + sent.context_s + sent.expert_s
    return plain(
        micro * (layers_s / stages + sent.shard_s + np.asarray(sent.pipeline_s) * plan.vp)
        + sent.data_s
    )


def _model_flop(shape: Shape, plan: Parallelism) -> dict[str, Number]:
    tokens = np.asarray(plan.global_batch, float) * shape.seq_len
    return {name: plain(count * tokens) for name, count in model_flop(shape).items()}
