"""The closed windows of a segment, in columns: a run may have millions of them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import Self

from energy.ledger.lines import Row


class Windows:
    """Windows in the order in which they were closed.

    Attributes:
        begins: monotonic seconds.
        ends: monotonic seconds.
        kinds: index in `names` of each.
        names: names and phases.
    """

    def __init__(self) -> None:
        self.begins: array[float] = array("d")
        self.ends: array[float] = array("d")
        self.kinds: array[int] = array("i")
        self.names: list[tuple[str, str]] = []
        self._places: dict[tuple[str, str], int] = {}

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Self:
        """The windows of rows."""
        windows = cls()
        for row in rows:
            windows.append(row)
        return windows

    def append(self, row: Row) -> None:
        """Add the window of a row; of a damaged one, which raises, no part is added."""
        begin_s, end_s = row["m0"] / 1e9, row["m1"] / 1e9
        name = str(row["name"]), str(row["phase"])
        place = self._places.get(name)
        if place is None:
            place = self._places[name] = len(self.names)
            self.names.append(name)
        self.begins.append(begin_s)
        self.ends.append(end_s)
        self.kinds.append(place)

    def __len__(self) -> int:
        return len(self.begins)

    def __iter__(self) -> Iterator[Row]:
        """The windows as rows."""
        for begin_s, end_s, kind in zip(self.begins, self.ends, self.kinds, strict=True):
            name, phase = self.names[kind]
            yield {
                "m0": round(begin_s * 1e9),
                "m1": round(end_s * 1e9),
                "name": name,
                "phase": phase,
            }
