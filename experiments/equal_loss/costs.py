"""What a step costs: the trained models take steps in turns, in one process, under the meters.

The trainings follow each other for hours, and a shared machine is not the same at the end of them
as at their beginning. Losses do not know of that; seconds and joules do. So the cost of a step of
each variant is measured when all are trained: each takes a few steps on text of its own run, then
the next one does, and the median over the rounds counts.

    python -m experiments.equal_loss.costs FOLDER [--rounds 15] [--meter NAME]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import track

from energy.errors import InputError
from energy.files import write_text_atomic
from energy.guard import guard
from energy.tracking.tracker import Tracker
from experiments.equal_loss.plan import BATCH, SEQUENCE

if TYPE_CHECKING:
    from glam.checkpoints.checkpoint import Checkpoint

ROUNDS = 15
STEPS = 6
"""Steps of each variant in a round."""
SEED = 0
"""Of the runs whose models take the steps."""
FILE = "costs.json"

Turn = Callable[[], None]


def main() -> None:
    """Measure from the command line; the result is FOLDER/costs.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of the experiment, with its trained runs")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"turns of each ({ROUNDS})")
    parser.add_argument("--meter", action="append", help="a meter, as of glam train")
    options = parser.parse_args()
    guard(lambda: measure(options.folder, options.rounds, options.meter))


def measure(folder: Path, rounds: int, meters: list[str] | None) -> None:
    """Let the trained models of the first seed take steps in turns, and write what they cost.

    Args:
        folder: of the experiment.
        rounds: turns of each variant; a first one does not count.
        meters: names of meters; all that there are if left out.

    Raises:
        InputError: there is no trained run, or fewer than one round.
    """
    from energy.allocator import keep_freed_memory

    if rounds < 1:
        raise InputError("expected --rounds of at least 1", str(rounds))
    keep_freed_memory()
    turns = {
        path.parent.name.removesuffix(f"-seed{SEED}"): _turn(path)
        for path in sorted(folder.glob(f"*-seed{SEED}/run"))
    }
    if not turns:
        raise InputError(
            f"expected trained runs in {folder}", "none", "run make experiment to its end first"
        )
    out = folder / f"costs-{time.time_ns()}"  # a ledger of its own each time
    with Tracker(out, name="costs of steps in turns", meters=meters or "auto") as meter:
        for number in track(range(rounds + 1), "rounds", disable=not sys.stderr.isatty()):
            for variant, turn in turns.items():
                with meter.window(f"{variant} {number}"):
                    turn()
    windows = {window.name: window for window in meter.record().windows}
    costs = {
        variant: _cost([windows[f"{variant} {number}"] for number in range(1, rounds + 1)])
        for variant in turns
    }
    write_text_atomic(folder / FILE, json.dumps(costs) + "\n")


def _cost(windows: list[Any]) -> dict[str, float]:
    """Median joules and seconds of a token over the rounds of a variant, and their spread."""
    tokens = STEPS * BATCH * SEQUENCE
    joules = sorted(window.energy_j.numbers()[0] / tokens for window in windows)
    quarter = len(joules) // 4
    return {
        "energy_j": statistics.median(joules),
        "energy_j_quarter": joules[quarter],
        "energy_j_three_quarters": joules[-1 - quarter],
        "train_s": statistics.median(w.elapsed_s.numbers()[0] / tokens for w in windows),
        "rounds": len(joules),
    }


def _turn(run: Path) -> Turn:
    """STEPS training steps of the last model of a run, on batches of its own text."""
    import torch

    from glam.checkpoints.checkpoint import latest_checkpoint
    from glam.data.corpus import load_corpus
    from glam.model.decoder import Glam
    from glam.training.optimizer import build_optimizer, objective, update

    checkpoint: Checkpoint | None = latest_checkpoint(run / "checkpoints")
    if checkpoint is None:
        raise InputError(
            f"expected a trained run in {run}", "no checkpoint", "run make experiment to its end"
        )
    config, training = checkpoint.config, checkpoint.config.training
    model = Glam.of(config)
    optimizer = build_optimizer(model, training)
    checkpoint.restore(model, optimizer)
    corpus = load_corpus(config.corpus, int(config.shape.vocab_size))
    batches = [
        torch.from_numpy(corpus.batch(training.seed, index, sequences=BATCH, length=SEQUENCE + 1))
        for index in range(STEPS)
    ]

    def turn() -> None:
        for batch in batches:
            output = model(batch)
            torch.autograd.backward(objective(output, training))
            update(model, optimizer, training, checkpoint.step + 1, output.loss)

    return turn


if __name__ == "__main__":
    main()
