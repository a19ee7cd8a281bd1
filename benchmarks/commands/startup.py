"""Processor time of short commands over `python -c "import numpy"`, beside another checkout.

Every command and the interpreter run once a round, in turns, so that a machine whose speed drifts
slows them alike; the ratio is taken round by round. Bytecode is compiled before the first round and
kept, as in an installed package, whatever PYTHONDONTWRITEBYTECODE says.

    python -m benchmarks.commands.startup --beside ../before [--rounds 15] [--write PAGE] [--json]
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.checkouts import median_ratio, require_checkout
from benchmarks.gate import Gate
from benchmarks.pages import markdown_table, print_table, split_at_marks, write_between
from benchmarks.process import ROOT, run_process
from energy.console import print_json
from energy.errors import InputError
from energy.guard import guard

MARK = "startup: benchmarks.commands.startup"
HEADS = ("command", "here", "other checkout", "over python and numpy", "there", "target", "met")
NUMPY = "import numpy"
MOST = {
    "compare glam-64b-64e gpt3-175b": 2.5,
    "compare glam-64b-64e gpt3-175b --basis predicted": 2.5,
    "regions": 2.5,
    "predict glam-64b-64e": None,
    "inverse glam-64b-64e --mwh 456 --basis predicted": None,
    "models": None,
}
"""Commands of `simulator`, each with the most that it may take, in times of numpy's import."""


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--beside", type=Path, required=True, help="root of another checkout")
    parser.add_argument("--rounds", type=int, default=15, help="runs of each command (15)")
    parser.add_argument("--write", type=Path, help="page whose table is replaced")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    guard(lambda: run(options.beside, options.rounds, options.write, as_json=options.json))


def run(beside: Path, rounds: int, page: Path | None, *, as_json: bool) -> None:
    """Measure, print, and write the table into a page.

    Raises:
        InputError: there are no rounds, no such checkout, or no place in the page.
    """
    if rounds < 1:
        raise InputError("expected --rounds of at least 1", str(rounds))
    other = require_checkout(beside, "simulator/cli.py")
    if page:
        split_at_marks(page, MARK)
    numpy_s, here_s, there_s = measure(other, rounds)
    gates = {
        words: Gate(f"simulator {words}", median_ratio(here_s[words], numpy_s), most)
        for words, most in MOST.items()
    }
    rows: list[tuple[str, ...]] = [
        (
            f"`{gate.name}`",
            f"{statistics.median(here_s[words]):.3f} s",
            f"{statistics.median(there_s[words]):.3f} s",
            f"{gate.value:.2f}",
            f"{median_ratio(there_s[words], numpy_s):.2f}",
            gate.target("{:g}".format),
            gate.verdict,
        )
        for words, gate in gates.items()
    ]
    rows.append((f'`python -c "{NUMPY}"`', f"{statistics.median(numpy_s):.3f} s", *[""] * 5))
    if page:
        load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        write_between(page, MARK, f"{markdown_table(HEADS, rows)}\n\nLoad of the machine: {load}.")
    if as_json:
        print_json({"commands": [gate.as_json() for gate in gates.values()], "numpy_s": numpy_s})
        return
    print_table(HEADS, rows)


def measure(
    other: Path, rounds: int
) -> tuple[list[float], dict[str, list[float]], dict[str, list[float]]]:
    """Processor seconds of numpy's import, and of each command from both checkouts.

    Args:
        other: root of the other checkout.
        rounds: runs of each.
    """
    numpy_s: list[float] = []
    seconds: dict[Path, dict[str, list[float]]] = {
        checkout: {words: [] for words in MOST} for checkout in (ROOT, other)
    }
    with tempfile.TemporaryDirectory() as folder:
        for number in range(-1, rounds):  # the first compiles and is not counted
            alone = processor_s(["-c", NUMPY], ROOT, Path(folder))
            numpy_s += [alone] if number >= 0 else []
            for checkout, words in ((c, w) for w in MOST for c in seconds):
                arguments = ["-m", "simulator.cli", *shlex.split(words)]
                taken = processor_s(arguments, checkout, Path(folder))
                seconds[checkout][words] += [taken] if number >= 0 else []
    return numpy_s, seconds[ROOT], seconds[other]


def processor_s(arguments: list[str], checkout: Path, folder: Path) -> float:
    """User and system seconds of one run of the interpreter, in an empty folder of its own."""
    kept = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    own = {"PYTHONPATH": str(checkout), "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    place = folder / "empty"
    place.mkdir(exist_ok=True)
    return run_process(
        [sys.executable, *arguments], folder=place, environment=kept | own
    ).processor_s


if __name__ == "__main__":
    main()
