"""Processor time of whole commands from this checkout and from another one, in turns.

A machine whose speed drifts slows both runs of a pair alike, so the ratio is taken pair by pair.
"""

from __future__ import annotations

import shlex
import statistics
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.checkouts import median_ratio, run_python
from benchmarks.gate import Gate
from benchmarks.process import ROOT, run_process

HEADS = ("command", "here", "other checkout", "ratio, median of pairs", "target", "met")


@dataclass(frozen=True)
class Command:
    """A command of the simulator and its gate.

    Attributes:
        arguments: of `simulator`.
        most: processor time allowed here, as a share of the other checkout's.
        exit_codes: those of a run that did its work.
    """

    arguments: str
    most: float
    exit_codes: tuple[int, ...] = (0,)

    def processor_s(self, checkout: Path) -> float:
        """Processor time of one run: user plus system, children included.

        Args:
            checkout: root of the code to run.

        Raises:
            AccountingError: the command failed.
        """
        # In an empty folder, as `python -m` looks for packages in the working directory first.
        with tempfile.TemporaryDirectory() as folder:
            return run_python(
                checkout,
                "-m",
                "simulator.cli",
                *shlex.split(self.arguments),
                folder=Path(folder),
                exit_codes=self.exit_codes,
            ).processor_s


COMMANDS = (
    Command("plan glam-64b-64e --chip tpu-v4 --chips 1024 --tokens 6e11", 0.5),
    Command("power glam-64b-64e", 0.55),
    Command("pareto glam-64b-64e glam-137b --chip tpu-v4,h100 --chips 1024,2048", 0.7),
    Command(
        "feasible glam-64b-64e glam-137b --chip tpu-v4,h100 --max-mw 1 --max-chips 2048 "
        "--start 2027-01-01 --by 2027-04-01",
        0.6,
        exit_codes=(0, 3),  # 3: nothing keeps to the limits, which takes the same search
    ),
    Command("inverse glam-64b-64e --mwh 456 --days 60 --basis predicted", 0.3),
)


LIBRARIES = """
import numpy, rich.console, rich.table, typer
from pydantic import BaseModel, TypeAdapter
"""
"""What every command of either checkout loads of other projects: no command can take less."""


def libraries_s() -> float:
    """Processor time of an interpreter that imports the libraries and does nothing."""
    with tempfile.TemporaryDirectory() as folder:
        return run_process([sys.executable, "-c", LIBRARIES], folder=Path(folder)).processor_s


@dataclass(frozen=True)
class Comparison:
    """Processor seconds of one command, one pair of runs a round.

    Attributes:
        command: that was run.
        here_s: of this checkout.
        other_s: of the other one.
    """

    command: Command
    here_s: list[float]
    other_s: list[float]

    @property
    def gate(self) -> Gate:
        """The median ratio over the pairs, against its limit."""
        ratio = median_ratio(self.here_s, self.other_s)
        return Gate(f"simulator {self.command.arguments}", ratio, self.command.most)

    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        gate = self.gate
        return (
            f"`{gate.name}`",
            f"{statistics.median(self.here_s):.2f} s",
            f"{statistics.median(self.other_s):.2f} s",
            f"{gate.value:.2f}",
            gate.target("{:g}".format),
            gate.verdict,
        )

    def as_json(self) -> dict[str, Any]:
        """The gate, and the seconds behind it."""
        return self.gate.as_json() | {"here_s": self.here_s, "other_s": self.other_s}


@dataclass(frozen=True)
class Measured:
    """Comparisons of commands, and what the libraries cost in the same rounds.

    Attributes:
        comparisons: one for each command.
        libraries_s: processor seconds of the libraries alone, one a round.
    """

    comparisons: list[Comparison]
    libraries_s: list[float]

    def rows(self) -> list[tuple[str, ...]]:
        """The rows of the table; the last is the part that both checkouts pay alike."""
        libraries = f"{statistics.median(self.libraries_s):.2f} s"
        last = ("numpy, pydantic, typer and rich, imported", libraries, libraries, "", "", "")
        return [*(comparison.cells() for comparison in self.comparisons), last]

    def as_json(self) -> dict[str, Any]:
        """Every comparison, and the seconds of the libraries."""
        return {
            "processor_time": [comparison.as_json() for comparison in self.comparisons],
            "libraries_s": self.libraries_s,
        }


def compare(other: Path, rounds: Iterable[int]) -> Measured:
    """Run every command once a round from either checkout.

    Args:
        other: root of the other checkout.
        rounds: numbers of the rounds; the checkout that goes first changes from one to the next.
    """
    comparisons = [Comparison(command, [], []) for command in COMMANDS]
    # Once before the clock starts, so that compiled bytecode and file caches are there.
    for command in COMMANDS:
        command.processor_s(ROOT)
        command.processor_s(other)
    libraries = []
    for number in rounds:
        libraries.append(libraries_s())
        for comparison in comparisons:
            turns = [(ROOT, comparison.here_s), (other, comparison.other_s)]
            for checkout, seconds in turns if number % 2 else reversed(turns):
                seconds.append(comparison.command.processor_s(checkout))
    return Measured(comparisons, libraries)
