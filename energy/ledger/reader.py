"""Reads ledgers: the rows of each metering process become a segment."""

from __future__ import annotations

import contextlib
from pathlib import Path

from energy.errors import InputError
from energy.ledger import checked
from energy.ledger.incidents import INCIDENTS
from energy.ledger.lines import DAMAGE, Lines, OnBytes, Row, node_file_name
from energy.ledger.segment import LOST, Segment

LIVE_SAMPLES = 7200
"""Samples that the reader of a run that is still going on keeps in memory."""


def segments(path: Path) -> list[Segment]:
    """The segments of a ledger that have samples."""
    return Reader(path).segments()


Lent = dict[tuple[tuple[str, int, int], ...], Segment]
"""The first segment that borrowed all its samples, by the ids of their holders and their files."""


class BorrowedSamples:
    """The samples that one run took for another.

    Args:
        beside: the ledger of the run that borrows them.
        holder: id and ledger of the run that took them, from an "attach" row.
    """

    def __init__(self, beside: Path, holder: Row) -> None:
        self._lines = Lines(_ledger_of(beside, holder))
        # A ledger may hold several runs, one after the other.
        self._id, self._in_run = holder["id"], False
        self._domains: list[Row] = []

    def add_to(self, segment: Segment) -> None:
        """Add what is new to the segment of the run that borrows."""
        with contextlib.suppress(FileNotFoundError, InputError):
            for row in self._lines.new():
                with contextlib.suppress(*DAMAGE):
                    self._add(row, segment)

    def _add(self, row: Row, segment: Segment) -> None:
        kind = row["k"]
        checked.require(row)
        if kind == "header":
            row, _ = checked.header(row)
            self._in_run = row.get("id") == self._id
            if self._in_run and row["domains"]:
                self._domains = row["domains"]
                segment.add_domains(row)
        if not self._in_run:
            return
        if kind == "s":
            segment.add_sample(row, self._domains)
        elif kind == "t":
            segment.add_ticks(row)
        elif kind == "state":
            segment.devices.add(row)
        elif kind in INCIDENTS:
            segment.add_incident(row)


class Reader:
    """Reads a ledger that may still grow; each call of `segments` continues.

    Args:
        path: of the ledger.
        live: whether the run that writes it asks for its own energy while it is going on. Then
            windows and marks are left out, and all old samples but the first are forgotten.
        lent: shared by the readers of the ledgers of one node, so that the samples that one of its
            runs took for all others are read once.
        on_bytes: as of `Lines`.
    """

    def __init__(
        self,
        path: Path,
        live: bool = False,
        lent: Lent | None = None,
        on_bytes: OnBytes | None = None,
    ) -> None:
        self._lines, self._live, self._lent = Lines(path, on_bytes), live, lent
        self._segments: list[Segment] = []
        self._borrowed: dict[tuple[int, str], BorrowedSamples] = {}

    @property
    def damaged(self) -> list[int]:
        """Numbers, from 1, of the lines that were left out."""
        return self._lines.damaged

    def segments(self) -> list[Segment]:
        """The segments that have samples; a restarted sampler continues its segment."""
        for row in self._lines.new():
            try:
                self._add(row)
            except DAMAGE:
                self._lines.damaged.append(self._lines.count)
        for number, segment in enumerate(self._segments):
            self._borrow(number, segment)
            segment.set_times(self._live)
            if self._live and len(segment.times) > LIVE_SAMPLES:
                segment.forget(segment.times[-LIVE_SAMPLES // 2])
        return [segment for segment in self._segments if segment.times]

    def _borrow(self, number: int, segment: Segment) -> None:
        """Add the samples that others took for a segment."""
        if self._lent is not None and segment.holders and not segment.own_s:
            with contextlib.suppress(OSError):
                files = [
                    (holder["id"], _ledger_of(self._lines.path, holder).stat())
                    for holder in segment.holders
                ]
                key = tuple((name, file.st_dev, file.st_ino) for name, file in files)
                first = self._lent.setdefault(key, segment)
                if first is not segment:
                    segment.share(first)
                    return
        for holder in segment.holders:
            place = (number, holder["id"])
            if place not in self._borrowed:
                self._borrowed[place] = BorrowedSamples(self._lines.path, holder)
            self._borrowed[place].add_to(segment)

    def _add(self, row: Row) -> None:
        kind = row["k"]
        checked.require(row)
        if kind == "header":
            row, whole = checked.header(row)
            if not whole:
                self.damaged.append(self._lines.count)
            last = self._segments[-1] if self._segments else None
            # A sampler that was killed before its first row has left nothing to continue.
            if row.get("continues") and last is not None and last.header.get("id") == row.get("id"):
                last.resume(row)
            else:
                self._segments.append(Segment.from_header(row))
        if not self._segments:
            raise ValueError("no header before it")
        segment = self._segments[-1]
        # After its end a process samples only for the runs that are attached to it.
        if kind != "s" or segment.end == LOST:
            segment.add(row, live=self._live)


def _ledger_of(beside: Path, holder: Row) -> Path:
    """The ledger of a holder: the link to it in the folder of a run, or its own place."""
    link = beside.with_name(node_file_name(holder["id"]))
    return link if link.exists() else Path(holder["ledger"])
