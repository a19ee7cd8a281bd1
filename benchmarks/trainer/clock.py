"""Processes with contestants that are timed in turns, and the medians of their times.

Other work on a shared machine comes and goes, so every contestant has its turn in every round, and
the middle of the rounds is told. A process has one setting of the C allocator: "default", or
"tuned" as `glam train` sets it (`glam.device.keep_freed_memory`).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
ALLOCATORS = ("default", "tuned")
SLOW = 8.0
"""Contestants so many times slower than the fastest of their process are timed once."""

Seconds = dict[str, float]


class Child:
    """A process that runs one file of this folder with a case, and answers line by line.

    Args:
        module: of this folder; it calls `serve`.
        case: what it is to build; it is built and warm when this returns.
        allocator: one of ALLOCATORS.
        threads: of its products; as many as it finds where none is said.
    """

    def __init__(
        self, module: str, case: Mapping[str, Any], allocator: str, *, threads: int | None = None
    ) -> None:
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
        if threads is not None:
            environment["OMP_NUM_THREADS"] = str(threads)
        self._run = subprocess.Popen(
            [
                sys.executable,
                "-m",
                f"benchmarks.trainer.{module}",
                allocator,
                json.dumps(case),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        # Two that build and warm up at once fight for the cores, and who is slow is told wrongly.
        self._answer()

    def ask(self, word: str) -> dict[str, Any]:
        """The answer to "round", "memory" or "profile"."""
        assert self._run.stdin is not None
        self._run.stdin.write(f"{word}\n")
        self._run.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._run.stdout is not None
        line = self._run.stdout.readline()
        if not line:
            raise RuntimeError(f"a benchmark's process ended with {self._run.wait()}")
        return dict(json.loads(line))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._run.kill()
        self._run.communicate()


def serve(build: Callable[[dict[str, Any]], dict[str, Callable[[], object]]]) -> None:
    """Build the contestants of the case on the command line, warm them up, and answer.

    The first round meets each size of product for the first time, at several ms a size, and is
    not counted; the better of the next two tells who is too slow to be timed again and again.
    """
    import resource

    import torch

    from glam.device import keep_freed_memory

    allocator, case = sys.argv[1], json.loads(sys.argv[2])
    if allocator == "tuned":
        keep_freed_memory()
    torch.manual_seed(0)
    contestants = build(case)
    built_mb = _peak_mb(resource)
    timed(contestants)
    first = least(timed(contestants), timed(contestants))
    slow = {name: s for name, s in first.items() if s > SLOW * min(first.values())}
    quick = {name: run for name, run in contestants.items() if name not in slow or len(first) < 3}
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        word = line.strip()
        if word == "round":
            answer: dict[str, Any] = {
                **{k: s for k, s in slow.items() if k not in quick},
                **timed(quick),
            }
        elif word == "memory":
            answer = {"peak_mb": _peak_mb(resource), "built_mb": built_mb}
        else:
            answer = {"operations": profiled(contestants)}
        print(json.dumps(answer), flush=True)


def timed(contestants: Mapping[str, Callable[[], object]]) -> Seconds:
    """Seconds of one turn of each.

    One thread never waits for another, so its processor time is its time on an idle machine, and
    leaves out when others had the core. With more threads it is the clock on the wall.
    """
    import torch

    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    found = {}
    for name, run in contestants.items():
        begun = clock()
        run()
        found[name] = clock() - begun
    return found


def least(one: Seconds, other: Seconds) -> Seconds:
    """The better turn of each: other work on the machine can only slow one down."""
    return {name: min(seconds, other[name]) for name, seconds in one.items()}


def profiled(contestants: Mapping[str, Callable[[], object]]) -> Seconds:
    """Seconds of one turn of all, by torch's operation, each without those it calls."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as seen:
        timed(contestants)
    return {
        row.key.removeprefix("aten::"): row.self_cpu_time_total / 1e6 for row in seen.key_averages()
    }


def medians(children: Mapping[str, Child], rounds: int) -> dict[str, Seconds]:
    """Median seconds of every contestant of every process, round by round in turns."""
    told: dict[str, list[Seconds]] = {name: [] for name in children}
    for _ in range(rounds):
        for name, child in children.items():
            told[name].append(child.ask("round"))
    return {
        name: {key: statistics.median(one[key] for one in rows) for key in rows[0]}
        for name, rows in told.items()
    }


def _peak_mb(resource: Any) -> float:
    """The most memory that this process ever held; ru_maxrss counts in KiB on Linux."""
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6)
