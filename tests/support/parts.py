"""As one of several processes: the parts of a model that it draws, beside the model of one.

    torchrun --nproc-per-node 2 -m tests.support.parts

The second process prints a line of JSON: by initial weights and layout, whether the parts have the
bits of one process, and bytes: of its parts, of the whole model, of the largest weight, and how
many were allocated at once.
"""

from __future__ import annotations

import gc
import json
from dataclasses import replace
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.distributed.layouts import layouts
from benchmarks.distributed.worker import SHAPES
from glam.config import GlamConfig
from glam.distributed.degrees import Parallelism, Place, place, require_degrees
from glam.distributed.group import group_of
from glam.distributed.ranks import Ranks
from glam.distributed.saved import own_part
from glam.family import default_architecture
from glam.model.decoder import Glam

CPU = torch.device("cpu")
MODELS = {
    "mixture": replace(SHAPES["mixture"], n_layers=16, n_moe_layers=8),
    "two experts": SHAPES["two experts"],
}


def drawn(here: Place, config: GlamConfig, parallelism: Parallelism) -> dict[str, Any]:
    """What a process has drawn in a layout."""
    degrees = require_degrees(parallelism, here.ranks, config)
    processes = Ranks(here, degrees, CPU)
    gc.collect()  # what is freed of a model before this one would count as negative bytes
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        model = processes.build(config, CPU)
    now = most = 0
    for event in sorted(profiler.profiler.kineto_results.events(), key=lambda e: e.start_ns()):
        if event.name() == "[memory]":
            now += event.nbytes()
            most = max(most, now)
    whole = dict(Glam.of(config).named_parameters())
    weights = list(processes.weights(model))
    return {
        "equal": all(w.own.equal(own_part(whole[w.name], w)) for w in weights),
        "most": most,
        "own": sum(w.own.nbytes for w in weights),
        "stated": 4 * processes.parameters(config.shape),
        "whole": sum(w.nbytes for w in whole.values()),
        "largest": max(w.nbytes for w in whole.values()),
    }


if __name__ == "__main__":
    own = place() or Place()
    rows = {}
    with group_of(own, 300.0, CPU):
        for name, shape in MODELS.items():
            for initial in ("gshard", "gpt2"):
                how = replace(default_architecture(shape), initial_weights=initial)
                config = GlamConfig(name=name, shape=shape, architecture=how)
                config = config.with_training(batch_sequences=4, seed=3)
                for layout, parallelism in layouts(own.ranks, mixture=True).items():
                    if layout == "expert" and own.ranks > int(shape.n_experts):
                        continue
                    rows[f"{name}, {initial}, {layout}"] = drawn(own, config, parallelism)
    if own.rank == 1:
        print(json.dumps(rows))
