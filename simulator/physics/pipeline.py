"""Layers per pipeline stage: the fullest stage stores the most and sets the pace.

Legend as in `energy.shape`; p stages of v virtual stages.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from energy.shape import Number, Shape, parameters, total
from simulator.physics.plan import Plan

Array = NDArray[np.float64]


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
    even_last = even - spare + np.floor(spare / 2)
    by_work = np.asarray(plan.stages_by_work, bool)
    if not np.any(by_work):
        return even, even_last
    head = np.asarray(shape.vocab_size) * np.asarray(shape.d_model, float)
    inner = {name: count for name, count in parameters(shape).items() if name != "embedding"}
    work = n_layers + head * n_layers / np.asarray(total(inner))
    fullest = np.minimum(np.ceil(work / stages), n_layers)
    last = np.maximum(n_layers - np.ceil(work * (stages - 1) / stages), 0)
    return np.where(by_work, fullest, even), np.where(by_work, last, even_last)


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
