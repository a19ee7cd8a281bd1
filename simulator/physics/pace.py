"""How long a step takes, by part, and how long arithmetic, memory and links are at work in it.

In each of n_micro micro-batches a chip computes its share of the layers, exchanges messages with
other chips, and waits where a pipeline has no work for it; once a step it updates its weights:

step = n_micro * slowest stage + other stages / v + data parallel messages + optimizer

Messages overlap with computation up to a share of it and slow it down. On one device, where every
degree is one, the same sum has no messages and no waiting. A search of plans needs no more than
this; `simulator.physics.step` counts the work of a step besides.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from energy.shape import Number, Shape, plain, total
from simulator.physics.communication import Messages, messages
from simulator.physics.compute import layers
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.operations import Operation
from simulator.physics.pipeline import bubble_s, crossings, slowest_s
from simulator.physics.plan import Flag, Parallelism, Plan
from simulator.physics.traffic import trained_parameters
from simulator.physics.update import loss, optimizer

TENSORS_A_LAYER = 10
"""Weight tensors of a layer, each updated on its own: 4 of attention, 2 norms, bias, 3 of the
feed-forward network (or a router and two of the experts)."""

MUON_SHARE = 0.054
"""Time of Muon's orthogonalization over that of all else, from twins of a run: 5.0 and 5.8 % over
AdamW (Marin speedruns, TPU v5p). Its products alone, 30 M FLOP a parameter, take 1 %."""

LAYER_MESSAGES = ("tensor_parallel", "context_parallel", "expert_parallel")


@dataclass(frozen=True, kw_only=True)
class Pace:
    """The time of one optimizer step of one chip.

    Attributes:
        seconds: by part; their sum is the step time.
        compute_s: seconds that arithmetic alone would take at its rate.
        memory_s: seconds that memory alone would take.
        link_s: seconds that links alone would take.
    """

    seconds: dict[str, Number]
    compute_s: Number
    memory_s: Number
    link_s: Number

    @cached_property
    def step_s(self) -> Number:
        """Seconds of the step."""
        return total(self.seconds)

    @property
    def compute_busy(self) -> Number:
        """Share of the step in which arithmetic is at work."""
        return self._busy(self.compute_s)

    @property
    def memory_busy(self) -> Number:
        """Share of the step in which memory is at work, possibly at the same time as arithmetic."""
        return self._busy(self.memory_s)

    @property
    def link_busy(self) -> Number:
        """Share of the step in which links are at work, possibly at the same time as the rest."""
        return self._busy(self.link_s)

    def _busy(self, seconds: Number) -> Number:
        return plain(np.minimum(np.asarray(seconds) / self.step_s, 1))


Work = dict[str, tuple[list[Operation], Number]]
"""The operations of each part of a step, and how often a chip does them in a step."""


def work_of(shape: Shape, plan: Plan) -> Work:
    """The work of a step, part by part."""
    stages, micro = np.asarray(plan.pp, float), np.asarray(plan.n_micro, float)
    parts = layers(shape, plan) | {"logits": loss(shape, plan)}
    work: Work = {part: (operations, plain(micro / stages)) for part, operations in parts.items()}
    tensors = TENSORS_A_LAYER * shape.n_layers / stages
    work["optimizer"] = optimizer(_updated_parameters(shape, plan), plan, tensors), 1
    return work


def pace(
    shape: Shape, plan: Plan, hardware: Hardware, constants: Constants, work: Work | None = None
) -> Pace:
    """The time of one step of a model under a plan; arrays broadcast.

    Args:
        shape: sizes of the model.
        plan: a possible one (`Parallelism.require_possible`).
        hardware: of one chip.
        constants: of the machine and its software.
        work: of `work_of`, where it is known.
    """
    stages, micro = np.asarray(plan.pp, float), np.asarray(plan.n_micro, float)
    times = {
        part: _times(operations, count, hardware, constants)
        for part, (operations, count) in (work or work_of(shape, plan)).items()
    }
    layers = (t.seconds for part, t in times.items() if part not in ("logits", "optimizer"))
    layers_s = sum(layers) * stages / micro
    logits_s = times["logits"].seconds * stages / micro
    sent = messages(shape, plan, hardware, constants)
    exposed = _exposed(sent, plain(layers_s), plan, constants)
    seconds: dict[str, Number] = {
        part: t.seconds for part, t in times.items() if part != "optimizer"
    }
    for name in LAYER_MESSAGES:
        seconds[name] = exposed[name] * micro / stages
    seconds["data_parallel"] = exposed["data_parallel"]
    if not _none(exposed["sharding"]):
        seconds["data_parallel"] = exposed["sharding"] * micro + exposed["data_parallel"]
    per_micro = (
        layers_s
        + exposed["tensor_parallel"]
        + exposed["context_parallel"]
        + exposed["expert_parallel"]
    ) / stages + exposed["sharding"]
    seconds["pipeline"] = _pipeline(per_micro, logits_s, sent, shape, plan)
    if np.any(is_muon := np.asarray(plan.optimizer) == "muon"):
        orthogonal_s = np.where(is_muon, MUON_SHARE * np.asarray(sum(seconds.values())), 0)
        seconds["optimizer"] = plain(times["optimizer"].seconds + orthogonal_s)
    else:
        seconds["optimizer"] = times["optimizer"].seconds
    started_s = sum(t.calls for t in times.values()) * constants.host_s
    seconds["host"] = np.maximum(started_s - sum(seconds.values()), 0) + constants.step_s
    return Pace(
        seconds={
            name: plain(np.asarray(value) * constants.software) for name, value in seconds.items()
        },
        compute_s=plain(sum(t.compute_s for t in times.values())),
        memory_s=plain(sum(t.memory_s for t in times.values())),
        link_s=plain(_link_s(sent, plan)),
    )


@dataclass(frozen=True)
class _Times:
    """All operations of a part of the step together, on one chip."""

    seconds: Number
    compute_s: Number
    memory_s: Number
    calls: Number


def _times(
    operations: list[Operation], times: Number, hardware: Hardware, constants: Constants
) -> _Times:
    """All operations of a part, `times` over; no software takes a product past the roof."""
    sums: list[Number] = [0.0] * 4
    for operation in operations:
        count = np.asarray(operation.count, float) * times
        compute_s = operation.compute_seconds(hardware, constants)
        memory_s = operation.memory_seconds(hardware, constants)
        least_s = operation.least_seconds(hardware)
        seconds = memory_s if _none(compute_s) else np.maximum(compute_s, memory_s)
        seconds = seconds + operation.fixed_seconds(constants)
        if not _none(least_s):
            seconds = np.maximum(seconds, least_s / np.asarray(constants.software))
        for i, value in enumerate((seconds, compute_s, memory_s, operation.started(constants))):
            if not _none(value):
                sums[i] = sums[i] + count * value
    return _Times(*sums)


def _none(amount: Number) -> bool:
    """Whether there is nothing of something, for all plans: no array need be made of it."""
    return isinstance(amount, int | float) and not amount


def _exposed(
    sent: Messages, layers_s: Number, plan: Plan, constants: Constants
) -> dict[str, Number]:
    """Seconds that messages add: what does not overlap, and the slowing of what overlaps.

    Data parallel messages of a step overlap with the last micro-batch; those of ZeRO 3 with each.
    Messages of experts overlap as well as these where another micro-batch's work hides them, and
    tensor parallel ones where products are cut into parts that wait for a part of them.
    """
    stage_s = np.asarray(layers_s) / plan.pp

    def share(alone: Number, well: Flag) -> Number:
        """Share of the work that hides messages: of their kind, or that of data parallel ones."""
        if not np.any(well):
            return alone
        return plain(np.where(well, np.maximum(constants.overlap_dp, alone), alone))

    def added(message_s: Number, behind_s: Number, share: Number) -> Number:
        if _none(message_s):
            return 0.0
        hidden_s = np.minimum(message_s, np.asarray(behind_s) * share)
        return plain(message_s - hidden_s + hidden_s * constants.contention)

    return {
        "tensor_parallel": added(
            sent.tensor_s, layers_s, share(constants.overlap_tp, plan.tensor_overlap)
        ),
        "context_parallel": added(sent.context_s, layers_s, constants.overlap_dp),
        "expert_parallel": added(
            sent.expert_s, layers_s, share(constants.overlap_ep, plan.expert_overlap)
        ),
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
    if not np.any(stages > 1):
        return 0.0
    layer_s = plain(np.asarray(per_micro) * stages / np.asarray(shape.n_layers, float))
    mean = np.asarray(per_micro) + np.asarray(logits_s) / stages
    slowest = np.maximum(slowest_s(shape, plan, layer_s, logits_s), mean)
    waits = micro * (slowest - mean) + bubble_s(shape, plan, plain(mean), plain(slowest))
    return plain(np.where(stages > 1, waits + crossings(plan) * sent.pipeline_s, 0))


def _updated_parameters(shape: Shape, plan: Plan) -> Number:
    """Parameters whose state one chip updates: all of its own, or its shard of them."""
    experts, rest = trained_parameters(shape, plan)
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
