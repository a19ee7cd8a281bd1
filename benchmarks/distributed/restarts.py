"""A run whose processes are killed and hang at random steps ends as an uninterrupted one.

    python -m benchmarks.distributed.restarts --kills 10 --hangs 5 [--write docs/results-cluster.md]

torchrun restarts the processes; training goes on from the last checkpoint. A process that hangs is
stopped (SIGSTOP) or sleeps within a step, in turn. It must be named, with its last step, within the
timeout and two seconds, and all processes must end. Losses, tokens and FLOP must be equal, and what
was repeated must be counted as wasted by the attempt that died.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.distributed.circumstances import circumstances, said
from benchmarks.distributed.small_job import (
    PATIENCE_S,
    finish,
    is_running,
    launch,
    losses,
    prepare,
    until,
    workers,
)
from benchmarks.pages import (
    Table,
    add_output_options,
    markdown_table,
    print_table,
    split_at_marks,
    write_between,
)
from energy import RunRecord, merge
from energy.console import print_json
from energy.errors import InputError, ToleranceError
from energy.guard import guard
from energy.quantity import Boundary

MARK = "restarts: benchmarks.distributed.restarts"
LAYOUT = ("--expert-parallel", "2", "--shard")
HANGS = {"stopped": signal.SIGSTOP, "asleep": signal.SIGUSR1}
NAMED = re.compile(r"no word from rank (\d+) \(last step (\d+)\)")
SAME = 1e-9
"""Relative difference at which two sums of FLOP or joules are the same."""


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--hangs", type=int, default=5)
    parser.add_argument("--timeout", type=float, default=10.0, help="of a message, in seconds")
    parser.add_argument("--grace", type=float, default=2.0, help="seconds after it, to be named")
    parser.add_argument("--seed", type=int, default=0)
    add_output_options(parser)
    options = parser.parse_args()
    guard(lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Train twice, once with interruptions; print or write what became of them.

    Raises:
        InputError: numbers that make no run, or a page without a place for the result.
        ToleranceError: an interruption changed the result, or a hanging process was not named.
    """
    if options.processes < 2 or options.processes % 2:
        raise InputError("expected an even number of --processes", str(options.processes))
    if options.steps < 1 or min(options.kills, options.hangs) < 0:
        value = f"{options.steps}, {options.kills} and {options.hangs}"
        raise InputError("expected --steps above 0, --kills and --hangs of at least 0", value)
    if options.write:
        split_at_marks(options.write, MARK)
    limit = ("--timeout", f"{options.timeout:g}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, options.steps)
        whole = launch(folder, "whole", options.processes, *LAYOUT, *limit)
        finish(whole, folder / "whole.log")
        ends = interrupted(folder, options)
        results = {**compared(folder, ends), **circumstances()}
    if options.json:
        print_json(results)
    elif options.write:
        write_between(options.write, MARK, f"{words(results)}\n\n{markdown_table(*table(results))}")
    else:
        print_table(*table(results))
        print(words(results))
    if not results["passed"]:
        raise ToleranceError("expected a run that ends as an uninterrupted one", "another")


def interrupted(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Train while processes are killed or hang; return what became of each interruption."""
    generator = random.Random(options.seed)
    kinds = ["killed"] * options.kills + [list(HANGS)[i % 2] for i in range(options.hangs)]
    generator.shuffle(kinds)
    limit = ("--timeout", f"{options.timeout:g}")
    job = launch(folder, "broken", options.processes, *LAYOUT, *limit, restarts=len(kinds))
    log, ends, step = folder / "broken.log", [], 0
    for attempt, kind in enumerate(kinds):
        # Beyond what the attempt before has done, so that this one has begun.
        step = max(step, last_step(folder)) + generator.randint(1, 8)
        rank = generator.randrange(options.processes)
        until(lambda: last_step(folder) >= step, job, log, 0.02)  # noqa: B023
        end = {"attempt": attempt, "how": kind, "rank": rank}
        ends.append(end | _interrupt(folder, job, end, options))
    finish(job, log)
    return ends


def _interrupt(
    folder: Path, job: subprocess.Popen[str], end: dict[str, Any], options: argparse.Namespace
) -> dict[str, Any]:
    """Kill a process, or let it hang until it is named; wait until all have ended."""
    processes, log = workers(job.pid), folder / "broken.log"
    begun_s, said_before = time.monotonic(), len(log.read_text(errors="replace"))
    os.kill(processes[end["rank"]], HANGS.get(end["how"], signal.SIGKILL))
    result: dict[str, Any] = {"passed": True}
    if end["how"] in HANGS:
        named = wait_for_name(log, said_before, options.timeout + options.grace + PATIENCE_S)
        named_s = time.monotonic() - begun_s
        step, written = None if named is None else named[1], last_step(folder)
        result |= {"named": named and named[0], "last_step": step, "named_s": round(named_s, 2)}
        result["passed"] = (
            result["named"] == end["rank"]
            and step is not None
            and written <= step <= written + 1
            and named_s <= options.timeout + options.grace
        )
    until(lambda: not any(map(is_running, processes.values())), job, log, 0.05)
    return {**result, "all_ended_s": round(time.monotonic() - begun_s, 1)}


def last_step(folder: Path) -> int:
    """Return the last step of the interrupted run that has its line of metrics."""
    metrics = folder / "broken" / "metrics.jsonl"
    rows = metrics.read_text(errors="replace").splitlines() if metrics.exists() else []
    match = re.match(r'{"step": (\d+)', rows[-1]) if rows else None
    return int(match[1]) if match else 0


def wait_for_name(log: Path, since: int, limit_s: float) -> tuple[int, int] | None:
    """Return the rank that the run names as late, and its last step."""
    until_s = time.monotonic() + limit_s
    while time.monotonic() < until_s:
        if match := NAMED.search(log.read_text(errors="replace")[since:]):
            return int(match[1]), int(match[2])
        time.sleep(0.05)
    return None


def compared(folder: Path, ends: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how the interrupted run ended, beside the other."""
    whole, broken = (RunRecord.load(folder / out / "record.json") for out in ("whole", "broken"))
    ours, theirs = losses(folder / "broken"), losses(folder / "whole")
    # Steps that the ledgers count, without what was repeated. A process that is killed while its
    # sampler is late takes its last counts with it, so that this is no check.
    counted = merge([folder / "broken"], "broken").model_flop.value or 0.0
    flop, wasted = broken.model_flop.value or 0.0, broken.wasted
    joules = broken.totals[Boundary.CHIP].value or 0.0
    attempts: list[dict[str, Any]] = [
        {
            "name": attempt.name,
            "died": attempt.died,
            "energy_j": attempt.energy_j.value,
            "wasted_j": attempt.wasted_j.value,
            "wasted_flop": attempt.wasted_flop.value,
        }
        for attempt in broken.attempts
    ]
    checks = {
        "losses": ours == theirs,
        "tokens": broken.tokens.value == whole.tokens.value,
        "flop": flop == whole.model_flop.value,
        "attempts": len(attempts) == len(ends) + 1
        and all(a["died"] for a in attempts[:-1])
        and not attempts[-1]["died"],
        "joules_of_attempts": _same(sum(a["energy_j"] for a in attempts), joules),
        "waste_of_attempts": all(
            _same(sum(a[key] for a in attempts), whole_waste.value or 0.0)
            for key, whole_waste in (
                ("wasted_j", wasted.energy_j),
                ("wasted_flop", wasted.model_flop),
            )
        ),
        "interruptions": all(end["passed"] for end in ends),
    }
    return {
        "interruptions": len(ends),
        "as_expected": sum(end["passed"] for end in ends),
        "steps": len(ours),
        "final_loss": ours[-1],
        "final_loss_uninterrupted": theirs[-1],
        "wasted_flop_over_model_flop": (wasted.model_flop.value or 0.0) / flop if flop else None,
        "flop_in_ledgers_over_model_flop": counted / flop if flop else None,
        "wasted_j": wasted.energy_j.value,
        "energy_j": joules,
        "checks": checks,
        "passed": all(checks.values()),
        "ends": ends,
        "attempts": attempts,
    }


def _same(ours: float, theirs: float) -> bool:
    return abs(ours - theirs) <= SAME * max(abs(ours), abs(theirs))


def table(results: dict[str, Any]) -> Table:
    """Return a table with a row for each attempt: how it ended, and what it lost."""
    heads = (
        "attempt",
        "its end",
        "named with its last step after",
        "all processes ended after",
        "joules",
        "of them wasted",
        "wasted FLOP",
    )
    rows = []
    for i, attempt in enumerate(results["attempts"]):
        end = results["ends"][i] if i < len(results["ends"]) else None
        named = f"{end['named_s']} s (step {end['last_step']})" if end and "named" in end else "-"
        rows.append(
            (
                attempt["name"],
                f"rank {end['rank']} {end['how']}" if end else "in order",
                named,
                f"{end['all_ended_s']} s" if end else "-",
                f"{attempt['energy_j']:.0f}",
                f"{attempt['wasted_j']:.0f}",
                f"{attempt['wasted_flop']:.3g}",
            )
        )
    return heads, rows


def words(results: dict[str, Any]) -> str:
    """Return in words how the interrupted run ended."""
    failed = [name for name, passed in results["checks"].items() if not passed]
    equal = "the same bits" if results["checks"]["losses"] else "NOT the same"
    return (
        f"{results['as_expected']} of {results['interruptions']} interruptions as expected in "
        f"{results['steps']} steps; losses of all steps {equal} as without interruptions (last: "
        f"{results['final_loss']:.6f}); failed checks: {', '.join(failed) or 'none'}. Wasted: "
        f"{results['wasted_flop_over_model_flop']:.0%} of the model FLOP, "
        f"{results['wasted_j']:.0f} of {results['energy_j']:.0f} J. The ledgers count "
        f"{results['flop_in_ledgers_over_model_flop']:.1%} of the model FLOP of the run, which the "
        f"record has from its steps. {said([results])}."
    )


if __name__ == "__main__":
    main()
