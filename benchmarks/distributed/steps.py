"""Seconds of a step of each layout, in turns, as one of the processes that torchrun starts.

    torchrun --nproc-per-node 2 -m benchmarks.distributed.steps --steps 3

The first process prints a line of JSON: seconds of each step by model and layout, of the slowest
process. A step is that of `glam train`, without its meters.
"""

from __future__ import annotations

import argparse
import json
import time
from contextlib import nullcontext

import torch
import torch.distributed as dist

from benchmarks.distributed.layouts import layouts
from benchmarks.distributed.worker import trainer_of
from benchmarks.simulator.local import MODELS, Model
from energy.allocator import keep_freed_memory
from energy.shape import Shape
from glam.config import GlamConfig
from glam.distributed.degrees import Parallelism, Place, place, require_degrees
from glam.distributed.group import group_of
from glam.distributed.processes import Processes
from glam.distributed.ranks import Ranks
from glam.training.trainer import Trainer

CHOSEN = ("dense-256x12", "moe-256x4-16e")
"""Of the models whose steps are predicted on one process (`benchmarks.simulator.local`)."""


def models() -> list[Model]:
    """Return the models of which steps are timed."""
    return [model for model in MODELS if model.name in CHOSEN]


def main() -> None:
    """Time the layouts, as one of the processes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=3)
    options = parser.parse_args()
    here, device = place(), torch.device("cpu")
    keep_freed_memory()
    several = here is not None and here.ranks > 1
    with group_of(here, 300.0, device) if several and here else nullcontext():
        own = here or Place()
        trainers = {
            f"{model.name}: {name}": build(model, own, parallelism)
            for model in models()
            for name, parallelism in layouts(own.ranks, mixture=model.experts > 1).items()
        }
        seconds: dict[str, list[float]] = {name: [] for name in trainers}
        for turn in range(options.steps + 1):
            for name, trainer in trainers.items():
                elapsed_s = timed(trainer, several=several)
                if turn:
                    seconds[name].append(elapsed_s)
        if own.rank == 0:
            print(json.dumps(seconds), flush=True)


def build(model: Model, here: Place, parallelism: Parallelism) -> Trainer:
    """Return a trainer of a model that is spread over the processes."""
    config = GlamConfig(name=model.name, shape=Shape.from_dict(model.shape())).with_training(
        batch_sequences=model.batch,
        steps=1000,
        log_every=1001,
        checkpoint_every=0,
        precision="float32",
        device="cpu",
    )
    if here.ranks == 1:
        return trainer_of(config, Processes())
    degrees = require_degrees(parallelism, here.ranks, config)
    return trainer_of(config, Ranks(here, degrees, torch.device("cpu")))


def timed(trainer: Trainer, *, several: bool) -> float:
    """Do a step; return its seconds, of the slowest process."""
    if several:
        dist.barrier()
    begun = time.perf_counter()
    trainer.step()
    elapsed = torch.tensor(time.perf_counter() - begun, dtype=torch.float64)
    if several:
        dist.all_reduce(elapsed, dist.ReduceOp.MAX)
    return float(elapsed)


if __name__ == "__main__":
    main()
