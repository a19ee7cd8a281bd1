"""The answers of the compiler, kept as rows: tests and the page read them, without jax."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.tpu_oracle.cases import Case
from benchmarks.tpu_oracle.walk import Message
from energy.errors import InputError
from energy.files import write_text_atomic

ROWS = Path(__file__).resolve().parents[2] / "tests" / "golden" / "tpu_v4.json"

CLOCK_HZ = 1.05e9
"""Of TPU v4: 275 TFLOP/s over what its matrix units do in a cycle."""


@dataclass(frozen=True)
class Row:
    """One program and what the compiler said.

    Attributes:
        case: the program.
        answer: as `benchmarks.tpu_oracle.inside` prints it, with the date.
    """

    case: Case
    answer: dict[str, Any]

    @property
    def compiled(self) -> bool:
        """Whether it was compiled: not refused, and done in time."""
        return "flop" in self.answer

    @property
    def refused(self) -> bool:
        """Whether it does not fit in memory."""
        return "refused" in self.answer

    @property
    def flop(self) -> int:
        """Of the products, one chip."""
        return int(sum(self.answer["flop"].values()))

    @property
    def peak_bytes(self) -> int:
        """The most memory that it needs at one time, its arguments and results included."""
        return int(self.answer["bytes"]["peak"])

    @property
    def messages(self) -> dict[Message, int]:
        """How often each message is sent."""
        return {
            Message(kind, ranks, stride, size): times
            for kind, ranks, stride, size, times in self.answer["messages"]
        }


def read_rows(path: Path = ROWS) -> list[Row]:
    """The rows of a file, in the order of its lines; none without the file.

    Raises:
        InputError: it is not a file of answers.
    """
    if not path.exists():
        return []
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return [Row(Case.from_row(row["case"]), row["answer"]) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"expected the answers of the compiler in {path}",
            f"{error}",
            "restore the file, or move it away and compile again",
        ) from error


def write_rows(rows: list[Row], path: Path = ROWS) -> None:
    """Write them, one a line, so that a change of one is a change of a line."""
    lines = [json.dumps({"case": row.case.to_row(), "answer": row.answer}) for row in rows]
    write_text_atomic(path, "[\n" + ",\n".join(lines) + "\n]\n")
