"""Checkpoints of 4 processes read by 2 and 1, and the other way, and saves that a kill cuts short.

    python -m benchmarks.distributed.checkpoints [--write docs/results-cluster.md] [--json]

A run changes its number of processes twice, 4, 2, 1 and 1, 2, 4; the losses of its steps must be
those of one that never did. What each number of processes has read must be, bit by bit, what the
others wrote. Then processes are killed while they save: the run must go on from the checkpoint
before, and end as an uninterrupted one.
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
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.distributed.circumstances import circumstances, said
from benchmarks.distributed.launch import command, environment
from benchmarks.distributed.small_job import (
    PATIENCE_S,
    finish,
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
from energy.console import print_json
from energy.errors import InputError, ToleranceError
from energy.guard import guard

MARK = "checkpoints: benchmarks.distributed.checkpoints"
LAYOUTS = {4: ("--expert-parallel", "2", "--shard"), 2: ("--shard",), 1: ()}
"""Of each number of processes; one is the trainer without a launcher's layout."""

CHAINS = ((4, 2, 1), (1, 2, 4))
LIMIT = 1e-6
"""Largest relative difference of a loss: each number of processes has another order of sums."""

LOOK_S = 0.001
"""Between two looks at whether a save has begun, which takes some hundredths of a second."""


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=10, help="with each number of processes")
    parser.add_argument("--kills", type=int, default=5, help="processes killed while they save")
    parser.add_argument("--seed", type=int, default=0)
    add_output_options(parser)
    options = parser.parse_args()
    guard(lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Train, resume and kill; print or write what became of it.

    Raises:
        InputError: numbers that make no run, or a page without a place for the result.
        ToleranceError: a checkpoint was read as another, or a run went on from it as another.
    """
    if options.steps < 1 or options.kills < 0:
        value = f"{options.steps} and {options.kills}"
        raise InputError("expected --steps above 0 and --kills of at least 0", value)
    if options.write:
        split_at_marks(options.write, MARK)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, steps := 3 * options.steps, every=5)
        _train(folder, "whole", 1, steps)
        rows = [row for chain in CHAINS for row in _chain(folder, chain, options.steps)]
        kills = _killed_saves(folder, options) if options.kills else []
        results: dict[str, Any] = {"readings": rows, "kills": kills, **circumstances()}
    results["passed"] = all(_passed(row) for row in rows) and all(k["passed"] for k in kills)
    if options.json:
        print_json(results)
    elif options.write:
        write_between(options.write, MARK, f"{words(results)}\n\n{markdown_table(*table(rows))}")
    else:
        print_table(*table(rows))
        print(words(results))
    if not results["passed"]:
        raise ToleranceError("expected checkpoints that any number of processes reads", "others")


def _chain(folder: Path, chain: tuple[int, ...], steps: int) -> list[dict[str, Any]]:
    """Train with one number of processes after the other; return what each has read and done."""
    out = "-".join(map(str, chain))
    _train(folder, out, chain[0], steps)
    whole, rows = losses(folder / "whole"), []
    for place, (writers, readers) in enumerate(pairwise(chain), 1):
        same = _rewritten_equal(folder, out, readers)
        _train(folder, out, readers, (place + 1) * steps, "--resume")
        ours = losses(folder / out)
        differences = [
            abs(ours[i] / whole[i] - 1) for i in range(place * steps, (place + 1) * steps)
        ]
        rows.append(
            {
                "written_by": writers,
                "read_by": readers,
                "bit_equal": same,
                "steps_after": len(differences),
                "loss": max(differences),
            }
        )
    return rows


def _train(folder: Path, out: str, processes: int, steps: int, *options: str) -> None:
    """Train up to a step."""
    more = ("--steps", str(steps), *options)
    if processes == 1:
        arguments = ["train", "--model", "run.toml", "--out", out, *more]
        _finished([*command(1, "glam")[:2], "glam", *arguments], folder)
        return
    run = launch(folder, out, processes, *LAYOUTS[processes], *more)
    finish(run, folder / f"{out}.log")


def _rewritten_equal(folder: Path, out: str, readers: int) -> bool:
    """Whether so many processes write what they have read of the newest checkpoint of a run."""
    from glam.checkpoints.checkpoint import checkpoints, load_checkpoint

    source, target = folder / out / "checkpoints", folder / f"{out}-read-by-{readers}"
    module = "benchmarks.distributed.rewrite"
    start = command(readers, module) if readers > 1 else [*command(1, module)[:2], module]
    _finished([*start, str(source), str(target), *LAYOUTS[readers]], folder)
    before, after = (load_checkpoint(checkpoints(own)[-1]).tensors for own in (source, target))
    return before.keys() == after.keys() and all(
        tensor.equal(after[name]) and tensor.dtype == after[name].dtype
        for name, tensor in before.items()
    )


def _finished(arguments: list[str], folder: Path) -> None:
    run = subprocess.run(
        arguments,
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    if run.returncode:
        raise ToleranceError("expected a run that ends in order", run.stderr[-500:])


def _killed_saves(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Kill a process in each of several saves; return from which checkpoint the run went on."""
    generator, out = random.Random(options.seed), folder / "killed"
    saves, log = out / "checkpoints", folder / "killed.log"
    job = launch(folder, "killed", 2, "--shard", restarts=options.kills)
    kills = []
    for attempt in range(options.kills):
        rank = generator.randrange(2)
        until(lambda: _headers(out) > attempt and len(workers(job.pid)) == 2, job, log, 0.05)  # noqa: B023
        processes = workers(job.pid)
        until(lambda: bool(list(saves.glob("*.partial"))), job, log, LOOK_S)
        time.sleep(generator.random() * 10 * LOOK_S)
        os.kill(processes[rank], signal.SIGKILL)
        (partial,) = [*saves.glob("*.partial"), Path("step-0.partial")][:1]
        step = int(partial.stem.removeprefix("step-"))
        until(lambda: _headers(out) > attempt + 1, job, log, 0.05)  # noqa: B023
        kills.append({"rank": rank, "saving": step, "goes_on_from": _resumed_at(out, attempt + 1)})
    finish(job, log)
    same = _relative(losses(out), losses(folder / "whole"))
    for kill in kills:
        # Where the kill came after the last message of a save, that checkpoint is whole.
        kill["cut_short"] = bool(kill["saving"]) and kill["goes_on_from"] < kill["saving"]
        kill["passed"] = same <= LIMIT and kill["goes_on_from"] >= max(0, kill["saving"] - 5)
    return kills


def _relative(ours: list[float], theirs: list[float]) -> float:
    return max(abs(a / b - 1) for a, b in zip(ours, theirs, strict=True))


def _ledger(out: Path) -> str:
    ledger = out / "rank-0" / "ledger.jsonl"
    return ledger.read_text(errors="replace") if ledger.exists() else ""


def _headers(out: Path) -> int:
    """Return how many attempts have begun."""
    return _ledger(out).count('"k":"header"')


def _resumed_at(out: Path, attempt: int) -> int:
    """Return the step that an attempt goes on from."""
    text = _ledger(out).split('"k":"header"')[attempt + 1]
    match = re.search(r'"resume_at":\{"step":(\d+)\}', text)
    return int(match[1]) if match else 0


def _passed(row: dict[str, Any]) -> bool:
    return bool(row["bit_equal"] and row["loss"] <= LIMIT)


def table(rows: list[dict[str, Any]]) -> Table:
    """Return a table with a row for each reading."""
    heads = (
        "written by",
        "read by",
        "weights and optimizer",
        "steps after",
        "their loss differs by",
    )
    return heads, [
        (
            f"{row['written_by']}",
            f"{row['read_by']}",
            "bit-equal" if row["bit_equal"] else "NOT equal",
            f"{row['steps_after']}",
            f"{row['loss']:.1e}",
        )
        for row in rows
    ]


def words(results: dict[str, Any]) -> str:
    """Return in words how the saves ended that a kill cut short."""
    kills = results["kills"]
    cut = sum(kill["cut_short"] for kill in kills)
    passed = sum(kill["passed"] for kill in kills)
    return (
        f"Of {len(kills)} processes killed while they saved, {cut} cut a save short; {passed} runs "
        f"went on from the last whole checkpoint with the losses of an uninterrupted one. "
        f"{said([results])}."
    )


if __name__ == "__main__":
    main()
