"""How long training stands still for a checkpoint, written in its place or beside the steps.

Turns of equal steps: without a checkpoint, with one that is written before the next step, with one
that is written beside the next steps. Each round has a turn of each; medians over rounds.

    python -m benchmarks.trainer.checkpoint [--model NAME] [--steps 8] [--rounds 15] [--json]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from energy.console import guard, print_json
from glam.checkpoints.checkpoint import Checkpoint, checkpoints
from glam.checkpoints.writer import CheckpointWriter
from glam.config import GlamConfig
from glam.device import choose_device, keep_freed_memory, precision, synchronise
from glam.model.decoder import Glam
from glam.training.optimizer import build_optimizer, update

WAYS = ("none", "in its place", "beside")


@dataclass
class Trainer:
    """A model that trains on tokens drawn at random."""

    config: GlamConfig
    folder: Path

    def __post_init__(self) -> None:
        training, shape = self.config.training, self.config.shape
        self.device = choose_device(training.device)
        self.model = Glam(shape, training.seed, self.config.dispatch).to(self.device)
        self.optimizer = build_optimizer(self.model, training)
        size = (training.batch_sequences, int(shape.seq_len) + 1)
        self.tokens = torch.randint(int(shape.vocab_size), size, device=self.device)
        self.wait: Callable[[], None] = synchronise(self.device) or (lambda: None)
        self.saved = 0

    def step(self) -> None:
        """One pass and one update."""
        with precision(self.device):
            output = self.model(self.tokens)
        output.loss.backward()
        update(self.model, self.optimizer, self.config.training, 1, output.loss)

    def turn(self, way: str, steps: int) -> dict[str, float]:
        """Seconds of some steps with a checkpoint on disk at their end, and of the stand-still."""
        with CheckpointWriter(self.folder) as writer:
            self.wait()
            begun = time.perf_counter()
            if way != "none":
                self.saved += 1
                checkpoint = Checkpoint.of(self.saved, self.config, self.model, self.optimizer)
                if way == "beside":
                    writer.write(checkpoint)
                else:
                    checkpoint.write(self.folder)
            still_s = time.perf_counter() - begun
            for _ in range(steps):
                self.step()
            self.wait()
        return {"still_s": still_s, "whole_s": time.perf_counter() - begun}


def measure(config: GlamConfig, steps: int, rounds: int) -> dict[str, object]:
    """Medians by way of checkpointing."""
    with tempfile.TemporaryDirectory(dir=".", prefix="checkpoint-") as place:
        trainer = Trainer(config, Path(place))
        for way in WAYS:
            trainer.turn(way, steps)
        turns = [{way: trainer.turn(way, steps) for way in WAYS} for _ in range(rounds)]
        size = checkpoints(Path(place))[-1].stat().st_size
    ways = {
        way: {key: statistics.median(turn[way][key] for turn in turns) for key in turns[0][way]}
        for way in WAYS
    }
    for way in WAYS:
        ways[way]["more_s"] = statistics.median(
            turn[way]["whole_s"] - turn["none"]["whole_s"] for turn in turns
        )
    return {
        "model": config.name,
        "optimizer": config.training.optimizer,
        "mb": size / 1e6,
        "device": str(trainer.device),
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "steps": steps,
        "rounds": rounds,
        "ways": ways,
    }


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="glam-mini-16e", help="a size or a TOML file")
    parser.add_argument("--steps", type=int, default=8, help="of a turn")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    asked = parser.parse_args()
    keep_freed_memory()
    found = measure(GlamConfig.of(asked.model), asked.steps, asked.rounds)
    if asked.json:
        print_json(found)
        return
    print(
        f"{found['model']}, {found['optimizer']}, {found['mb']:.0f} MB, {found['device']},"
        f" {found['cores']} cores, {found['threads']} threads; medians of {asked.rounds} turns"
        f" of {asked.steps} steps"
    )
    for way, row in found["ways"].items():
        print(
            f"{way:12}  stands still {row['still_s'] * 1e3:6.1f} ms, whole turn"
            f" {row['whole_s'] * 1e3:8.1f} ms, {row['more_s'] * 1e3:+7.1f} ms"
        )


if __name__ == "__main__":
    guard(main)
