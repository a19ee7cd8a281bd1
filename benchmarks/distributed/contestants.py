"""The contestants of `benchmarks.distributed.scaling`, as one of its two processes.

All train on the same batches of tokens that are equally frequent, so that every router spreads them
evenly: with frequent tokens an untrained router sends nearly all rows of a layer to one process,
and who waits for it is a matter of luck. How even they are is measured.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from benchmarks.distributed.reference import PlainExperts
from benchmarks.distributed.worker import of_tokens, trainer_of
from benchmarks.simulator.local import MODELS
from energy.allocator import keep_freed_memory
from energy.shape import Shape
from glam.config import GlamConfig
from glam.data.corpus import TokenCorpus
from glam.distributed.degrees import Parallelism, Place, place, require_degrees
from glam.distributed.group import group_of
from glam.distributed.processes import Processes
from glam.distributed.ranks import Ranks
from glam.model.decoder import Glam
from glam.moe.layer import MixtureOfExperts
from glam.moe.router import Routing

Turn = Callable[[], object]

Contestant = tuple[nn.Module, Turn]
"""A model, and a step of its training."""

MODEL = next(model for model in MODELS if model.name == "moe-256x4-16e")

SEQUENCES = 16
"""Of a step, of all processes together."""

LEARNING_RATE = 1e-4


def main() -> None:
    """Time the contestants, as one of the processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=7)
    options = parser.parse_args()
    here, device = place() or Place(), torch.device("cpu")
    torch.set_num_threads(1)
    keep_freed_memory()
    with group_of(here, 300.0, device):
        contestants = contestants_of(here)
        seconds: dict[str, dict[str, list[float]]] = {}
        for turn in range(options.turns + 2):
            for name, by_ranks in contestants.items():
                for ranks, (_, step) in by_ranks.items():
                    elapsed_s = timed(step if here.rank < ranks else None)
                    if turn > 1:
                        seconds.setdefault(name, {}).setdefault(str(ranks), []).append(elapsed_s)
        busiest = {
            name: busiest_share(here, *each[here.ranks]) for name, each in contestants.items()
        }
        if here.rank == 0:
            tokens = SEQUENCES * MODEL.seq_len
            answer = {"seconds": seconds, "tokens": tokens, "busiest": busiest}
            print(json.dumps(answer), flush=True)


def timed(step: Turn | None) -> float:
    """Do a step, or wait; return its seconds, of the slowest process."""
    dist.barrier()
    begun = time.perf_counter()
    if step is not None:
        step()
    elapsed = torch.tensor(time.perf_counter() - begun if step else 0.0, dtype=torch.float64)
    dist.all_reduce(elapsed, dist.ReduceOp.MAX)
    return float(elapsed)


def busiest_share(here: Place, model: nn.Module, step: Turn) -> float | None:
    """Return the rows of the process with most of them in a layer over the mean; None if dense."""
    loads: list[torch.Tensor] = []

    def keep(_: object, __: object, output: tuple[object, Routing]) -> None:
        loads.append(output[1].load.detach().clone())

    layers = [module for module in model.modules() if isinstance(module, MixtureOfExperts)]
    hooks = [layer.register_forward_hook(keep) for layer in layers]
    step()
    for hook in hooks:
        hook.remove()
    if not loads:
        return None
    load = torch.stack(loads)
    dist.all_reduce(load)
    by_process = (load / here.ranks).view(len(loads), here.ranks, -1).sum(2)
    return float(by_process.max() * here.ranks)


def contestants_of(here: Place) -> dict[str, dict[int, Contestant]]:
    """Return model and step of each contestant, by the number of its processes."""
    mixture = GlamConfig(name="mixture", shape=Shape.from_dict(MODEL.shape())).with_training(
        optimizer="adamw",
        learning_rate=LEARNING_RATE,
        batch_sequences=SEQUENCES,
        steps=1000,
        log_every=1001,
        checkpoint_every=0,
        precision="float32",
        device="cpu",
    )
    # A token's two experts, without gates, have 4/3 of the FLOP of the twin's gated network.
    twin = replace(mixture.shape, n_moe_layers=0, n_experts=1, top_k=1, d_expert=0)
    dense = replace(mixture, name="dense", shape=twin)
    experts = Parallelism(expert=here.ranks)
    return {
        "glam train, experts shared out": ours(here, mixture, experts),
        "glam train, copies": ours(here, mixture, Parallelism()),
        "plain reference, experts shared out": plain(here, mixture),
        "glam train, dense twin": ours(here, dense, Parallelism()),
        "DistributedDataParallel, dense twin": plain(here, dense),
    }


def ours(here: Place, config: GlamConfig, parallelism: Parallelism) -> dict[int, Contestant]:
    """Return the trainer alone and on all processes."""
    degrees = require_degrees(parallelism, here.ranks, config)
    trainers = {
        1: trainer_of(config, Processes(), text(config)),
        here.ranks: trainer_of(config, Ranks(here, degrees, torch.device("cpu")), text(config)),
    }
    return {ranks: (trainer.model, trainer.step) for ranks, trainer in trainers.items()}


def text(config: GlamConfig) -> TokenCorpus:
    """Return tokens that are equally frequent."""
    vocab = int(config.shape.vocab_size)
    return of_tokens(np.random.default_rng(0).integers(0, vocab, 1_000_000), vocab)


def plain(here: Place, config: GlamConfig) -> dict[int, Contestant]:
    """Return training as torch's tutorials write it, alone and with DistributedDataParallel."""
    return {ranks: plain_step(here, config, ranks) for ranks in (1, here.ranks)}


def plain_step(here: Place, config: GlamConfig, ranks: int) -> Contestant:
    """Return the model with plain experts, and a step of it on its share of the batch."""
    torch.manual_seed(0)
    shape, model = config.shape, Glam.of(config)
    for layer in model.modules():
        for name, child in list(layer.named_children()):
            if isinstance(child, MixtureOfExperts):
                setattr(layer, name, PlainExperts(shape, ranks))
    shared_out = [name for name, _ in model.named_parameters() if ".expert_" in name]
    experts = [weight for name, weight in model.named_parameters() if name in shared_out]
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, fused=True)
    spread: nn.Module = model
    if ranks > 1:
        ignore = DistributedDataParallel._set_params_and_buffers_to_ignore_for_model
        ignore(model, shared_out)  # type: ignore[no-untyped-call]
        spread = DistributedDataParallel(model)
    corpus, length, done = text(config), int(shape.seq_len) + 1, itertools.count()

    def step() -> None:
        batch = corpus.batch(0, next(done), sequences=SEQUENCES, length=length)
        output = spread(torch.from_numpy(batch).chunk(ranks)[here.rank % ranks])
        (output.loss + 0.01 * output.auxiliary_loss).backward()
        if ranks > 1:
            for weight in experts:
                if weight.grad is not None:
                    weight.grad /= ranks
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        float(output.loss)

    return model, step


if __name__ == "__main__":
    main()
