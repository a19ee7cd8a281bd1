"""The loss after equal steps in float32 and in bfloat16, paired by seed.

Both formats of a pair have the same first weights and batches. Routing is sensitive to rounding,
so the losses of two runs differ by chance too; the mean difference over seeds is what counts.

    python -m benchmarks.trainer.losses [--model NAME] [--steps 150] [--seeds 3] [--json]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.gate import Gate
from benchmarks.pages import print_table
from energy.console import print_json
from energy.guard import guard
from energy.record import RunRecord
from glam.config import GlamConfig
from glam.training.run import train

FORMATS = ("float32", "bfloat16")
MOST_DIFFERENCE = 0.01
"""In nats per token, of the validation losses, averaged over seeds."""


def measure(config: GlamConfig, seeds: int) -> list[dict[str, float]]:
    """Validation loss of each format, a row for each seed.

    Args:
        config: model and recipe; steps are those of each run.
        seeds: number of pairs.
    """
    rows = []
    for seed in range(seeds):
        row: dict[str, float] = {"seed": seed}
        for name in FORMATS:
            print(f"seed {seed}, {name}", file=sys.stderr, flush=True)
            run = config.with_training(seed=seed, precision=name, checkpoint_every=0)
            with tempfile.TemporaryDirectory() as folder:
                record: RunRecord = train(run, Path(folder) / "run", peak_flop_per_s=1e12)
            row[name] = record.metrics["validation_loss"].numbers()[0]
        rows.append(row)
    return rows


def gate(rows: list[dict[str, float]]) -> Gate:
    """The mean difference of the losses, as a limit of its size."""
    mean = abs(statistics.fmean(difference(row) for row in rows))
    name = "loss in bfloat16 less that in float32, mean over seeds, size"
    return Gate(name, mean, MOST_DIFFERENCE, rows=len(rows), form="ratio")


def difference(row: Mapping[str, float]) -> float:
    """Loss in bfloat16 less that in float32."""
    return row["bfloat16"] - row["float32"]


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="glam-mini-16e", help="name of a size, or a TOML file")
    parser.add_argument("--steps", type=int, default=150, help="of each run (150)")
    parser.add_argument("--seeds", type=int, default=3, help="number of pairs (3)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    config = GlamConfig.of(options.model).with_training(steps=options.steps)
    rows = measure(config, options.seeds)
    verdict = gate(rows)
    if options.json:
        results: dict[str, Any] = {"model": config.name, "steps": options.steps, "rows": rows}
        print_json(results | {"gates": [verdict.as_json()]})
        return
    print_table(
        ("seed", *FORMATS, "difference"),
        (
            (
                f"{row['seed']:.0f}",
                *(f"{row[name]:.4f}" for name in FORMATS),
                f"{difference(row):+.4f}",
            )
            for row in rows
        ),
    )
    print(f"{verdict.name}: {verdict.value:.4f}, {verdict.target('{:.2f}'.format)}")


if __name__ == "__main__":
    guard(main)
