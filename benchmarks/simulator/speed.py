"""Throughput of the simulator in configurations per second, and the peak memory of long sweeps.

A configuration is a model, a number of chips, a batch and a parallel plan; predicted for each are
the step time, the memory of a chip, and joules and grams of CO2e per token. A sweep goes from cell
to cell (a model on so many chips with such a batch, and all its plans), those of a model on a chip
together, so its memory is that of the largest of these. Each size runs as a process of its own on
all cores, and the time to enumerate the plans counts.

    python -m benchmarks.simulator.speed [--millions 1,3,10] [--write docs/results-simulator.md]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from itertools import cycle, product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pages import markdown_table, print_table, split_at_marks, write_between
from benchmarks.process import run_process
from energy.console import print_json
from energy.errors import InputError
from energy.guard import guard
from simulator.plans.evaluate import evaluate_all
from simulator.runs.costs import costs
from simulator.runs.setup import Setup
from simulator.scenarios.scenario import Scenario, check

MARK = "speed: benchmarks.simulator.speed"
MODELS = ("glam-64b-64e", "deepseek-v3", "mixtral-8x7b", "gpt3-175b", "llama3-70b")
CHIPS = ("tpu-v4", "h100-sxm5-80gb", "a100-sxm4-80gb")
COUNTS = (512, 1024, 1536, 2048, 3072, 4096)
BATCH_TOKENS = (4e6, 6e6, 8e6, 12e6, 16e6)
HEADS = ("configurations", "time", "per second", "share finding degrees", "peak memory")


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--millions", default="1,3,10", help="configurations, in millions (1,3,10)")
    parser.add_argument("--write", type=Path, help="page whose table is replaced")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--sweep", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sweep:
        print(json.dumps(sweep(options.sweep)))
        return
    guard(lambda: run(options.millions, options.write, as_json=options.json))


def run(millions: str, page: Path | None, *, as_json: bool) -> None:
    """Sweep each size as a process of its own, print the table, and write it into the page.

    Args:
        millions: sizes, separated by commas.
        page: file whose table is replaced; None writes nothing.
        as_json: print JSON in place of the table.

    Raises:
        InputError: a size is not a positive number, or the page has no place for the table.
    """
    if page:
        split_at_marks(page, MARK)
    sweeps = [measured_sweep(size) for size in sizes(millions)]
    rows = [cells(each) for each in sweeps]
    if page:
        write_between(page, MARK, markdown_table(HEADS, rows))
    if as_json:
        print_json({"sweeps": sweeps})
        return
    print_table(HEADS, rows)


def sizes(millions: str) -> list[int]:
    """Parse numbers of configurations, "1,3,10" in millions.

    Raises:
        InputError: one of them is not a positive number.
    """
    try:
        numbers = [round(float(word) * 1e6) for word in millions.split(",")]
    except ValueError:
        numbers = [0]
    if min(numbers) < 1:
        raise InputError("expected --millions as numbers above 0", millions, "such as 1,3,10")
    return numbers


def measured_sweep(size: int) -> dict[str, Any]:
    """Run a sweep as a process of its own, so that its peak memory is its own."""
    command = [sys.executable, "-m", "benchmarks.simulator.speed", "--sweep", str(size)]
    finished = run_process(command)
    return {**json.loads(finished.stdout), "peak_mb": finished.peak_bytes / 1e6}


def cells(sweep: dict[str, Any]) -> tuple[str, ...]:
    """The row of the table."""
    return (
        f"{sweep['configurations']:,}",
        f"{sweep['seconds']:.1f} s",
        f"{sweep['per_second']:,.0f}",
        f"{sweep['degrees_share']:.0%}",
        f"{sweep['peak_mb']:,.0f} MB",
    )


def sweep(size: int) -> dict[str, float]:
    """Evaluate at least so many configurations, and keep the least of each measure.

    Returns:
        configurations checked against the memory (those that fit are predicted as well), seconds,
        configurations per second, share of the time that finding possible degrees took, and the
        least step time.
    """
    least, done, degrees_s, began = np.full(4, np.inf), 0, 0.0, time.perf_counter()
    for together in cells_together():
        if done >= size:
            break
        setups = [Setup.of(scenario) for scenario in together]
        started = time.perf_counter()
        spaces = [setup.space() for setup in setups]
        degrees_s += time.perf_counter() - started
        first = setups[0]
        evaluations = evaluate_all(first.shape, spaces, first.hardware, first.constants)
        for setup, evaluation in zip(setups, evaluations, strict=True):
            done += evaluation.considered
            if len(evaluation):
                taken = costs(setup, evaluation)
                measures = (evaluation.step_s, evaluation.needs_bytes, taken.energy_j, taken.co2_g)
                least = np.minimum(least, [np.min(measure) for measure in measures])
    elapsed_s = time.perf_counter() - began
    return {
        "configurations": done,
        "seconds": elapsed_s,
        "per_second": done / elapsed_s,
        "degrees_share": degrees_s / elapsed_s,
        "least_seconds": float(least[0]),
    }


def cells_together() -> Iterator[list[Scenario]]:
    """Models on chips, endlessly: from the second time around, everything is predicted again."""
    for model, chip in cycle(product(MODELS, CHIPS)):
        yield [
            check(scenario_of(model, chip, count, batch), model)
            for count, batch in product(COUNTS, BATCH_TOKENS)
        ]


def scenario_of(model: str, chip: str, count: int, batch: float) -> dict[str, Any]:
    """The table of a model on some chips, with the tokens of a batch."""
    return {
        "name": model,
        "model": {"preset": model},
        "run": {"tokens": 300e9, "batch_tokens": batch},
        "hardware": {"chip": chip, "count": count},
        "site": {"zone": "US"},
    }


if __name__ == "__main__":
    main()
