"""The gates of the meters, against exact truth: `python -m benchmarks.meters [--json] [--peers]`.

A stand-in for NVIDIA's library draws waves of closed form; a tracked child marks windows; the
joules of each window are held against the integral of the wave between the same two moments.
Exit code 5 when a gate is missed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.meters import step as meters_step
from energy.ledger import accounting
from energy.ledger import reader as ledger
from tests.support.standin import compiled_nvml

ROOT = Path(__file__).resolve().parents[2]

HIGH_W, LOW_W = 400.0, 100.0
LIMITS = {1.3: 0.02, 0.5: 0.06, 0.1: 0.20}
"""Worst relative error allowed for windows of so many seconds."""
CHILD = """
import random, sys, time
from energy import Tracker
plan = [float(word) for word in sys.argv[2:]]
with Tracker(sys.argv[1], meters=["nvml"]) as tracker:
    time.sleep(1.0)
    for index, seconds in enumerate(plan):
        time.sleep(random.Random(index).uniform(0.0, 0.1))
        with tracker.window(f"w{index}"):
            time.sleep(seconds)
"""


def wave_j(start_s: float, stop_s: float, period_s: float, phase_s: float, low_w: float) -> float:
    """Exact joules of the stand-in's square wave between two moments."""

    def upto(t: float) -> float:
        t -= phase_s
        turns, part = math.floor(t / period_s), t % period_s
        within = min(part, period_s / 2) * HIGH_W + max(0.0, part - period_s / 2) * low_w
        return turns * period_s / 2 * (HIGH_W + low_w) + within

    return upto(stop_s) - upto(start_s)


def tracked(library: Path, plan: Iterable[float], **settings: float) -> list[dict[str, float]]:
    """Windows of a child under the stand-in: relative error, and whether the band holds it."""
    environment = {**os.environ, "LD_LIBRARY_PATH": str(library.parent), "PYTHONPATH": str(ROOT)}
    environment |= {f"STANDIN_{name}": repr(value) for name, value in settings.items()}
    with tempfile.TemporaryDirectory() as folder:
        # Two at once draw two waves: each is a node of its own.
        environment["XDG_RUNTIME_DIR"] = folder
        subprocess.run(
            [sys.executable, "-c", CHILD, folder, *map(str, plan)], env=environment, check=True
        )
        path = Path(folder) / ledger.FILE
        (segment,) = ledger.segments(path)
        record = accounting.record(path, name="bench", labels={}, notes=[])
    told = {window.name: window.energy_j for window in record.windows}
    rows = []
    for row in segment.windows:
        truth = wave_j(
            row["m0"] / 1e9,
            row["m1"] / 1e9,
            settings.get("PERIOD_S", 1.0),
            settings.get("PHASE_S", 0.0),
            settings.get("LOW_W", LOW_W),
        )
        found = told[row["name"]]
        value, low, high = found.numbers()
        rows.append(
            {
                "seconds": (row["m1"] - row["m0"]) / 1e9,
                "error": value / truth - 1,
                "held": float(low <= truth <= high),
            }
        )
    return rows


def accuracy(library: Path) -> list[dict[str, object]]:
    """Constant power; the 1 Hz square wave, in step with the ticks and not; random waves."""
    gates: list[dict[str, object]] = []

    def gate(name: str, value: float, limit: float, at_most: bool = True) -> None:
        holds = value <= limit if at_most else value >= limit
        gates.append({"gate": name, "value": value, "limit": limit, "holds": holds})

    jobs: dict[str, tuple[list[float], dict[str, float]]] = {
        "constant": ([1.0, 1.5, 2.0] * 3, {"LOW_W": HIGH_W})
    }
    for words, phase in (("in step with the ticks", 0.0), ("37 ms off the ticks", 0.037)):
        for seconds in LIMITS:
            jobs[f"1 Hz square wave {words}, {seconds} s"] = ([seconds] * 30, {"PHASE_S": phase})
    draw = random.Random(1)
    for index in range(10):
        wave = {
            "PERIOD_S": draw.uniform(0.25, 4.0),
            "PHASE_S": draw.uniform(0, 1),
            "LOW_W": draw.uniform(60, 390),
        }
        jobs[f"random {index}"] = ([draw.uniform(0.1, 1.3) for _ in range(20)], wave)
    # Children sleep nearly all the time, so two at once do not disturb each other.
    with ThreadPoolExecutor(2) as pool:
        waiting = {
            name: pool.submit(tracked, library, plan, **wave) for name, (plan, wave) in jobs.items()
        }
        rows = {name: job.result() for name, job in waiting.items()}
    gate("constant power, 1 s and more: worst error", worst(rows["constant"]), 0.005)
    for name, (plan, _) in jobs.items():
        if name.startswith("1 Hz"):
            gate(f"{name}: worst of 30", worst(rows[name]), LIMITS[plan[0]])
    waves = [row for name in rows if name.startswith("random") for row in rows[name]]
    held = sum(row["held"] for row in waves) / len(waves)
    gate(f"stated 95 % interval holds, {len(waves)} windows of random waves", held, 0.93, False)
    return gates


def worst(rows: list[dict[str, float]]) -> float:
    """Largest absolute relative error."""
    return max(abs(row["error"]) for row in rows)


def cost(library: Path) -> list[dict[str, object]]:
    """What metering costs: import, open, a window, the sampler's processor time, disk."""
    code = """
import json, sys, time

start = time.perf_counter(); import energy; from energy import Tracker
imported = time.perf_counter() - start
start = time.perf_counter()
with Tracker(sys.argv[1], meters=["nvml"]) as tracker:
    opened = time.perf_counter() - start
    time.sleep(9)
    costs = []
    for _ in range(500):
        start = time.perf_counter()
        with tracker.window("step"): pass
        costs.append(time.perf_counter() - start)
        time.sleep(0.002)
    rss = next(line for line in open(f"/proc/{tracker._sampler.pid}/status") if "VmRSS" in line)
    start = time.perf_counter()
closed = time.perf_counter() - start
print(json.dumps([imported, opened, sorted(costs)[250], closed, int(rss.split()[1])]))
"""
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(library.parent),
        "PYTHONPATH": str(ROOT),
        "STANDIN_DEVICES": "8",
    }
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            [sys.executable, "-c", code, folder],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        imported, opened, window, closed, rss_kb = json.loads(run.stdout)
        path = Path(folder) / ledger.FILE
        rows = [row for row, _ in ledger.rows(path)]
        samples = [line for line in path.read_bytes().splitlines() if b'"k":"s"' in line]
    end = rows[-1]
    elapsed_s = (end["m"] - rows[0]["m"]) / 1e9
    per_day = sum(len(line) + 1 for line in samples) / len(samples) * 86_400
    return [
        {"gate": name, "value": value, "limit": limit, "holds": value <= limit}
        for name, value, limit in (
            ("import energy, s", imported, 0.050),
            ("open to first reading, s", opened, 0.150),
            ("window begin and end in the trainer, 8 devices, median, s", window, 60e-6),
            ("close, s", closed, 0.3),
            ("sampler, share of one core, 8 devices", end["cpu_s"] / elapsed_s, 0.02),
            ("sampler, resident MB", rss_kb / 1e3, 30.0),
            ("disk of a day of samples, 8 devices, MB", per_day / 1e6, 30.0),
        )
    ]


def main() -> None:
    """Run, print, and say with the exit code whether every gate held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--peers", action="store_true", help="add CodeCarbon, Zeus, perun, ...")
    parser.add_argument("--only-peers", action="store_true", help="the peers and no gate")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        library = compiled_nvml(Path(folder))
        gates = []
        if not arguments.only_peers:
            gates = accuracy(library) + cost(library) + meters_step.gate(library)
        table = []
        if arguments.peers or arguments.only_peers:
            from meters_peers import compare

            table = compare(library)
    if arguments.json:
        print(json.dumps({"gates": gates, "peers": table}, indent=1))
    else:
        print(
            time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            f"{os.cpu_count()} cores",
            f"load {os.getloadavg()[0]:.1f}",
        )
        for row in gates:
            state = "ok  " if row["holds"] else "MISS"
            print(f"{state} {row['gate']}: {row['value']:.3g} (limit {row['limit']:g})")
        for row in table:
            print(f"     {row['tool']:16} {row['case']:28} {row['told']}")
    sys.exit(0 if all(row["holds"] for row in gates) else 5)


if __name__ == "__main__":
    main()
