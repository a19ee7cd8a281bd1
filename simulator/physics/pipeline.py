"""How many layers a pipeline stage has: the fullest one holds most and sets the pace.

Legend as in `energy.shape`; p stages of v chunks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from energy.shape import Number, Shape, parameters, total
from simulator.physics.plan import Plan

Array = NDArray[np.float64]


def fullest_and_last(shape: Shape, plan: Plan) -> tuple[Array, Array]:
    """Layers of the fullest stage, and of the last, which does the logits too.

    Laid evenly, a model of a layer or two less than fills its stages leaves them off the ends:
    30 layers on 8 stages are 4, and 3 on the first and last. Laid by work, the output head counts
    as the layers whose parameters it has (V*M), and a stage takes layers until its share of the
    sum is reached: 16 layers and a head of 4 layers' work on 2 stages are 10, and 6 with the head.
    """
    stages, n_layers = np.asarray(plan.pp, float), np.asarray(shape.n_layers, float)
    even = np.ceil(n_layers / (stages * plan.vp)) * plan.vp
    spare = even * stages - n_layers
    by_work = np.asarray(plan.stages_by_work, bool)
    if not np.any(by_work):
        return even, even - spare + np.floor(spare / 2)
    head = np.asarray(shape.vocab_size) * np.asarray(shape.d_model, float)
    inner = {name: count for name, count in parameters(shape).items() if name != "embedding"}
    work = n_layers + head * n_layers / np.asarray(total(inner))
    share = np.minimum(np.ceil(work / stages), n_layers)
    rest = np.maximum(n_layers - np.ceil(work * (stages - 1) / stages), 0)
    return (
        np.where(by_work, share, even),
        np.where(by_work, rest, even - spare + np.floor(spare / 2)),
    )


def first_share(shape: Shape, plan: Plan) -> Array:
    """Layers of the first stage, over those of the mean one."""
    mean = np.asarray(shape.n_layers, float) / np.asarray(plan.pp)
    first = np.where(np.asarray(plan.stages_by_work, bool), fullest_and_last(shape, plan)[0], mean)
    return np.asarray(first / mean)


def slowest_s(shape: Shape, plan: Plan, layer_s: Number, logits_s: Number) -> Number:
    """Seconds that the slowest stage needs for one micro-batch: the pace of all."""
    fullest, last = fullest_and_last(shape, plan)
    found: Array = np.maximum(fullest * layer_s, last * layer_s + logits_s)
    return found
