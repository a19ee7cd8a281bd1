"""Processor time of `--help` over `python -c "import typer"`, in turns within one run.

No command that is built on typer can take less than its import. Bytecode is compiled before the
first round and kept, as in an installed package.
"""

from __future__ import annotations

import shlex
import statistics
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.checkouts import median_ratio
from benchmarks.commands.startup import processor_s
from benchmarks.gate import Gate
from benchmarks.process import ROOT

HEADS = ("command", "processor time", "over python and typer", "target", "met")
TYPER = "import typer"
MOST = 1.3
"""Times of typer's import that each may take."""

COMMANDS = (
    "energy --help",
    "energy run --help",
    "glam --help",
    "glam train --help",
    "simulator --help",
    "simulator predict --help",
)


@dataclass(frozen=True)
class Measured:
    """Processor seconds, one run a round.

    Attributes:
        typer_s: of the interpreter that imports typer.
        seconds: by command.
    """

    typer_s: list[float]
    seconds: dict[str, list[float]]

    def gates(self) -> list[Gate]:
        """The median ratio of each command, against its limit."""
        return [
            Gate(command, median_ratio(own, self.typer_s), MOST, form="ratio")
            for command, own in self.seconds.items()
        ]

    def rows(self) -> list[tuple[str, ...]]:
        """The rows of the table; the last is typer alone."""
        rows: list[tuple[str, ...]] = [
            (
                f"`{gate.name}`",
                f"{statistics.median(self.seconds[gate.name]):.3f} s",
                f"{gate.value:.2f}",
                gate.target("{:g}".format),
                gate.verdict,
            )
            for gate in self.gates()
        ]
        alone = f"{statistics.median(self.typer_s):.3f} s"
        return [*rows, (f'`python -c "{TYPER}"`', alone, "", "", "")]


def measure(rounds: Iterable[int]) -> Measured:
    """Run typer's import and every command once a round."""
    measured = Measured([], {command: [] for command in COMMANDS})
    with tempfile.TemporaryDirectory() as folder:
        for number in (-1, *rounds):  # the first compiles and is not counted
            taken = processor_s(["-c", TYPER], ROOT, Path(folder))
            measured.typer_s.extend([taken] if number >= 0 else [])
            for command in COMMANDS:
                name, *arguments = shlex.split(command)
                taken = processor_s(["-m", f"{name}.cli", *arguments], ROOT, Path(folder))
                measured.seconds[command].extend([taken] if number >= 0 else [])
    return measured
