"""Meters one run: the loop of the sampler, from the first reading to the end row."""

from __future__ import annotations

import contextlib
import json
import math
import os
import threading
import time
from datetime import UTC, datetime
from typing import Any

from energy.ledger import lines as ledger
from energy.ledger.plausible import turn_s
from energy.ledger.writer import Writer
from energy.meters.base import Domain
from energy.meters.sources import Opening
from energy.sampler.attached import Attached
from energy.sampler.calls import SLOW_SHARE, Calls, SupersededError, Watched
from energy.sampler.clocks import Clocks
from energy.sampler.inbox import Inbox
from energy.sampler.retries import Retries
from energy.sampler.sampling import Sampler
from energy.sampler.seat import Seat

PARENT_DIED = "parent died"
"""Why metering ended where the run did not close it, as the end row of a ledger says it."""

REQUESTS = ("close", "pause")
"""Rows from the run that are requests to this process; all others go into the ledger."""

BEAT_S = 0.5
"""Seconds between two signs of life, to the run and to attached processes."""


class MeteringProcess:
    """Meters one run: as the node's reader of the meters, or attached to the process that is.

    Args:
        settings: `meters`, `interval_s`, `start_s`, `choice`, the `header` of the ledger, and the
            row about the sampler that was `lost` before, if any; `earlier` as for `Retries`.
        writer: the writer of the run's ledger.
        calls: knows the call that is going on.
        program: path of the sampler's program.
    """

    def __init__(
        self, settings: dict[str, Any], writer: Writer, calls: Calls, program: str
    ) -> None:
        self._settings, self._writer, self._calls = settings, writer, calls
        self._header: dict[str, Any] = settings["header"]
        self._seat = Seat(settings["choice"])
        self._inbox, self._clocks = Inbox(), Clocks()
        self._retries = Retries(program, settings.get("earlier", 0))
        self._opening: Opening | None = None
        self._role: Sampler | Attached | None = None
        # Rows that follow the next header.
        self._incidents: list[dict[str, Any]] = [settings["lost"]] if settings.get("lost") else []
        self._waiting = -1
        self._beat_s = 0.0
        self._replied = self._ended = self._left = False
        self._why = ""

    def run(self) -> None:
        """Meter until the run ends; called again, in another thread, when a call hangs."""
        threading.Thread(target=self._watch, daemon=True).start()
        try:
            self._why = self._why or self._serve_run()
            self._finish()
        except SupersededError:
            # A child that one of the meters has started may end when this thread ends.
            threading.Event().wait()
        if threading.current_thread() is not threading.main_thread():
            os._exit(0)

    def _watch(self) -> None:
        """Look after the thread that does the work, and do its work if a call hangs."""
        while True:
            time.sleep(BEAT_S)
            waits_s, meter = self._calls.waits_s(), self._calls.overdue()
            if waits_s > BEAT_S / 2:
                self._send(ledger.BEAT)  # the driver is slow, this process is alive
                if meter is None and self._calls.is_reading() and isinstance(self._role, Sampler):
                    self._announce()
            if meter is not None and self._calls.supersede(meter):
                try:
                    self._go_on_without(meter, waits_s)
                finally:
                    os._exit(1)

    def _go_on_without(self, meter: str, waits_s: float) -> None:
        """Leave a meter out and go on, in place of the thread whose call hangs."""
        if self._left:
            os._exit(0)
        now = time.monotonic_ns()
        self._incidents.append({"k": "hung", "m": now, "meter": meter, "s": round(waits_s, 1)})
        if self._opening is not None:
            domains = self._opening.leave_out(meter, f"a call of {meter} did not return")
            self._retries.add(meter, self._opening.names[meter], domains)
            # Others read the meters themselves, perhaps with more luck.
            self._seat.leave()
            if isinstance(self._role, Sampler):
                self._role.leave_out(meter)
                self._write_header(self._opening, self._role.interval_s)
        self.run()

    def _serve_run(self) -> str:
        """Write the rows of the run and do what is due until the run ends; returns why it ended."""
        while True:
            self._beat()
            role = self._begin()
            if not self._replied:
                role.run_pending()
                self._send(ledger.READY)
                self._replied = True
            files = [file for file in (self._seat.fileno(), self._waiting) if file >= 0]
            ready = self._inbox.wait(files, role.wait_ns())
            if self._waiting in ready:
                self._start_again()
                continue
            lines = self._inbox.lines()
            if lines is None:
                return PARENT_DIED
            if self._take(role, [json.loads(line) for line in lines]):
                return ledger.CLOSED
            if not lines and os.getppid() != self._header["pid"]:
                # A forked child may keep the pipe open after the run itself has died.
                return PARENT_DIED
            if self._seat.fileno() in ready:
                self._serve_attached()
            role.run_pending()

    def _finish(self) -> None:
        """Write the last sample, and leave the seat to the next process."""
        self._calls.ending = True
        role = self._begin()
        if not self._ended:
            moment = role.sample()
            role.settle()
            used_s = round(time.process_time(), 4)
            self._writer.append({"k": "end", "m": moment, "why": self._why, "cpu_s": used_s})
            self._ended = True
        self._serve_attached()
        if isinstance(role, Sampler) and role.serves_others:
            role.sample()  # for attached runs, up to the moment when one of them takes over
        if self._writer.refused:
            self._send(ledger.REFUSED + str(self._writer.refused).encode())
        self._send(ledger.ENDED)
        self._leave()
        self._close_sources()

    def _begin(self) -> Sampler | Attached:
        """The role of this process; if it has none yet, read the meters or attach."""
        if self._role is None and self._seat.take():
            self._waiting = -1
            self._announce()
            self._role = self._start_reading()
        elif self._role is None:
            if self._opening is None and not self._replied:
                self._write_header(None, self._settings["interval_s"])
            self._close_sources()
            self._waiting = self._seat.wait()
            self._role = Attached(self._seat, self._writer, self._settings["interval_s"])
        return self._role

    def _start_reading(self) -> Sampler:
        """Open the meters, or go on opening them if one of them hangs."""
        if self._opening is None:
            self._opening = Opening(
                self._settings["meters"],
                self._settings["start_s"],
                lambda source: Watched(source, self._calls),
            )
        opening, interval_s = self._opening, self._settings["interval_s"]
        while opening.waiting:
            left_out = self._retries.domains(opening.waiting[0])
            if left_out is None:
                opening.open_next()
            else:
                opening.skip(left_out)
        takes_s = sum(s.takes_s for s in opening.sources if isinstance(s, Watched))
        interval_s = interval_for(opening.domains, max(interval_s, SLOW_SHARE * takes_s))
        if takes_s:
            self._send(ledger.SLOW + f"{math.ceil(takes_s)}.".encode())
        self._write_header(opening, interval_s)
        return Sampler(
            opening.sources, opening.domains, self._writer, interval_s, clocks=self._clocks
        )

    def _start_again(self) -> None:
        """Take the seat or attach once more."""
        self._role = None
        self._close_sources()

    def _take_back(self, meter: str) -> None:
        """Read a meter again whose call has returned after all."""
        self._retries.remove(meter)
        if not self._retries:
            self._seat = Seat(self._settings["choice"])
        self._role = None
        if self._opening is None or not self._opening.take_back(meter):
            self._close_sources()

    def _beat(self) -> None:
        """Show that this process is alive, and look after what changes rarely."""
        now_s = time.monotonic()
        if now_s < self._beat_s:
            return
        self._beat_s = now_s + BEAT_S
        self._send(ledger.BEAT)
        if self._calls.returned:
            self._take_back(self._calls.returned.pop())
        elif self._retries.answer():
            self._hand_over()
        role = self._role
        if isinstance(role, Sampler):
            if self._seat.is_lost():
                self._start_again()
            else:
                self._announce()
        elif isinstance(role, Attached) and role.silent is not None:
            if self._seat.depose(role.silent):
                self._start_again()
            role.silent = None

    def _announce(self) -> None:
        self._seat.announce(self._header["id"], self._writer.path, time.monotonic_ns())

    def _hand_over(self) -> None:
        """End in favour of a new process, in which the driver that hangs in this one answers."""
        role = self._begin()
        role.sample()
        role.settle()
        self._send(ledger.AGAIN)
        self._leave()
        os._exit(0)

    def _leave(self) -> None:
        """Let others have the ledger and the seat; a thread that hangs would keep their locks."""
        self._left = True
        self._seat.leave()
        self._writer.close()

    def _close_sources(self) -> None:
        opening, self._opening = self._opening, None
        for source in [] if opening is None else opening.sources:
            source.close()

    def _write_header(self, opening: Opening | None, interval_s: float) -> None:
        """Write the row with which a metering process begins, or goes on in another way."""
        domains = [] if opening is None else [domain.as_dict() for domain in opening.domains]
        self._writer.append(
            {
                **self._header,
                "k": "header",
                "v": ledger.VERSION,
                "interval_s": interval_s,
                "domains": domains,
                "m": time.monotonic_ns(),
                "utc": datetime.now(UTC).isoformat(),
            },
            *self._incidents,
        )
        self._header = {**self._header, "continues": True}
        self._incidents = []

    def _take(self, role: Sampler | Attached, rows: list[dict[str, Any]]) -> bool:
        """Write the rows of the run and follow its requests; returns whether it has closed."""
        kept = [row for row in rows if row["k"] not in REQUESTS]
        if kept:
            self._writer.append(*kept)
            windows = [row for row in kept if row["k"] == "window"]
            role.add_edges(*(row[edge] for row in windows for edge in ("m0", "m1")))
        for row in rows:
            if row["k"] == "pause":
                role.pause(row["until"])
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

    def _send(self, word: bytes) -> None:
        """Send a word to the run, which may have died already, or may be stopped."""
        with contextlib.suppress(OSError):
            os.write(1, word)


def interval_for(domains: list[Domain], interval_s: float) -> float:
    """The interval that a user wants, or half a turn of the fastest counter, if that is shorter.

    Between two samples no counter may turn unnoticed, even if one of the samples is late.
    """
    turns_s = [turn_s(domain.as_dict()) for domain in domains if not domain.reason]
    return min([interval_s, *(seconds / 2 for seconds in turns_s)])
