"""What a user reads who starts several processes wrongly, and how long it takes.

    python -m benchmarks.distributed.mistakes [--only NAME ...] [--write docs/results-cluster.md]

Each mistake is a torchrun of two real processes. One line of the first process must say what is
wrong; nothing may be said twice, no traceback be ours, and all processes must end. Exit code 5
otherwise. torchrun's own account, which follows, is not counted.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.distributed.circumstances import circumstances, said
from benchmarks.distributed.launch import environment, launcher
from benchmarks.distributed.small_job import prepare
from benchmarks.pages import Table, add_output_options, show, split_at_marks
from energy.errors import ToleranceError
from energy.guard import guard

MARK = "mistakes: benchmarks.distributed.mistakes"
PROCESSES, STEPS = 2, 4

TIMEOUT_S = 30
"""--timeout of the runs: a process may wait for another as long."""

LIMIT_S = 300.0
"""All processes must have ended by then, their start included, on a machine that others use too."""

COMMAND = "exec $PYTHON -m glam train --model ${MODEL:-run.toml} --out $OUT"


@dataclass(frozen=True)
class Mistake:
    """A start that cannot work.

    Attributes:
        name: what is wrong, in words.
        says: what the line must say.
        options: of `glam train`, in a shell that knows $RANK.
        before: what each process does first, in that shell.
        change: words of the configuration, and what stands in their place.
        after_run: whether the folder has a finished run.
        alone: the number of the only process that is started, without torchrun.
    """

    name: str
    says: str
    options: str = ""
    before: str = ""
    change: tuple[str, str] = ("", "")
    after_run: bool = False
    alone: int | None = None


DENSE = ("n_moe_layers = 1\nn_experts = 4\ntop_k = 2\nd_expert = 16\n", "")
WIDE = ("d_model = 16", "d_model = 32")
OF_RANK_1 = "if [ $RANK = 1 ]; then {}; fi"
ELSEWHERE = "cp -r run.toml texts elsewhere; cd elsewhere"
EMPTY = 'for file in $OUT/checkpoints/*/*.distcp; do : > "$file"; done'

MISTAKES = (
    Mistake("degrees of other processes", "got 3 x 1", "--expert-parallel 3"),
    Mistake("copies of other processes", "got 1 x 4", "--data-parallel 4"),
    Mistake("experts do not divide", "3 experts", "--expert-parallel 2", change=("4\n", "3\n")),
    Mistake("experts of a dense model", "with experts", "--expert-parallel 2", change=DENSE),
    Mistake("heads do not divide", "divisor of n_heads", change=("n_heads = 2", "n_heads = 3")),
    Mistake("batch does not divide", "--batch to a multiple of 2", "--batch 3"),
    Mistake("an unknown optimizer", "optimizer to be one of", "--optimizer none"),
    Mistake("no text", "expected text at none.txt", "--data none.txt"),
    Mistake(
        "no text for rank 1",
        "rank 1: expected text",
        before=OF_RANK_1.format("cp run.toml elsewhere; cd elsewhere"),
    ),
    Mistake(
        "other text for rank 1",
        "on rank 1 tokens",
        before=OF_RANK_1.format(f"{ELSEWHERE}; rm texts/tool.py"),
    ),
    Mistake(
        "no configuration for rank 1",
        "rank 1: expected a configuration",
        before=OF_RANK_1.format("MODEL=none.toml"),
    ),
    Mistake(
        "another model on rank 1",
        "shape.d_model = 32 (rank 0: 16)",
        before=OF_RANK_1.format(
            "sed 's/d_model = 16/d_model = 32/' run.toml > wide.toml; MODEL=wide.toml"
        ),
    ),
    Mistake("another seed on rank 1", "training.seed = 1 (rank 0: 0)", "--seed $RANK"),
    Mistake("more steps on rank 1", "training.steps = 5 (rank 0: 4)", "--steps $((4 + RANK))"),
    Mistake("other degrees on rank 1", "parallelism.expert = 2", "--expert-parallel $((1 + RANK))"),
    Mistake(
        "--shard on rank 1 only",
        "parallelism.shard = True",
        "$SHARD",
        OF_RANK_1.format("SHARD=--shard"),
    ),
    Mistake(
        "a disk of its own for rank 1",
        "all processes share",
        before=f"OUT=out; {OF_RANK_1.format(ELSEWHERE)}",
    ),
    Mistake("a folder with a run", "new or empty folder", after_run=True),
    Mistake(
        "checkpoint of another width",
        "d_model = 32 (was 16)",
        "--resume --steps 8",
        change=WIDE,
        after_run=True,
    ),
    Mistake(
        "checkpoint of a mixture, dense model",
        "n_moe_layers = 0 (was 1)",
        "--resume --steps 8",
        change=DENSE,
        after_run=True,
    ),
    Mistake("all checkpoints damaged", "checksum", "--resume --steps 8", EMPTY, after_run=True),
    Mistake("the other process never starts", "2 processes to meet", alone=0),
    Mistake("no process at the address", "2 processes to meet", alone=1),
)


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="*", help="names of mistakes; all by default")
    add_output_options(parser)
    options = parser.parse_args()
    guard(lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Make the mistakes; print or write what became of them.

    Raises:
        InputError: a page without a place for the result.
        ToleranceError: a mistake is not said as it should be.
    """
    if options.write:
        split_at_marks(options.write, MARK)
    chosen = [m for m in MISTAKES if not options.only or m.name in options.only]
    with tempfile.TemporaryDirectory() as name:
        rows = [outcome | circumstances() for outcome in outcomes(Path(name), chosen)]
    show(options, MARK, rows, table(rows), words(rows))
    if wrong := [row["mistake"] for row in rows if not row["passed"]]:
        raise ToleranceError("expected one line of the first process", ", ".join(wrong))


def outcomes(folder: Path, mistakes: list[Mistake]) -> Iterator[dict[str, Any]]:
    """Yield what became of each mistake."""
    start = folder / "start"
    (start / "elsewhere").mkdir(parents=True)
    prepare(start, STEPS, every=2)
    finished = folder / "finished"
    if any(mistake.after_run for mistake in mistakes):
        shutil.copytree(start, finished)
        row = made(finished, Mistake("none", ""))
        if row["exit_code"]:
            raise ToleranceError("expected a run that ends", str(row))
    for number, mistake in enumerate(mistakes):
        place = folder / str(number)
        shutil.copytree(finished if mistake.after_run else start, place)
        text = (place / "run.toml").read_text()
        (place / "run.toml").write_text(text.replace(*mistake.change, 1))
        yield made(place, mistake)


def made(folder: Path, mistake: Mistake) -> dict[str, Any]:
    """Make a mistake in a folder; return what the processes say, and when all have ended."""
    steps = [
        mistake.before,
        f"{COMMAND} --timeout {TIMEOUT_S} {mistake.options} 2> {folder}/said-$RANK",
    ]
    shell = ["bash", "-c", "\n".join(filter(None, steps))]
    own = {"PYTHON": sys.executable, "OUT": str(folder / "out")}
    if mistake.alone is None:
        shell = [*launcher(PROCESSES), "--no-python", *shell]
    else:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        own |= {"RANK": str(mistake.alone), "WORLD_SIZE": str(PROCESSES)}
        own |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    begun_s = time.monotonic()
    job = subprocess.Popen(
        shell,
        cwd=folder,
        env=environment(folder) | own,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        code = job.wait(LIMIT_S)
    except subprocess.TimeoutExpired:
        code = None
    seconds = time.monotonic() - begun_s
    left = _end_of(job.pid)
    said = [path.read_text(errors="replace") for path in sorted(folder.glob("said-*"))]
    lines = [_errors(text) for text in said]
    return {
        "mistake": mistake.name,
        "exit_code": code,
        "seconds": round(seconds, 1),
        "line": (lines[0] or ["nothing"])[0],
        "lines": [len(each) for each in lines],
        "tracebacks": sum(text.count("Traceback") for text in said),
        "processes_left": left,
        "passed": code not in (0, None)
        and [len(each) for each in lines] == [1] + [0] * (len(said) - 1)
        and mistake.says in lines[0][0]
        and not left
        and not any("Traceback" in text for text in said),
    }


def _end_of(session: int) -> int:
    """Return how many processes of a session still run, and end them."""
    left = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                left += 1
                os.kill(int(stat.parent.name), signal.SIGKILL)
    return left


def _errors(text: str) -> list[str]:
    """Return what a process says is wrong."""
    return [line for line in text.splitlines() if line.lower().startswith(("error:", "terminate"))]


def table(rows: list[dict[str, Any]]) -> Table:
    """Return a table with a row for each mistake."""
    heads = ("mistake", "what the first process says", "all ended after", "as it should be")
    cells = []
    for row in rows:
        line = re.sub(r"/\S*/(?=out\b)|(?<=127.0.0.1:)\d+", "", row["line"].removeprefix("error: "))
        cells.append(
            (row["mistake"], line, f"{row['seconds']:.0f} s", "yes" if row["passed"] else "no")
        )
    return heads, cells


def words(rows: list[dict[str, Any]]) -> str:
    """Return in a sentence how many mistakes are said as they should be."""
    passed = sum(row["passed"] for row in rows)
    return (
        f"{passed} of {len(rows)} mistakes: one line, of the first process that runs; "
        f"no traceback; nothing left running. {said(rows)}."
    )


if __name__ == "__main__":
    main()
