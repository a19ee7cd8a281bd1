"""Child processes whose contestants are timed in turns, and the medians of their times.

Other work on a shared machine comes and goes, so every contestant has a turn in every round, and
the median over the rounds counts. A child has one setting of the C allocator: "default", or
"tuned" as `glam train` sets it (`energy.allocator.keep_freed_memory`).
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

from benchmarks.process import ROOT

ALLOCATORS = ("default", "tuned")
SLOW = 8.0
"""A contestant so many times slower than the fastest of its process is not timed again."""

Seconds = dict[str, float]
"""Seconds of each contestant, by name."""
Turn = Callable[[], object]
"""One turn of a contestant."""


class Child:
    """A process that runs one module of this package on a case, and answers line by line.

    Args:
        module: name of a module of this package; it calls `serve`.
        case: what the module is to build; it is built and warm when this returns.
        allocator: one of ALLOCATORS.
        threads: number of threads of torch; all cores if left out.
    """

    def __init__(
        self, module: str, case: Mapping[str, Any], allocator: str, *, threads: int | None = None
    ) -> None:
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
        if threads is not None:
            environment["OMP_NUM_THREADS"] = str(threads)
        self._process = subprocess.Popen(
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
        # Wait: two children that warm up at once compete for the cores, and the wrong contestant
        # would be counted as slow.
        self._answer()

    def ask(self, request: str) -> dict[str, Any]:
        """The answer to "round", "memory" or "profile"."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{request}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a child of the benchmark ended with {self._process.wait()}")
        return dict(json.loads(line))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()


def serve(build: Callable[[dict[str, Any]], dict[str, Turn]]) -> None:
    """Build the contestants of the case on the command line, warm them up, and answer requests.

    Args:
        build: returns the contestants of a case.
    """
    import torch

    from energy.allocator import keep_freed_memory

    allocator, case = sys.argv[1], json.loads(sys.argv[2])
    if allocator == "tuned":
        keep_freed_memory()
    torch.manual_seed(0)
    contestants = build(case)
    built_mb = _peak_mb()
    slow = warm_up(contestants)
    quick = {name: turn for name, turn in contestants.items() if name not in slow}
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = line.strip()
        if request == "round":
            answer: dict[str, Any] = {**slow, **timed(quick)}
        elif request == "memory":
            answer = {"peak_mb": _peak_mb(), "built_mb": built_mb}
        else:
            answer = {"operations": profiled(contestants)}
        print(json.dumps(answer), flush=True)


def warm_up(contestants: Mapping[str, Turn]) -> Seconds:
    """Run three rounds, and return the seconds of contestants too slow to be timed repeatedly.

    The first round meets each size of matrix product for the first time, at several ms a size, so
    it does not count. The better of the next two does; with fewer than three contestants none is
    too slow.
    """
    timed(contestants)
    first, second = timed(contestants), timed(contestants)
    # Other work on the machine can only slow a turn down.
    seconds = {name: min(first[name], second[name]) for name in contestants}
    if len(seconds) < 3:
        return {}
    return {name: s for name, s in seconds.items() if s > SLOW * min(seconds.values())}


def timed(contestants: Mapping[str, Turn]) -> Seconds:
    """Seconds of one turn of each contestant.

    A single thread never waits for another one, so its processor time is its time on an idle
    machine, without the moments when other processes had the core. With more threads it is
    elapsed time.
    """
    import torch

    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    seconds = {}
    for name, turn in contestants.items():
        begin = clock()
        turn()
        seconds[name] = clock() - begin
    return seconds


def profiled(contestants: Mapping[str, Turn]) -> Seconds:
    """Seconds of one turn of all contestants by torch operation, callees excluded."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        timed(contestants)
    return {
        row.key.removeprefix("aten::"): row.self_cpu_time_total / 1e6
        for row in profiler.key_averages()
    }


def medians(children: Mapping[str, Child], rounds: int) -> dict[str, Seconds]:
    """Median seconds of every contestant of every child; children take turns in each round."""
    rows: dict[str, list[Seconds]] = {name: [] for name in children}
    for _ in range(rounds):
        for name, child in children.items():
            rows[name].append(child.ask("round"))
    return {
        name: {key: statistics.median(row[key] for row in turns) for key in turns[0]}
        for name, turns in rows.items()
    }


def _peak_mb() -> float:
    """Peak resident memory of this process; ru_maxrss counts in KiB on Linux."""
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6)
