"""Joules of a job whose processes share boards: the merged record counts each board once.

    python -m benchmarks.distributed.shared_boards [--only RANKSxBOARDS ...] [--write docs/...]

`glam train` runs under torchrun on a stand-in for NVIDIA's library, whose boards draw 300 W at all
times, so that the joules of the boards are known: watts times the elapsed time of the record.
Exit code 5 if record or live joules count a board twice, or not at all.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.distributed.circumstances import circumstances, said
from benchmarks.distributed.small_job import finish, launch, prepare
from benchmarks.pages import Table, add_output_options, show, split_at_marks
from energy import RunRecord
from energy.errors import ToleranceError
from energy.guard import guard
from energy.quantity import Boundary

MARK = "shared boards: benchmarks.distributed.shared_boards"
CASES = ("2x2", "2x1", "4x2", "2x3")
"""Processes and boards."""

WATTS, STEPS = 300.0, 40

SAME = 0.01
"""Relative difference of joules, as the counter of a board ticks ten times a second."""


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="*", default=CASES, help="processes x boards: 4x2")
    add_output_options(parser)
    options = parser.parse_args()
    guard(lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Train with each number of processes and boards; print or write the joules.

    Raises:
        InputError: a page without a place for the result.
        ToleranceError: the joules are not those of the boards once.
    """
    if options.write:
        split_at_marks(options.write, MARK)
    rows = []
    for case in options.only:
        ranks, boards = map(int, case.split("x"))
        with tempfile.TemporaryDirectory() as name:
            rows.append(joules(Path(name), ranks, boards) | circumstances())
    show(options, MARK, rows, table(rows), words(rows))
    if not all(row["passed"] for row in rows):
        raise ToleranceError("expected the joules of each board once", words(rows))


def joules(folder: Path, ranks: int, boards: int) -> dict[str, Any]:
    """Train on boards; return the joules of record, metrics, ranks, and of the boards."""
    from tests.support.standin import compiled_nvml, nvml_environment

    power = {"DEVICES": boards, "LOW_W": WATTS, "HIGH_W": WATTS}
    wanted = nvml_environment(compiled_nvml(folder), **power)
    settings = {name: value for name, value in wanted.items() if os.environ.get(name) != value}
    prepare(folder, STEPS)
    job = launch(folder, "out", ranks, "--meter", "nvml", "--shard", settings=settings)
    finish(job, folder / "out.log")
    record = RunRecord.load(folder / "out" / "record.json")
    rows = [json.loads(line) for line in (folder / "out" / "metrics.jsonl").open()]
    merged = record.totals[Boundary.CHIP].value or 0.0
    once = WATTS * boards * (record.elapsed_s.value or 0.0)
    live_w = rows[-1]["power_w"] or 0.0
    return {
        "ranks": ranks,
        "boards": boards,
        "record_j": merged,
        "once_j": once,
        "live_w": live_w,
        "live_j": rows[-1]["energy_j"],
        "passed": abs(merged / once - 1) <= SAME
        and abs(live_w / (WATTS * boards) - 1) <= SAME
        and 0 < rows[-1]["energy_j"] <= once * (1 + SAME),
    }


def table(rows: list[dict[str, Any]]) -> Table:
    """Return a table with a row for each number of processes and boards."""
    heads = (
        "processes",
        "boards",
        "boards once, J",
        "record, J",
        "record over boards",
        "live, W",
        "boards, W",
    )
    return heads, [
        (
            str(row["ranks"]),
            str(row["boards"]),
            f"{row['once_j']:,.0f}",
            f"{row['record_j']:,.0f}",
            f"{row['record_j'] / row['once_j']:.4f}",
            f"{row['live_w']:,.0f}",
            f"{WATTS * row['boards']:,.0f}",
        )
        for row in rows
    ]


def words(rows: list[dict[str, Any]]) -> str:
    """Return in a sentence how many of the jobs count each board once."""
    passed = sum(row["passed"] for row in rows)
    return f"{passed} of {len(rows)} jobs count each board once. {said(rows)}."


if __name__ == "__main__":
    main()
