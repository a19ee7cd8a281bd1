"""How much of long ledgers was read: a line in a terminal that is updated, else one a minute."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self, TextIO

from energy import units
from energy.ledger.lines import FILE
from energy.letters import escaped, terminal

QUIET_S = 1.0
"""Whoever waits no longer than this needs no word."""

LIVE_S, LOG_S = 0.2, 60.0
"""Seconds between two updates in a terminal, and between two lines elsewhere."""


class Progress:
    """Says on stderr how much was read, once that takes more than a second.

    Args:
        folders: of the runs whose ledgers are read, or the ledgers.
        times: how often each of them is read.
        stream: stderr, or another stream.
        clock: seconds; time.monotonic by default.
    """

    def __init__(
        self,
        folders: Iterable[Path],
        times: int = 1,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        places = [path / FILE if path.is_dir() else path for path in map(Path, folders)]
        self._total = times * sum(path.stat().st_size for path in places if path.is_file())
        what = str(places[0].parent) if len(places) == 1 else f"{len(places)} ledgers"
        self._what = escaped(what)
        self._stream, self._clock = terminal(stream or sys.stderr), clock
        self._live = self._stream.isatty()
        self._begun_s = clock()
        self._due_s = self._begun_s + (QUIET_S if self._live else LOG_S)
        self._done = 0
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live and self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def advance(self, count: int) -> None:
        """Note that so many bytes more were read."""
        self._done += count
        now_s = self._clock()
        if now_s < self._due_s or not self._total:
            return
        self._due_s = now_s + (LIVE_S if self._live else LOG_S)
        share = min(1.0, self._done / self._total)
        left_s = (now_s - self._begun_s) * (1 / share - 1) if share else 0.0
        words = f"reading {self._what}: {100 * share:.0f} %, {units.duration(left_s)} left"
        self._stream.write(f"\r\x1b[K{words}" if self._live else f"{words}\n")
        self._stream.flush()
        self._shown = True
