"""What metering adds to the time of a step: blocks of steps with it against blocks without it.

A child keeps the processor busy in steps of 20 ms, under a stand-in with 8 devices. Blocks with
windows and sampler and blocks without follow each other in pairs of random order. The change is
the median over the pairs, and its band a bootstrap of that median (Efron and Tibshirani 1993,
chapter 13).
"""

from __future__ import annotations

import json
import random
import statistics
import tempfile
from pathlib import Path

from benchmarks.gate import Gate
from benchmarks.meters.standin import run_child

LIMIT = 0.001
PAIRS, STEPS, STEP_S = 250, 5, 0.020

CHILD = """
import json, random, sys, time
from energy import Tracker
from energy.sampler.inbox import INBOX_POLL_NS

pairs, steps, step_s = int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])

def work(turns):
    start = time.perf_counter(); sum(range(turns)); return time.perf_counter() - start

turns = round(100_000 * step_s / min(work(100_000) for _ in range(50)))
generator, rows = random.Random(1), []
with Tracker(sys.argv[1], meters=["nvml"]) as tracker:
    time.sleep(1.0)
    def block(metered):
        tracker.pause(0.0 if metered else 1.0)
        # Steps that do not count until the sampler has read it: an idle core would start slowly.
        ready_s = time.perf_counter() + 1.2 * INBOX_POLL_NS / 1e9
        while time.perf_counter() < ready_s: sum(range(turns))
        start = time.perf_counter()
        for _ in range(steps):
            if metered:
                with tracker.window("step"): sum(range(turns))
            else:
                sum(range(turns))
        return (time.perf_counter() - start) / steps
    for _ in range(pairs):
        order = generator.sample((True, False), 2)
        seconds = {metered: block(metered) for metered in order}
        rows.append((seconds[True], seconds[False]))
    tracker.pause(0.0)
    changes = sorted(a / b - 1 for a, b in rows)
    tracker.mark("overhead", pairs=pairs, steps=steps, relative=changes[len(changes) // 2])
print(json.dumps(rows))
"""


def gates(library: Path) -> list[Gate]:
    """The change of a step's time, and whether its band is narrow enough to resolve 0.1 %."""
    with tempfile.TemporaryDirectory() as folder:
        printed = run_child(CHILD, library, {"DEVICES": "8"}, folder, PAIRS, STEPS, STEP_S)
    changes = [metered / without - 1 for metered, without in json.loads(printed)]
    low, high = bootstrap(changes)
    name = (
        f"step time with meters over without, less 1, {PAIRS} pairs of {STEPS} steps, 8 devices; "
        f"95 % band {low:+.2%} to {high:+.2%}"
    )
    # A small median in a wide band shows nothing: the band has to resolve the limit.
    return [
        Gate(name, statistics.median(changes), LIMIT),
        Gate("half the width of that band", (high - low) / 2, LIMIT),
    ]


def bootstrap(changes: list[float], draws: int = 2000) -> tuple[float, float]:
    """The 95 % percentile interval of the median, from resamples with replacement."""
    generator = random.Random(1)
    medians = sorted(
        statistics.median(generator.choices(changes, k=len(changes))) for _ in range(draws)
    )
    return medians[round(0.025 * draws)], medians[round(0.975 * draws) - 1]
