"""Searches of plans beside another checkout: plans a processor second, in turns.

The other checkout is a former build with the same formulas: every plan's seconds, watts and bytes
are compared bit by bit, and the best plans. Two searches: every plan of a model on several numbers
of chips and batches (what `pareto` and `feasible` do), and the fastest plan of a fine space on 512
chips (what `plan` does). Then `simulator plan` on 98,304 chips: processor time and memory.

    python -m benchmarks.simulator.searches --beside ../before [--write docs/results-simulator.md]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.checkouts import median_ratio, require_checkout, run_python
from benchmarks.pages import markdown_table, print_table, split_at_marks, write_between
from benchmarks.process import ROOT
from benchmarks.simulator.speed import BATCH_TOKENS, COUNTS, MODELS, scenario_of
from energy.console import print_json
from energy.errors import AccountingError
from energy.guard import guard

MARK = "searches: benchmarks.simulator.searches"
CHIP = "h100-sxm5-80gb"
ROUNDS = 5
HEADS = ("search", "plans", "other checkout", "here", "ratio, median of pairs", "same bits")
PLAN = (
    "plan deepseek-v3 --chip h800 --chips 98304 --tokens 14.8e12 --batch 98304 "
    "--set hardware.precision=fp8 --json"
)


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--beside", type=Path, required=True, help="root of another checkout")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"pairs of turns ({ROUNDS})")
    parser.add_argument("--write", type=Path, help="page whose table is replaced")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    guard(lambda: run(options.beside, max(options.rounds, 1), options.write, options.json))


def run(beside: Path, rounds: int, page: Path | None, as_json: bool) -> None:
    """Search from both checkouts, and print or write what each takes.

    Raises:
        InputError: there is no such checkout, or the page has no place for the table.
    """
    other = require_checkout(beside, "simulator/plans/evaluate.py")
    if page:
        split_at_marks(page, MARK)
    searches = [
        pair(model, search, other, rounds) for search in ("sweep", "best") for model in MODELS
    ]
    plans = [plan(checkout) for checkout in (other, ROOT)]
    rows = [cells(each) for each in searches]
    rows.append(
        (
            "simulator plan, 98,304 chips",
            "",
            *(f"{each['seconds']:.2f} s, {each['peak_mb']:,.0f} MB" for each in plans),
            f"{plans[0]['seconds'] / plans[1]['seconds']:.1f}",
            "yes" if plans[0]["stdout"] == plans[1]["stdout"] else "no",
        )
    )
    if page:
        load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        write_between(page, MARK, f"{markdown_table(HEADS, rows)}\n\nLoad of the machine: {load}.")
    if as_json:
        print_json({"searches": searches, "plan": [each | {"stdout": ""} for each in plans]})
        return
    print_table(HEADS, rows)


def pair(model: str, search: str, other: Path, rounds: int) -> dict[str, Any]:
    """One search from both checkouts, in turns after one to warm up."""
    scenarios = [scenario_of(model, CHIP, *size) for size in product(COUNTS[:3], BATCH_TOKENS[:3])]
    sides = [contestant(checkout, scenarios) for checkout in (other, ROOT)]
    try:
        turns = [[answer(side, search) for side in sides] for _ in range(rounds + 1)][1:]
    finally:
        for side in sides:
            side.kill()
            side.wait()
    seconds = [[turn[place]["seconds"] for turn in turns] for place in (0, 1)]
    return {
        "search": search,
        "model": model,
        "plans": turns[0][0]["considered"],
        "other_s": statistics.median(seconds[0]),
        "here_s": statistics.median(seconds[1]),
        "ratio": median_ratio(*seconds),
        "same": all(before["digest"] == now["digest"] for before, now in turns),
    }


def contestant(checkout: Path, scenarios: list[dict[str, Any]]) -> subprocess.Popen[str]:
    """A process that searches with the code of a checkout whenever a line asks for it."""
    script = ROOT / "benchmarks" / "simulator" / "searching.py"
    return subprocess.Popen(
        [sys.executable, "-P", str(script), json.dumps(scenarios)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(checkout)},
    )


def answer(side: subprocess.Popen[str], search: str) -> dict[str, Any]:
    """What a side says of one search.

    Raises:
        AccountingError: it has ended.
    """
    assert side.stdin is not None
    assert side.stdout is not None
    side.stdin.write(f"{search}\n")
    side.stdin.flush()
    line = side.stdout.readline()
    if not line:
        raise AccountingError("expected an answer of a search", "it ended; see what it printed")
    said: dict[str, Any] = json.loads(line)
    return said


def plan(checkout: Path) -> dict[str, Any]:
    """Processor seconds, peak memory and answer of `simulator plan` on 98,304 chips."""
    with tempfile.TemporaryDirectory() as folder:
        done = run_python(checkout, "-m", "simulator.cli", *PLAN.split(), folder=Path(folder))
    return {
        "seconds": done.processor_s,
        "peak_mb": done.peak_bytes / 1e6,
        "stdout": done.stdout,
    }


def cells(search: dict[str, Any]) -> tuple[str, ...]:
    """The row of a search."""
    rates = (f"{search['plans'] / search[side] / 1e6:.2f} M/s" for side in ("other_s", "here_s"))
    what = {"sweep": "every plan", "best": "the fastest"}[search["search"]]
    return (
        f"{what}, {search['model']}",
        f"{search['plans']:,}",
        *rates,
        f"{search['ratio']:.1f}",
        "yes" if search["same"] else "no",
    )


if __name__ == "__main__":
    main()
