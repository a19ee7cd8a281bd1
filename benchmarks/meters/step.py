"""What metering adds to a step: blocks of steps with windows and sampler against blocks without.

A child trains nothing but the processor, in steps of 20 ms, under a stand-in with 8 boards. Blocks
with (A) and without (B) follow each other in pairs of random order; the change is the median over
pairs, its band a bootstrap of that median (Efron and Tibshirani 1993, chapter 13).
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

LIMIT = 0.001
PAIRS, STEPS, STEP_S = 250, 5, 0.020

CHILD = """
import json, random, sys, time
from energy import Tracker
from energy.sampler.inbox import INBOX_NS

pairs, steps, step_s = int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])

def work(turns):
    start = time.perf_counter(); sum(range(turns)); return time.perf_counter() - start

turns = round(100_000 * step_s / min(work(100_000) for _ in range(50)))
draw, found = random.Random(1), []
with Tracker(sys.argv[1], meters=["nvml"]) as tracker:
    time.sleep(1.0)
    def block(metered):
        tracker.pause(0.0 if metered else 1.0)
        # Until the sampler has heard it, steps that do not count: an idle core would begin slowly.
        heard_s = time.perf_counter() + 1.2 * INBOX_NS / 1e9
        while time.perf_counter() < heard_s: sum(range(turns))
        start = time.perf_counter()
        for _ in range(steps):
            if metered:
                with tracker.window("step"): sum(range(turns))
            else:
                sum(range(turns))
        return (time.perf_counter() - start) / steps
    for _ in range(pairs):
        order = draw.sample((True, False), 2)
        told = {metered: block(metered) for metered in order}
        found.append((told[True], told[False]))
    tracker.pause(0.0)
    changes = sorted(a / b - 1 for a, b in found)
    tracker.mark("overhead", pairs=pairs, steps=steps, relative=changes[len(changes) // 2])
print(json.dumps(found))
"""


def gate(library: Path) -> list[dict[str, object]]:
    """The change of a step's time, and whether its band is narrow enough to tell 0.1 %."""
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(library.parent),
        "PYTHONPATH": str(ROOT),
        "STANDIN_DEVICES": "8",
    }
    with tempfile.TemporaryDirectory() as folder:
        environment["XDG_RUNTIME_DIR"] = folder
        run = subprocess.run(
            [sys.executable, "-c", CHILD, folder, str(PAIRS), str(STEPS), str(STEP_S)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
    changes = [metered / without - 1 for metered, without in json.loads(run.stdout)]
    value = statistics.median(changes)
    low, high = bootstrap(changes)
    name = (
        f"step time with meters over without, {PAIRS} pairs of {STEPS} steps, 8 devices; "
        f"band {low:+.2%} to {high:+.2%}, resolution {(high - low) / 2:.2%}"
    )
    # A small median in a wide band shows nothing: the band must be able to tell the limit.
    resolved = (high - low) / 2 <= LIMIT
    return [
        {
            "gate": name,
            "value": value,
            "limit": LIMIT,
            "holds": resolved and value <= LIMIT,
            "low": low,
            "high": high,
            "resolved": resolved,
        }
    ]


def bootstrap(changes: list[float], draws: int = 2000) -> tuple[float, float]:
    """The 95 % percentile band of the median."""
    draw = random.Random(1)
    medians = sorted(statistics.median(draw.choices(changes, k=len(changes))) for _ in range(draws))
    return medians[round(0.025 * draws)], medians[round(0.975 * draws) - 1]
