"""One predicted step over time, by stages of the pipeline: parts, messages and bubbles.

The schedule of the plan is played (`simulator.physics.schedule`) with the seconds of the parts of
the step, which a pass of a micro-batch has one after the other, all layers of a stage together. As
in `simulator.physics.pipeline.bubble_s`, a forward pass and the two halves of a backward pass take
equally long, and recomputation another forward pass. The time that a stage has no work, and the end
of a step that is not played as fast as it is predicted, is its bubble.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from simulator.physics.communication import messages
from simulator.physics.phases import COMMUNICATION, PHASE_OF, phase_watts, phases
from simulator.physics.pipeline import layers_by_stage
from simulator.physics.plan import Plan
from simulator.physics.schedule import (
    Operation,
    Orders,
    Played,
    one_forward_one_backward,
    orders_of,
    play,
)
from simulator.runs.estimate import Estimate

ONCE = ("data_parallel", "optimizer", "host")
"""Parts that a step has once, after its micro-batches; ZeRO 3 gathers weights in each of these."""

PASS = {"F": "forward", "B": "backward", "W": "backward, weights"}

Sizes = list[float]
"""Work of each stage over that of the mean one."""


class Stretch(NamedTuple):
    """Time of a stage that a part of the step takes.

    Attributes:
        part: of the step; "bubble" where there is no work, "pipeline" for a message of a stage.
        begin_s: from the begin of the step.
        end_s: from the begin of the step.
        watts: of one chip.
    """

    part: str
    begin_s: float
    end_s: float
    watts: float

    @property
    def is_message(self) -> bool:
        """Whether chips exchange messages in it, and nothing hides them."""
        return self.part in COMMUNICATION or self.part == "pipeline"


class Pass(NamedTuple):
    """A pass of a micro-batch through a stage: "forward 3"."""

    name: str
    begin_s: float
    end_s: float


@dataclass(frozen=True)
class Stage:
    """One stage over the step.

    Attributes:
        name: of the stage, with its layers.
        chips: that do the same at the same time.
        passes: of micro-batches, in order of time.
        stretches: contiguous, from 0 to the end of the step.
    """

    name: str
    chips: float
    passes: tuple[Pass, ...]
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True)
class Timeline:
    """A step over time.

    Attributes:
        step_s: seconds of it.
        stages: of the pipeline; one that stands for all where the schedule is not played.
        note: what the stages are.
    """

    step_s: float
    stages: tuple[Stage, ...]
    note: str


def timeline(estimate: Estimate) -> Timeline:
    """Lay the predicted step of an estimate out over time.

    The seconds of a stage's stretches add up to the predicted step, and the joules of all stages to
    those that are predicted of it.
    """
    plan, chips = estimate.plan, float(estimate.setup.chips)
    stages, layers = int(plan.pp), layers_by_stage(estimate.setup.shape, plan)
    work = _Work.of(estimate)
    even, cut = [1.0] * stages, [count * stages / sum(layers) for count in layers]
    orders = orders_of(str(plan.schedule), stages, work.chunks, work.micro)
    sent_s = _message_s(estimate)
    if orders is None:
        return _mean_stage(work, stages, chips, f"the order of {plan.schedule} is not played")
    longest_s = math.inf
    for sizes, message_s in ((cut, sent_s), (even, sent_s), (even, 0.0)):
        played = play(orders, work.of_sizes(sizes).seconds, message_s)
        if len(played) == sum(map(len, orders)):
            longest_s = max(each.end_s for each in played.values())
        if longest_s <= work.played_s * (1 + 1e-9):
            names = [
                f"stage {place + 1} of {stages}: {size * sum(layers) / stages:.4g} layers, "
                f"{chips / stages:,.0f} chips"
                for place, size in enumerate(sizes)
            ]
            note = f"played order of {plan.schedule}, {work.micro} micro-batches"
            return _laid_out(work.of_sizes(sizes), orders, played, names, chips / stages, note)
    longer = f"played, {work.micro} micro-batches take {longest_s / work.played_s - 1:.1%} longer"
    return _mean_stage(work, stages, chips, f"{longer} than predicted")


def _mean_stage(work: _Work, stages: int, chips: float, why: str) -> Timeline:
    """One stage that stands for all, with its bubble at the end."""
    orders = one_forward_one_backward(1, work.micro)
    alone = work.of_sizes([1.0], whole=True)
    name = f"mean of {stages} stages, {chips:,.0f} chips"
    note = f"{why}: the mean stage, its bubble at the end"
    return _laid_out(alone, orders, play(orders, alone.seconds), [name], chips, note)


@dataclass(frozen=True)
class _Work:
    """What the stages do in a step.

    Attributes:
        seconds_of: by part, of the mean chip.
        watts_of: of one chip, by phase.
        before: phases of reinforcement learning before the training: seconds and watts.
        shares: of a pass in the work of a micro-batch: F, B and W.
        micro: micro-batches.
        chunks: virtual stages of a chip.
        spread: whether data parallel messages come with each micro-batch.
        sizes: of the stages; the last one has the logits, unless one stands for all.
        whole: whether one stage stands for all.
    """

    seconds_of: Mapping[str, float]
    watts_of: Mapping[str, float]
    before: Mapping[str, tuple[float, float]]
    shares: Mapping[str, float]
    micro: int
    chunks: int
    spread: bool
    sizes: Sizes
    whole: bool = False

    @classmethod
    def of(cls, estimate: Estimate) -> _Work:
        """The work of an estimate, on stages without size."""
        plan, setup = estimate.plan, estimate.setup
        lasting = phases(estimate.step)
        known = not math.isnan(estimate.chip_w)
        watts = phase_watts(estimate.step, lasting, setup.hardware, setup.constants)
        stages = int(plan.pp)
        return cls(
            seconds_of={
                part: float(seconds) for part, seconds in estimate.step.seconds.items() if seconds
            },
            watts_of=watts if known else dict.fromkeys(lasting, math.nan),
            before={
                phase.name: (phase.seconds.numbers()[0], phase.chip_w) for phase in estimate.before
            },
            shares=_shares(plan),
            micro=int(plan.n_micro),
            chunks=int(plan.vp) if stages > 1 else 1,
            spread=int(plan.zero) == 3,
            sizes=[],
        )

    def of_sizes(self, sizes: Sizes, *, whole: bool = False) -> _Work:
        """The same on stages of these sizes."""
        fields = {**vars(self), "sizes": sizes, "whole": whole}
        return _Work(**(fields | {"chunks": 1} if whole else fields))

    @property
    def once(self) -> dict[str, float]:
        """Seconds of the parts after all micro-batches."""
        names = [name for name in ONCE if not (self.spread and name == "data_parallel")]
        return {name: self.seconds_of[name] for name in names if name in self.seconds_of}

    @property
    def before_s(self) -> float:
        """Seconds before the training."""
        return sum(seconds for seconds, _ in self.before.values())

    @property
    def played_s(self) -> float:
        """Seconds of the micro-batches, bubbles included."""
        return sum(self.seconds_of.values()) - sum(self.once.values())

    def parts(self, operation: Operation) -> dict[str, float]:
        """Seconds of the parts of a pass."""
        kind, _, stage = operation
        share = self.shares[kind] / self.micro / self.chunks
        size = self.sizes[stage % len(self.sizes)]
        parts = {
            part: seconds * share * (1.0 if part == "data_parallel" else size)
            for part, seconds in self.seconds_of.items()
            if part not in ("pipeline", "logits", *self.once)
        }
        if (self.whole or stage == len(self.sizes) * self.chunks - 1) and "logits" in (
            self.seconds_of
        ):
            all_s = self.seconds_of["logits"] * len(self.sizes)
            parts["logits"] = all_s * self.shares[kind] / self.micro
        return parts if kind == "F" else dict(reversed(parts.items()))

    def seconds(self, operation: Operation) -> float:
        """Seconds of a pass."""
        return sum(self.parts(operation).values())

    def watts(self, part: str) -> float:
        """Watts of one chip in a part."""
        return self.watts_of[PHASE_OF.get(part, "compute")]


def _shares(plan: Plan) -> dict[str, float]:
    """Shares of F, B and W in a micro-batch; W is in B, unless the schedule has it apart."""
    again = float(np.asarray(plan.flop_execution().recompute_layers))
    inputs, weights = float(plan.input_gradients), float(plan.weight_gradients)
    backward = {"B": inputs + weights + again}
    if plan.schedule == "zero-bubble":
        backward = {"B": inputs + again, "W": weights}
    shares = {"F": 1.0} | backward
    return {kind: share / sum(shares.values()) for kind, share in shares.items()}


def _message_s(estimate: Estimate) -> float:
    """Seconds of one message between stages, one way."""
    setup = estimate.setup
    sent = messages(setup.shape, estimate.plan, setup.hardware, setup.constants)
    return float(sent.pipeline_s) / 2 * float(np.asarray(setup.constants.software))


def _laid_out(
    work: _Work,
    orders: Orders,
    played: Mapping[Operation, Played],
    names: list[str],
    chips: float,
    note: str,
) -> Timeline:
    """The stages of a played schedule, with what comes before and after it."""
    stages = []
    for order, name in zip(orders, names, strict=True):
        passes = tuple(
            Pass(
                f"{PASS[operation[0]]} {operation[1] + 1}",
                work.before_s + played[operation].begin_s,
                work.before_s + played[operation].end_s,
            )
            for operation in order
        )
        stages.append(Stage(name, chips, passes, tuple(_stretches(work, order, played))))
    return Timeline(work.before_s + sum(work.seconds_of.values()), tuple(stages), note)


def _stretches(
    work: _Work, order: list[Operation], played: Mapping[Operation, Played]
) -> Iterator[Stretch]:
    """What a stage does, one thing after the other."""
    now_s = 0.0
    for name, (seconds, watts) in work.before.items():
        yield Stretch(name, now_s, now_s + seconds, watts)
        now_s += seconds
    for operation in order:
        own = played[operation]
        arrived_s = work.before_s + own.begin_s
        yield from _waiting(work, now_s, arrived_s - own.message_s, "bubble")
        yield from _waiting(work, max(now_s, arrived_s - own.message_s), arrived_s, "pipeline")
        now_s = arrived_s
        for part, seconds in work.parts(operation).items():
            yield Stretch(part, now_s, now_s + seconds, work.watts(part))
            now_s += seconds
    end_s = work.before_s + work.played_s
    yield from _waiting(work, now_s, end_s, "bubble")
    now_s = max(now_s, end_s)
    for part, seconds in work.once.items():
        yield Stretch(part, now_s, now_s + seconds, work.watts(part))
        now_s += seconds


def _waiting(work: _Work, begin_s: float, end_s: float, part: str) -> Iterator[Stretch]:
    """A stretch without work, if it is longer than what rounding leaves."""
    if end_s - begin_s > 1e-9 * work.played_s:
        yield Stretch(part, begin_s, end_s, work.watts("pipeline"))
