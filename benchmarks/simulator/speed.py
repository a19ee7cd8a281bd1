"""Configurations a second of the simulator, and the memory that a sweep of millions takes.

A configuration is a model, a number of chips, a batch and a plan; of each come seconds of a step,
bytes of a chip, joules and grams of CO2e a token. A sweep goes on from cell to cell (a model on so
many chips with such a batch, and all its plans), so that memory is that of the largest cell. Each
size runs in a process of its own on all cores, and making the plans is counted too.

    python -m benchmarks.simulator.speed [--millions 1,3,10] [--write docs/results-simulator.md]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import cycle, product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pages import markdown_table, print_table, write_between
from energy.console import guard, print_json
from energy.errors import InputError
from energy.units import J_PER_KWH
from simulator.physics.plan import Plan
from simulator.plans.evaluate import all_plans, predict_all
from simulator.runs.hosts import placed
from simulator.runs.setup import allowed, machine_of, usual_widths
from simulator.scenarios.scenario import Scenario, check

MARK = "speed: benchmarks.simulator.speed"
MODELS = ("glam-64b-64e", "deepseek-v3", "mixtral-8x7b", "gpt3-175b", "llama3-70b")
CHIPS = ("tpu-v4", "h100-sxm5-80gb", "a100-sxm4-80gb")
COUNTS = (512, 1024, 1536, 2048, 3072, 4096)
BATCH_TOKENS = (4e6, 6e6, 8e6, 12e6, 16e6)
HEADS = ("configurations", "seconds", "a second", "of it making plans", "peak memory")


def cells() -> Iterator[Scenario]:
    """Models on chips, without end: the second time round everything is predicted again."""
    for model, chip, count, batch in cycle(product(MODELS, CHIPS, COUNTS, BATCH_TOKENS)):
        yield check(
            {
                "name": model,
                "model": {"preset": model},
                "run": {"tokens": 300e9, "batch_tokens": batch},
                "hardware": {"chip": chip, "count": count},
                "site": {"zone": "US"},
            },
            model,
        )


def sweep(size: int) -> dict[str, float]:
    """Predict at least so many configurations and keep the least of each measure."""
    best, done, planning_s, began = np.full(4, np.inf), 0, 0.0, time.perf_counter()
    for scenario in cells():
        if done >= size:
            break
        shape = scenario.model.resolve()
        hardware, constants, _ = machine_of(scenario, shape)
        batch = scenario.run.sequences(float(shape.seq_len))
        base = Plan(**usual_widths(scenario), n_chips=scenario.hardware.count, global_batch=batch)
        planned = time.perf_counter()
        plans = all_plans(shape, scenario.hardware.count, batch, base, allowed(scenario))
        planning_s += time.perf_counter() - planned
        found = predict_all(shape, plans, hardware, constants)
        site = placed(scenario, hardware.power_boundary, hardware.watts(float(found.chip_w[0])))
        joules = found.chip_w * found.chips / found.tokens_per_s * site.pue.numbers()[0]
        grams = joules / J_PER_KWH * site.grid_location.numbers()[0]
        costs = np.stack([found.step_s, found.needs_bytes, joules, grams])
        best = np.minimum(best, np.min(costs, axis=1, where=found.fits, initial=np.inf))
        done += len(found)
    took = time.perf_counter() - began
    return {
        "configurations": done,
        "seconds": took,
        "per_second": done / took,
        "planning_share": planning_s / took,
        "least_seconds": float(best[0]),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--millions", default="1,3,10", help="sizes (1,3,10)")
    parser.add_argument("--write", type=Path, help="a page whose table is made anew")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--sweep", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.sweep:
        print(json.dumps(sweep(chosen.sweep)))
        return
    guard(
        lambda: report([child(size) for size in sizes(chosen.millions)], chosen.write, chosen.json)
    )


def sizes(words: str) -> list[int]:
    """Numbers of configurations from words.

    Raises:
        InputError: one is no positive number of millions.
    """
    try:
        found = [round(float(word) * 1e6) for word in words.split(",")]
    except ValueError:
        found = [0]
    if min(found) < 1:
        raise InputError("expected --millions as numbers above 0", words, "such as 1,3,10")
    return found


def child(size: int) -> dict[str, Any]:
    """A sweep in a process of its own, so that its peak memory is its own."""
    words = [sys.executable, "-m", "benchmarks.simulator.speed", "--sweep", str(size)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def report(found: list[dict[str, Any]], page: Path | None, as_json: bool) -> None:
    """Print the table, and write it where it was asked for."""
    rows = [
        (
            f"{one['configurations']:,}",
            f"{one['seconds']:.1f} s",
            f"{one['per_second']:,.0f}",
            f"{one['planning_share']:.0%}",
            f"{one['peak_mb']:,.0f} MB",
        )
        for one in found
    ]
    if page:
        write_between(page, MARK, markdown_table(HEADS, rows))
    if as_json:
        print_json({"sweeps": found})
        return
    print_table(HEADS, rows)


if __name__ == "__main__":
    main()
