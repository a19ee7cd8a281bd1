"""What a checkpoint costs a training: written while it stands still, and beside it.

Each turn is so many steps of the benchmark's model (4 layers of 16 experts, AdamW: 28M weights,
336 MB a checkpoint) without a checkpoint, with one written in the loop at the first step, and with
one written beside. Turns are interleaved, and medians are told.

    python benchmarks/checkpoint.py [--steps 6] [--rounds 7] [--dir DIR] [--json]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.train_growth import BASE, TOKENS  # noqa: E402
from energy.console import guard, print_json  # noqa: E402

WAYS = ("none", "in the loop", "beside")


def measure(steps: int, rounds: int, folder: Path) -> dict[str, float]:
    """Seconds that the loop stands still, and that a turn takes longer, by the way of writing."""
    import torch

    from glam.checkpoint import Snapshot, checkpoints
    from glam.checkpoint_writer import CheckpointWriter
    from glam.config import GlamConfig, Training
    from glam.device import keep_freed_memory
    from glam.model import Glam
    from glam.optim import build_optimizer, update

    keep_freed_memory()
    training = Training(optimizer="adamw", learning_rate=1e-4, keep_checkpoints=1)
    config = GlamConfig(name="benchmark", shape=BASE, training=training)
    model = Glam(BASE)
    optimizer = build_optimizer(model, training)
    batch = (TOKENS // int(BASE.seq_len), int(BASE.seq_len) + 1)
    tokens = torch.randint(int(BASE.vocab_size), batch)
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        model(tokens).loss.backward()
        update(model, optimizer, training, step=1)

    def turn(writer: CheckpointWriter, save: Callable[[CheckpointWriter], object]) -> list[float]:
        begun = time.perf_counter()
        save(writer)
        still = time.perf_counter() - begun
        for _ in range(steps):
            step()
        writer.settle()
        return [still, time.perf_counter() - begun]

    def snapshot() -> Snapshot:
        return Snapshot.of(done, config, model, optimizer)

    saves: dict[str, Callable[[CheckpointWriter], object]] = {
        "none": lambda _: None,
        "in the loop": lambda _: snapshot().write(folder),
        "beside": lambda writer: writer.write(snapshot()),
    }
    found: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    with CheckpointWriter(folder) as writer:
        for _ in range(rounds + 1):
            for way in WAYS:
                found[way].append(turn(writer, saves[way]))
    middle = {way: [statistics.median(part) for part in zip(*turns[1:], strict=True)]
              for way, turns in found.items()}  # fmt: skip
    told = {"step_s": middle["none"][1] / steps,
            "checkpoint_mb": checkpoints(folder)[-1].stat().st_size / 1e6}  # fmt: skip
    for way in WAYS[1:]:
        told |= {f"{way}: stands still, s": middle[way][0],
                 f"{way}: costs in all, s": middle[way][1] - middle["none"][1]}  # fmt: skip
    return told


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=6, help="of a turn (6)")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each way (7)")
    parser.add_argument("--dir", type=Path, help="a disk to write to")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    chosen = parser.parse_args()
    guard(lambda: run(chosen))


def run(chosen: argparse.Namespace) -> None:
    """Measure in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(dir=chosen.dir) as folder:
        told = measure(chosen.steps, chosen.rounds, Path(folder))
    if chosen.json:
        print_json(told)
        return
    for name, value in told.items():
        print(f"{name:32}{value:10.2f}")


if __name__ == "__main__":
    main()
