"""The program that writes the ledger, a process of its own that nothing in training can stop.

Started by path (`python energy/sampler`), it reads every counter once an interval and
takes rows (windows, marks) from its standard input. When that closes without a goodbye its parent
died: it writes a last sample and ends. It imports the standard library only, and pynvml where a
driver is.
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
    # The package is loaded from where this file lies, and no folder is put on the path for it: what
    # lies beside it (site-packages, a backport of `dataclasses`) must not hide the library.
    del sys.path[0]
    _home = Path(__file__).resolve().parent.parent
    _spec = importlib.util.spec_from_file_location("energy", _home / "__init__.py")
    if _spec is not None and _spec.loader is not None:
        sys.modules["energy"] = importlib.util.module_from_spec(_spec)
        _spec.loader.exec_module(sys.modules["energy"])

from energy.ledger import reader as ledger
from energy.ledger.writer import Taken, Writer
from energy.meters import sources
from energy.meters.base import Source
from energy.sampler.attached import Attached
from energy.sampler.inbox import Inbox
from energy.sampler.sampling import Sampler
from energy.sampler.seat import Seat


def main() -> None:
    """Meter until told to stop or until the parent dies. One JSON object of settings on argv."""
    settings = json.loads(sys.argv[1])
    # Ctrl-C reaches the whole foreground group; the last row is written when the parent is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        # Where that is allowed: a busy machine must not make the looks at a counter late.
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    seat = Seat(settings["choice"])
    try:
        writer = Writer(Path(settings["ledger"]))
    except Taken:
        _say(ledger.TAKEN)
        return
    header, parent, waiting = settings["header"], settings["header"]["pid"], -1
    found: list[Source] = []
    role: Sampler | Attached
    if seat.take():
        found, role = metering(settings, header, seat, writer)
    else:
        writer.append(opening(settings, header, []))
        waiting, role = seat.wait(), Attached(seat, writer, settings["interval_s"])
    role.step()
    _say(ledger.READY)
    inbox = Inbox()
    while (why := listen(inbox, writer, role, seat, parent, waiting)) == FREE:
        # Whoever read the meters has ended: now this process does, and the segment goes on.
        waiting = -1
        found, role = metering(settings, {**header, "continues": True}, seat, writer)
        role.step()
    moment = role.sample()
    role.settle()
    used = time.process_time()
    writer.append({"k": "end", "m": moment, "why": why, "cpu_s": round(used, 4)})
    if isinstance(role, Sampler):
        serve(role, seat)
        if role.lent:
            role.sample()  # for those attached, up to the moment when one of them takes over
    writer.sync()
    seat.leave()
    for source in found:
        source.close()


def _say(word: bytes) -> None:
    """Tell the run, which may have died already."""
    with contextlib.suppress(OSError):
        os.write(1, word)


FREE = "the seat is free"


def metering(
    settings: dict[str, Any], header: dict[str, Any], seat: Seat, writer: Writer
) -> tuple[list[Source], Sampler]:
    """Open the meters, and say where the others find the samples."""
    found, domains = sources.open_sources(settings["meters"])
    writer.append(opening(settings, header, [domain.as_dict() for domain in domains]))
    names = [domain.id for domain in domains]
    seat.tell(header["id"], writer.path)
    return found, Sampler(found, names, writer, settings["interval_s"])


def opening(
    settings: dict[str, Any], header: dict[str, Any], domains: list[dict[str, Any]]
) -> dict[str, Any]:
    """The row that a metering process begins with."""
    return {
        **header,
        "k": "header",
        "v": ledger.VERSION,
        "interval_s": settings["interval_s"],
        "domains": domains,
        "m": time.monotonic_ns(),
        "utc": datetime.now(UTC).isoformat(),
    }


def serve(role: Sampler, seat: Seat) -> None:
    """Do what attached runs ask for: a sample now, or dated steps around an edge."""
    for words in seat.asked():
        kind, _, told = words.partition(" ")
        moments = told.split()
        role.lent = True
        if kind == "sample":
            role.sample()
        elif all(moment.isdecimal() for moment in moments):
            role.edge(*map(int, moments))


def listen(
    inbox: Inbox,
    writer: Writer,
    role: Sampler | Attached,
    seat: Seat,
    parent: int,
    waiting: int,
) -> str:
    """Read what is due and write the rows that come in; returns why it ended, or FREE."""
    files = [file for file in (seat.fileno(), waiting) if file >= 0]
    while True:
        ready = inbox.wait(files, role.wait_ns())
        if waiting in ready:
            return FREE
        lines = inbox.lines()
        if lines is None:
            return "parent died"
        came = [json.loads(line) for line in lines]
        rows = [row for row in came if row["k"] not in ("close", "pause")]
        if rows:
            writer.append(*rows)
            role.edge(*(row[m] for row in rows if row["k"] == "window" for m in ("m0", "m1")))
        for row in came:
            if row["k"] == "close":
                return "closed"
            if row["k"] == "pause":
                role.pause(row["until"])
        if not lines and os.getppid() != parent:
            # A forked child of the run may keep the pipe open after the run itself has died.
            return "parent died"
        if isinstance(role, Sampler) and seat.fileno() in ready:
            serve(role, seat)
        role.step()


if __name__ == "__main__":
    main()
