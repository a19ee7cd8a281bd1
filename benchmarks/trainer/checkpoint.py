"""How long a checkpoint halts training, written before the next step or in the background.

Turns of equal numbers of steps: without a checkpoint, with one that is written before the next
step, and with one that is written in the background of the next steps. Each round has a turn of
each; medians over the rounds. At last, what writing alone takes: seconds, and how far the resident
memory rises above that with the copy that is written.

    python -m benchmarks.trainer.checkpoint [--model NAME] [--steps 8] [--rounds 15] [--json]
"""

from __future__ import annotations

import argparse
import ctypes
import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from energy.allocator import keep_freed_memory
from energy.console import print_json
from energy.guard import guard
from glam.checkpoints.checkpoint import Checkpoint, checkpoints
from glam.checkpoints.writer import CheckpointWriter
from glam.config import GlamConfig
from glam.device import choose_device, synchronizer
from glam.model.decoder import Glam
from glam.precision import choose_precision
from glam.training.optimizer import build_optimizer, update

NONE, BLOCKING, BACKGROUND = "none", "blocking", "background"
WAYS = (NONE, BLOCKING, BACKGROUND)


@dataclass
class Trainer:
    """A model that trains on random tokens.

    Attributes:
        config: model and recipe.
        folder: where its checkpoints go.
    """

    config: GlamConfig
    folder: Path

    def __post_init__(self) -> None:
        training, shape = self.config.training, self.config.shape
        self.device = choose_device(training.device)
        precision = choose_precision(training.precision, self.device)
        self.model = Glam.of(self.config.with_training(precision=precision)).to(self.device)
        self.optimizer = build_optimizer(self.model, training)
        size = (training.batch_sequences, int(shape.seq_len) + 1)
        self.tokens = torch.randint(int(shape.vocab_size), size, device=self.device)
        self.wait: Callable[[], None] = synchronizer(self.device) or (lambda: None)
        self.saved = 0

    def step(self) -> None:
        """One forward and backward pass and one update."""
        output = self.model(self.tokens)
        output.loss.backward()
        update(self.model, self.optimizer, self.config.training, 1, output.loss)

    def turn(self, way: str, steps: int) -> dict[str, float]:
        """Write a checkpoint in one of WAYS, then train.

        Args:
            way: how the checkpoint is written.
            steps: after it.

        Returns:
            halt_s: seconds before the first step could begin; whole_s: of the turn, until the
            checkpoint is on disk.
        """
        with CheckpointWriter(self.folder) as writer:
            self.wait()
            begin = time.perf_counter()
            if way != NONE:
                self.saved += 1
                checkpoint = Checkpoint.capture(self.saved, self.config, self.model, self.optimizer)
                if way == BACKGROUND:
                    writer.write(checkpoint)
                else:
                    checkpoint.write(self.folder)
            halt_s = time.perf_counter() - begin
            for _ in range(steps):
                self.step()
            self.wait()
        return {"halt_s": halt_s, "whole_s": time.perf_counter() - begin}

    def alone(self) -> dict[str, float]:
        """Return seconds and rise of memory of a write without training beside it."""
        self.saved += 1
        checkpoint = Checkpoint.capture(self.saved, self.config, self.model, self.optimizer)
        ctypes.CDLL(None).malloc_trim(0)  # so that freed memory cannot serve the write unseen
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before, begin = resident_mb("VmRSS"), time.perf_counter()
        checkpoint.write(self.folder)
        seconds = time.perf_counter() - begin
        return {"write_s": seconds, "rise_mb": resident_mb("VmHWM") - before}


def resident_mb(name: str) -> float:
    """Resident memory of this process on Linux, now (VmRSS) or at its peak (VmHWM)."""
    status = Path("/proc/self/status").read_text()
    (kib,) = re.findall(rf"{name}:\s+(\d+) kB", status)
    return int(kib) * 1024 / 1e6


def measure(config: GlamConfig, steps: int, rounds: int) -> dict[str, Any]:
    """Median seconds by way of checkpointing.

    Args:
        config: of the model.
        steps: in each turn.
        rounds: turns of each way.
    """
    with tempfile.TemporaryDirectory(dir=".", prefix="checkpoint-") as folder:
        trainer = Trainer(config, Path(folder))
        for way in WAYS:
            trainer.turn(way, steps)
        turns = [{way: trainer.turn(way, steps) for way in WAYS} for _ in range(rounds)]
        alone = [trainer.alone() for _ in range(rounds)]
        newest = checkpoints(Path(folder))[-1]
        size = sum(path.stat().st_size for path in newest.iterdir())
    ways = {
        way: {key: statistics.median(turn[way][key] for turn in turns) for key in turns[0][way]}
        for way in WAYS
    }
    for way in WAYS:
        ways[way]["extra_s"] = statistics.median(
            turn[way]["whole_s"] - turn[NONE]["whole_s"] for turn in turns
        )
    return {
        "model": config.name,
        "optimizer": config.training.optimizer,
        "mb": size / 1e6,
        **{key: statistics.median(turn[key] for turn in alone) for key in alone[0]},
        "device": str(trainer.device),
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "steps": steps,
        "rounds": rounds,
        "ways": ways,
    }


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="glam-mini-16e", help="name of a size, or a TOML file")
    parser.add_argument("--steps", type=int, default=8, help="steps of a turn (8)")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each way (15)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    keep_freed_memory()
    results = measure(GlamConfig.of(options.model), options.steps, options.rounds)
    if options.json:
        print_json(results)
        return
    print(
        "{model}, {optimizer}, {mb:.0f} MB, {device}, {cores} cores, {threads} threads; "
        "medians of {rounds} turns of {steps} steps".format(**results)
    )
    for way, row in results["ways"].items():
        print(
            f"{way:10}  training halts {row['halt_s'] * 1e3:6.1f} ms, whole turn"
            f" {row['whole_s'] * 1e3:8.1f} ms, {row['extra_s'] * 1e3:+7.1f} ms"
        )
    print("alone       {write_s:.3f} s, memory rises by {rise_mb:.1f} MB".format(**results))


if __name__ == "__main__":
    guard(main)
