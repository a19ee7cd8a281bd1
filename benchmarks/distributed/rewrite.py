"""Reads checkpoints as so many processes do, and writes what each of them has got.

    torchrun --nproc-per-node 2 -m benchmarks.distributed.rewrite FROM TO [FROM TO ...] [--shard]

What is written must be what was read, bit by bit, however many processes wrote it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from energy.guard import guard
from glam.checkpoints.checkpoint import checkpoints, load_checkpoint
from glam.distributed.connect import connected
from glam.distributed.degrees import Parallelism
from glam.training.optimizer import build_optimizer


def main() -> None:
    """Read and write, as one of the processes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", type=Path, nargs="+", help="folder to read, folder to write")
    parser.add_argument("--expert-parallel", type=int, default=1)
    parser.add_argument("--shard", action="store_true")
    options = parser.parse_args()
    parallelism = Parallelism(expert=options.expert_parallel, shard=options.shard)
    pairs = list(zip(options.folders[::2], options.folders[1::2], strict=True))
    guard(lambda: rewrite(pairs, parallelism))


def rewrite(pairs: list[tuple[Path, Path]], parallelism: Parallelism) -> None:
    """Restore each newest checkpoint of a folder into a new model, and write that to another."""
    config = load_checkpoint(checkpoints(pairs[0][0])[-1]).config
    with connected(parallelism, config, pairs[0][1]) as processes:
        for source, target in pairs:
            saved = processes.latest_checkpoint(source)
            assert saved is not None, source
            # Other weights than those of any run, of which none may be left.
            other = config.with_training(seed=config.training.seed + 1)
            model = processes.build(other, torch.device("cpu"))
            optimizer = build_optimizer(
                processes.weights(model), config.training, processes.shards()
            )
            processes.restore(saved, model, optimizer)
            facts = {
                "trainer_state": saved.trainer_state,
                "validation_loss": saved.validation_loss,
            }
            target.mkdir(parents=True, exist_ok=True)
            processes.capture(saved.step, config, model, optimizer, **facts).write(target)


if __name__ == "__main__":
    main()
