"""Seconds of whole commands, from the shell's point of view: medians of interleaved runs.

Run as `python -m benchmarks.commands [--rounds 9] [--write docs/results.md] [--json]`.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path

from rich.progress import track

from benchmarks.pages import markdown, require_place, show, write_between
from energy.console import guard, print_json
from energy.errors import AccountingError, InputError

MARK = "commands: benchmarks/commands/__main__.py"
HEADS = ("command", "median", "least to most", "gate", "met")
GATES_S = {
    "energy --help": 0.3,
    "glam --help": 0.3,
    "simulator --help": 0.3,
    "simulator compare glam-64b-64e gpt3-175b": 0.6,
    "simulator plan glam-64b-64e --chip tpu-v4 --chips 1024 --tokens 6e11": 2.0,
}


def seconds(command: str) -> float:
    """Seconds of one run, start and end of the interpreter included.

    Raises:
        AccountingError: it failed.
    """
    name, *rest = shlex.split(command)
    begun = time.perf_counter()
    done = subprocess.run([str(Path(sys.executable).with_name(name)), *rest], capture_output=True)
    took = time.perf_counter() - begun
    if done.returncode:
        raise AccountingError(f"expected {command} to succeed", f"exit code {done.returncode}")
    return took


def measured(rounds: int) -> dict[str, list[float]]:
    """Each command once a round, after a round that fills the caches."""
    found: dict[str, list[float]] = {command: [] for command in GATES_S}
    for command in found:
        seconds(command)
    for _ in track(range(rounds), "rounds", disable=not sys.stderr.isatty()):
        for command, taken in found.items():
            taken.append(seconds(command))
    return found


def run(rounds: int, page: Path | None, as_json: bool) -> None:
    """Measure, print, and write where it was asked for.

    Raises:
        InputError: no rounds, or the page has no place for the table.
    """
    if rounds < 1:
        raise InputError("expected --rounds of at least 1", str(rounds))
    if page:
        require_place(page, MARK)
    found = measured(rounds)
    rows = [
        (
            f"`{command}`",
            f"{statistics.median(taken):.2f} s",
            f"{min(taken):.2f} to {max(taken):.2f} s",
            f"{gate:g} s",
            "yes" if statistics.median(taken) <= gate else "no",
        )
        for (command, gate), taken in zip(GATES_S.items(), found.values(), strict=True)
    ]
    if page:
        write_between(page, MARK, markdown(HEADS, rows))
    if as_json:
        print_json(
            {
                "commands": [
                    {"command": command, "seconds": taken} for command, taken in found.items()
                ]
            }
        )
        return
    show(HEADS, rows)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=9, help="runs of each command (9)")
    parser.add_argument("--write", type=Path, help="a page whose table is made anew")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    chosen = parser.parse_args()
    guard(lambda: run(chosen.rounds, chosen.write, chosen.json))


if __name__ == "__main__":
    main()
