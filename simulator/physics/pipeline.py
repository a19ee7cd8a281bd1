"""Pipeline stages: how full they are, how long they wait for each other, and for messages.

The fullest stage stores the most and sets the pace. Legend as in `energy.shape`; p stages of v
virtual stages; F, B and W the seconds of a micro-batch's forward pass, of the gradients of its
inputs and of those of its weights.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from energy.shape import Number, Shape, parameters, plain, total
from simulator.physics.plan import Plan

Array = NDArray[np.float64]

COPIES = {"dualpipe": 2}
"""Copies of the weights of a stage, where a schedule needs more than one."""


def bubble_s(shape: Shape, plan: Plan, mean_s: Number, slowest_s: Number) -> Array:
    """Seconds of a step in which a chip has no work, beside the pace of the slowest stage.

    A micro-batch passes all other stages once, while the slowest one waits:

    - 1F1B (arXiv:2104.04473) waits for all of it, interleaved for 1/v: 4 even stages, 3 of 1 s;
    - "zero-bubble" (ZB-H1, arXiv:2401.10241) fills a part with W: (F + B - W) of each stage;
    - "zero-bubble-v" (arXiv:2405.15362), in which chip i has stages i and 2p - 1 - i: F + B - 2 W;
    - "dualpipe" (arXiv:2412.19437, table 2), from both ends: (p/2 - 1) * (F + 2 B - W), as two
      micro-batches together take F + B + W.

    F, B and W are equal without recomputation; full recomputation adds a forward pass to B.

    >>> from energy.facts import catalog
    >>> four = Plan(n_chips=4, pp=4, global_batch=8, micro_batch=1)
    >>> float(bubble_s(catalog.model("gpt3-175b").shape, four, 1.0, 1.0))
    3.0

    Args:
        shape: of the model.
        plan: with its schedule.
        mean_s: of one micro-batch on the mean stage.
        slowest_s: on the slowest.
    """
    schedule, stages = np.asarray(plan.schedule), np.asarray(plan.pp, float)
    others = np.maximum(stages * np.asarray(mean_s) - slowest_s, 0) * np.where(stages > 1, 1, 0)
    waits: Array = np.asarray(others / plan.vp)
    if np.all(schedule == "1f1b"):
        return waits
    again = np.asarray(plan.flop_execution().recompute_layers)
    f, b, w = (part / (3 + again) for part in (1, 1 + again, 1))
    by_schedule = {
        "zero-bubble": (f + b - w) * others,
        "zero-bubble-v": np.maximum(f + b - 2 * w, 0) * others,
        "dualpipe": np.maximum(stages / 2 - 1, 0) * (f + 2 * b - w) * np.asarray(mean_s),
    }
    chosen = [schedule == name for name in by_schedule]
    return np.asarray(np.select(chosen, list(by_schedule.values()), waits), float)


def crossings(plan: Plan) -> Array:
    """Messages between stages, there and back, that a step waits for.

    In 1F1B one stage computes while its neighbor's message travels, but for (p - 1) / p of the
    micro-batches; filling and draining takes p - 2 more: 4 stages and 16 micro-batches wait for
    12 + 2. With more than one virtual stage on a chip messages hide behind another one's work,
    and only the first micro-batch waits, at each of p v - 1 borders.

    >>> float(crossings(Plan(n_chips=4, pp=4, global_batch=16, micro_batch=1)))
    14.0
    """
    stages, chunks = np.asarray(plan.pp, float), np.asarray(plan.vp, float)
    chunks = np.where(np.isin(plan.schedule, ("zero-bubble-v", "dualpipe")), 2, chunks)
    exposed = (stages - 1) / stages * np.asarray(plan.n_micro) + stages - 2
    return np.asarray(np.where(chunks > 1, stages * chunks - 1, np.maximum(exposed, 0)))


def in_flight(plan: Plan) -> Array:
    """Micro-batches whose activations the fullest stage stores: p, with v stages (p-1)/v more.

    DualPipe stores p + 1 (arXiv:2412.19437, table 2).

    >>> own = {"n_chips": 8, "pp": 8, "global_batch": 64, "micro_batch": 1}
    >>> [float(in_flight(Plan(**own, schedule=word))) for word in ("1f1b", "dualpipe")]
    [8.0, 9.0]
    """
    stages, chunks = np.asarray(plan.pp, float), np.asarray(plan.vp, float)
    deep = np.where(chunks > 1, 1 + (stages - 1) / (stages * chunks), 1)
    stored = stages * deep + np.where(np.asarray(plan.schedule) == "dualpipe", 1, 0)
    return np.asarray(np.minimum(stored, plan.n_micro))


def weight_copies(plan: Plan) -> Number:
    """Copies of its weights that a stage stores: 2 in DualPipe, which enters from both ends."""
    schedule = np.asarray(plan.schedule)
    return plain(sum(np.where(schedule == name, n - 1, 0) for name, n in COPIES.items()) + 1)


def fullest_and_last(shape: Shape, plan: Plan) -> tuple[Array, Array]:
    """Layers of the fullest stage, and of the last stage, which also computes the logits.

    Cut evenly, a model with a layer or two too few to fill its stages leaves them out at the ends:
    30 layers on 8 stages are 4 per stage, and 3 on the first and last. Cut by work, the output
    head counts as many layers as have its parameters (V*M), and a stage takes layers until it has
    its share of the sum: 16 layers and a head worth 4 layers on 2 stages are 10, and 6 with the
    head.
    """
    stages, n_layers = np.asarray(plan.pp, float), np.asarray(shape.n_layers, float)
    even = np.ceil(n_layers / (stages * plan.vp)) * plan.vp
    spare = even * stages - n_layers
    even_last = np.maximum(even - spare + np.floor(spare / 2), 0)
    by_work = np.asarray(plan.stages_by_work, bool)
    if not np.any(by_work):
        return even, even_last
    head = np.asarray(shape.vocab_size) * np.asarray(shape.d_model, float)
    inner = {name: count for name, count in parameters(shape).items() if name != "embedding"}
    work = n_layers + head * n_layers / np.asarray(total(inner))
    fullest = np.minimum(np.ceil(work / stages), n_layers)
    last = np.maximum(n_layers - np.ceil(work * (stages - 1) / stages), 0)
    return np.where(by_work, fullest, even), np.where(by_work, last, even_last)


def layers_by_stage(shape: Shape, plan: Plan) -> list[float]:
    """Layers of each stage of a single plan: the fullest, the last, and one with what is left.

    Cut evenly, that is the first: 30 layers on 8 stages are 3, 4, 4, 4, 4, 4, 4, 3. Where so few
    layers are left that this is none, each stage has the mean.

    >>> from dataclasses import replace
    >>> from energy.facts import catalog
    >>> thirty = replace(catalog.model("gpt3-175b").shape, n_layers=30)
    >>> layers_by_stage(thirty, Plan(n_chips=8, pp=8))
    [3.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 3.0]
    """
    stages, n_layers = int(plan.pp), float(shape.n_layers)
    if stages == 1:
        return [n_layers]
    fullest, last = (float(layers) for layers in fullest_and_last(shape, plan))
    left = n_layers - fullest * (stages - 2) - last
    if min(left, last) < 0 or left > fullest:
        return [n_layers / stages] * stages
    full = [fullest] * (stages - 2)
    return [*full, left, last] if plan.stages_by_work else [left, *full, last]


def first_share(shape: Shape, plan: Plan) -> Array:
    """Layers of the first stage, over those of the mean one."""
    mean = np.asarray(shape.n_layers, float) / np.asarray(plan.pp)
    first = np.where(np.asarray(plan.stages_by_work, bool), fullest_and_last(shape, plan)[0], mean)
    return np.asarray(first / mean)


def slowest_s(shape: Shape, plan: Plan, layer_s: Number, logits_s: Number) -> Number:
    """Seconds that the slowest stage takes for one micro-batch: the pace of all stages."""
    fullest, last = fullest_and_last(shape, plan)
    slowest: Array = np.maximum(fullest * layer_s, last * layer_s + logits_s)
    return slowest
