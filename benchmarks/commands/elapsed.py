"""Elapsed seconds of whole commands, as a shell sees them."""

from __future__ import annotations

import shlex
import statistics
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.gate import Gate
from benchmarks.process import run_process

HEADS = ("command", "median", "range", "target", "met")
MOST_S = {
    "energy --help": 0.3,
    "glam --help": 0.3,
    "simulator --help": 0.3,
    "simulator compare glam-64b-64e gpt3-175b": 0.6,
    "simulator plan glam-64b-64e --chip tpu-v4 --chips 1024 --tokens 6e11": 2.0,
}
"""Seconds that each command may take."""


@dataclass(frozen=True)
class Timing:
    """Seconds of one command, one run a round.

    Attributes:
        command: as typed.
        seconds: of each run, start and end of the interpreter included.
    """

    command: str
    seconds: list[float]

    @property
    def gate(self) -> Gate:
        """The median against its limit."""
        return Gate(self.command, statistics.median(self.seconds), MOST_S[self.command])

    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        gate = self.gate
        return (
            f"`{gate.name}`",
            f"{gate.value:.2f} s",
            f"{min(self.seconds):.2f} to {max(self.seconds):.2f} s",
            gate.target("{:g} s".format),
            gate.verdict,
        )

    def as_json(self) -> dict[str, Any]:
        """The gate, and the seconds behind it."""
        return self.gate.as_json() | {"seconds": self.seconds}


def elapsed_s(command: str) -> float:
    """Seconds of one run of an installed command.

    Raises:
        AccountingError: the command failed.
    """
    name, *arguments = shlex.split(command)
    program = str(Path(sys.executable).with_name(name))
    return run_process([program, *arguments]).elapsed_s


def measure(rounds: Iterable[int]) -> list[Timing]:
    """Time each command once a round, after a round that fills the caches."""
    timings = [Timing(command, []) for command in MOST_S]
    for command in MOST_S:
        elapsed_s(command)
    for _ in rounds:
        for timing in timings:
            timing.seconds.append(elapsed_s(timing.command))
    return timings
