"""The program that writes the ledger, a process of its own that nothing in training can stop.

Started by path (`python energy/sampler.py`), it reads every counter once an interval and takes rows
(windows, marks) from its standard input. When that closes without a goodbye its parent died: it
writes a last sample and ends. It imports the standard library only, and pynvml where a driver is.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # started by path: the package's parent takes the place of its folder
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from energy import ledger
from energy.meters import sources

SYNC_S = 30.0
"""Seconds between flushes to the disk itself, which is what a power cut can cost."""


class Writer:
    """Appends sealed rows; a full disk delays them and loses none that are still in memory."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._good = os.lseek(self._file, 0, os.SEEK_END)
        self._drop_torn_tail()
        self._previous = ledger.last_hash(path)
        self._waiting: list[dict[str, Any]] = []
        self._synced = time.monotonic()

    def append(self, row: dict[str, Any]) -> None:
        """Write a row, and before it the rows that the disk refused so far."""
        self._waiting.append(row)
        while self._waiting:
            line, digest = ledger.seal(self._waiting[0], self._previous)
            if not self._write(line):
                del self._waiting[:-10_000]
                return
            self._previous = digest
            self._waiting.pop(0)
        if time.monotonic() - self._synced > SYNC_S:
            self.sync()

    def sync(self) -> None:
        """Flush to the disk."""
        with contextlib.suppress(OSError):
            os.fdatasync(self._file)
        self._synced = time.monotonic()

    def _write(self, line: bytes) -> bool:
        try:
            written = os.write(self._file, line)
        except OSError:
            written = 0
        if written == len(line):
            self._good += written
            return True
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, self._good)
        return False

    def _drop_torn_tail(self) -> None:
        """Cut a last line that was being written when its writer was killed."""
        size = self._good
        tail = os.pread(self._file, min(size, 65536), max(0, size - 65536))
        if tail and not tail.endswith(b"\n"):
            self._good = size - len(tail) + tail.rfind(b"\n") + 1
            os.ftruncate(self._file, self._good)


def main() -> None:
    """Meter until told to stop or until the parent dies. One JSON object of settings on argv."""
    settings = json.loads(sys.argv[1])
    # Ctrl-C reaches the whole foreground group; the last row is written when the parent is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    found, domains = sources.opened(settings["meters"])
    named = {domain.id for domain in domains}
    writer = Writer(Path(settings["ledger"]))
    writer.append({**settings["header"], "k": "header", "v": ledger.VERSION,
                   "domains": [domain.as_dict() for domain in domains],
                   "m": time.monotonic_ns(), "utc": datetime.now(UTC).isoformat()})  # fmt: skip

    def sample() -> None:
        joules: dict[str, float | None] = {}
        for source in found:
            joules.update({d: j for d, j in source.read().items() if d in named})
        told = {d: None if j is None else round(j, 6) for d, j in joules.items()}
        writer.append({"k": "s", "m": time.monotonic_ns(), "j": told})

    sample()
    os.write(1, b"ready\n")
    why = listen(writer, sample, settings["interval_s"])
    sample()
    writer.append({"k": "end", "m": time.monotonic_ns(), "why": why})
    writer.sync()
    for source in found:
        source.close()


def listen(writer: Writer, sample: Any, interval_s: float) -> str:
    """Sample at each interval and write the rows that come in; returns why it ended."""
    pending = b""
    due = time.monotonic() + interval_s
    while True:
        ready, _, _ = select.select([0], [], [], max(0.0, due - time.monotonic()))
        if ready:
            data = os.read(0, 65536)
            if not data:
                return "parent died"
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                row = json.loads(line)
                if row["k"] == "close":
                    return "closed"
                writer.append(row)
        if time.monotonic() >= due:
            sample()
            # After a suspension the missed intervals are not made up for.
            due = max(due + interval_s, time.monotonic())


if __name__ == "__main__":
    main()
