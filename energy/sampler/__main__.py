"""The program that writes the ledger, in a process of its own that nothing in training can stop.

It is started by path (`python energy/sampler/__main__.py SETTINGS`). It reads every counter once
per interval and takes rows (windows, marks) from its standard input. If that closes without a
goodbye, the parent has died: the process writes a last sample and ends. It imports nothing but the
standard library and light modules of energy, and pynvml if there is a driver.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # started by path
    # The package is loaded from this file's location without putting any folder on the path: a file
    # beside the package (in site-packages, say a backport of `dataclasses`) must not hide a module
    # of the standard library.
    del sys.path[0]
    _home = Path(__file__).resolve().parent.parent
    _spec = importlib.util.spec_from_file_location("energy", _home / "__init__.py")
    if _spec is not None and _spec.loader is not None:
        sys.modules["energy"] = importlib.util.module_from_spec(_spec)
        _spec.loader.exec_module(sys.modules["energy"])

from energy.ledger import lines as ledger
from energy.ledger.writer import LedgerInUseError, Writer
from energy.meters import sources
from energy.meters.base import Source
from energy.sampler.attached import Attached
from energy.sampler.inbox import Inbox
from energy.sampler.sampling import Sampler
from energy.sampler.seat import Seat

CLOSED, PARENT_DIED = "closed", "parent died"
"""Why metering ended, as the end row of a ledger says it."""

REQUESTS = ("close", "pause")
"""Rows from the run that are requests to this process; all others go into the ledger."""


def main() -> None:
    """Meter until the run closes its end or dies; argv holds the settings as one JSON object."""
    settings = json.loads(sys.argv[1])
    # Ctrl-C reaches the whole foreground group; the last row is written when the parent is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        # Where permitted: a busy machine must not delay the polls of a counter.
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    seat = Seat(settings["choice"])
    try:
        writer = Writer(Path(settings["ledger"]))
    except LedgerInUseError:
        _reply(ledger.TAKEN)
        return
    process = MeteringProcess(settings, seat, writer)
    _reply(ledger.READY)
    process.finish(process.serve_run())


def _reply(word: bytes) -> None:
    """Send a word to the run, which may have died already."""
    with contextlib.suppress(OSError):
        os.write(1, word)


class MeteringProcess:
    """Meters one run: as the node's reader of the meters, or attached to the process that is.

    Args:
        settings: `meters`, `interval_s`, and the `header` of the ledger.
        seat: the seat of the node's reader.
        writer: the writer of the run's ledger.
    """

    def __init__(self, settings: dict[str, Any], seat: Seat, writer: Writer) -> None:
        self._settings, self._seat, self._writer = settings, seat, writer
        self._header: dict[str, Any] = settings["header"]
        self._sources: list[Source] = []
        self._waiting = -1
        self._role: Sampler | Attached
        if seat.take():
            self._role = self._start_reading(self._header)
        else:
            self._write_header(self._header, [])
            self._waiting = seat.wait()
            self._role = Attached(seat, writer, settings["interval_s"])
        self._role.run_pending()

    def serve_run(self) -> str:
        """Write the rows of the run and do what is due until the run ends; returns why it ended."""
        inbox, parent = Inbox(), self._header["pid"]
        while True:
            files = [file for file in (self._seat.fileno(), self._waiting) if file >= 0]
            ready = inbox.wait(files, self._role.wait_ns())
            if self._waiting in ready:
                self._take_over()
                continue
            lines = inbox.lines()
            if lines is None:
                return PARENT_DIED
            if self._take([json.loads(line) for line in lines]):
                return CLOSED
            if not lines and os.getppid() != parent:
                # A forked child may keep the pipe open after the run itself has died.
                return PARENT_DIED
            if self._seat.fileno() in ready:
                self._serve_attached()
            self._role.run_pending()

    def finish(self, why: str) -> None:
        """Write the last sample, and leave the seat to the next process."""
        moment = self._role.sample()
        self._role.settle()
        used = time.process_time()
        self._writer.append({"k": "end", "m": moment, "why": why, "cpu_s": round(used, 4)})
        self._serve_attached()
        if isinstance(self._role, Sampler) and self._role.serves_others:
            self._role.sample()  # for attached runs, up to the moment when one of them takes over
        self._writer.sync()
        self._seat.leave()
        for source in self._sources:
            source.close()

    def _start_reading(self, header: dict[str, Any]) -> Sampler:
        """Open the meters, and announce where other processes can read the samples."""
        self._sources, domains = sources.open_sources(
            self._settings["meters"], self._settings["start_s"]
        )
        self._write_header(header, [domain.as_dict() for domain in domains])
        self._seat.announce(header["id"], self._writer.path)
        return Sampler(self._sources, domains, self._writer, self._settings["interval_s"])

    def _take_over(self) -> None:
        """Read the meters in place of the process that has ended; the segment continues."""
        self._waiting = -1
        self._role = self._start_reading({**self._header, "continues": True})
        self._role.run_pending()

    def _write_header(self, header: dict[str, Any], domains: list[dict[str, Any]]) -> None:
        """Write the row with which a metering process begins."""
        self._writer.append(
            {
                **header,
                "k": "header",
                "v": ledger.VERSION,
                "interval_s": self._settings["interval_s"],
                "domains": domains,
                "m": time.monotonic_ns(),
                "utc": datetime.now(UTC).isoformat(),
            }
        )

    def _take(self, rows: list[dict[str, Any]]) -> bool:
        """Write the rows of the run and follow its requests; returns whether it has closed."""
        kept = [row for row in rows if row["k"] not in REQUESTS]
        if kept:
            self._writer.append(*kept)
            windows = [row for row in kept if row["k"] == "window"]
            self._role.add_edges(*(row[edge] for row in windows for edge in ("m0", "m1")))
        for row in rows:
            if row["k"] == "pause":
                self._role.pause(row["until"])
        return any(row["k"] == "close" for row in rows)

    def _serve_attached(self) -> None:
        """Do what attached runs request: a sample now, or dated ticks around an edge."""
        if not isinstance(self._role, Sampler):
            return
        for message in self._seat.messages():
            kind, _, arguments = message.partition(" ")
            moments = arguments.split()
            self._role.serves_others = True
            if kind == "sample":
                self._role.sample()
            elif all(moment.isdecimal() for moment in moments):
                self._role.add_edges(*map(int, moments))


if __name__ == "__main__":
    main()
