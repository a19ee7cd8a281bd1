"""The rows that a run has sent, kept until it is certain that they are written."""

from __future__ import annotations

import collections
import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from energy.ledger.lines import DAMAGE

KEPT_ROWS = 1000
"""Rows kept in memory, to be sent again if the sampler is lost before it has written them."""

BLOCK_BYTES = 1 << 16
"""Read at a time from the end of a ledger."""


class SentRows:
    """The latest rows of a run, by number.

    Args:
        path: the ledger.
        run_id: id of the run; numbers of its rows count from 1.
    """

    def __init__(self, path: Path, run_id: str) -> None:
        self._path, self._run_id = path, run_id
        self._rows: collections.deque[tuple[int, bytes]] = collections.deque(maxlen=KEPT_ROWS)

    def add(self, number: int, line: bytes, passed: int) -> bool:
        """Keep a row; False if an older one is lost by that.

        Args:
            number: its number.
            line: the row as a line.
            passed: number of the last row that a sampler has taken.
        """
        full = len(self._rows) == KEPT_ROWS
        kept = not full or self._rows[0][0] <= passed
        self._rows.append((number, line))
        return kept

    def after(self, number: int) -> list[tuple[int, bytes]]:
        """The rows with higher numbers, in order."""
        later: list[tuple[int, bytes]] = []
        for row in reversed(self._rows):
            if row[0] <= number:
                break
            later.append(row)
        later.reverse()
        return later

    def written(self) -> set[int]:
        """Numbers of those rows in the ledger that are still in memory."""
        numbers: set[int] = set()
        first = self._rows[0][0] if self._rows else 0
        for line in _from_the_end(self._path):
            try:
                row = json.loads(line)
                if row["k"] == "header" and row.get("id") != self._run_id:
                    break
                if "n" in row:
                    if row["n"] < first:
                        break
                    numbers.add(row["n"])
                elif row["k"] == "header" and not row.get("continues"):
                    break
            except DAMAGE:
                continue
        return numbers


def _from_the_end(path: Path) -> Iterator[bytes]:
    """The lines of a file, the last one first."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        end, rest = file.seek(0, os.SEEK_END), b""
        while end > 0:
            begin = max(0, end - BLOCK_BYTES)
            file.seek(begin)
            first, *lines = (file.read(end - begin) + rest).split(b"\n")
            yield from reversed(lines)
            end, rest = begin, first
        yield rest
