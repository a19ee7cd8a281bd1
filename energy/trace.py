"""Traces: slices of time, and numbers over time, in the format that Perfetto and Chrome open.

Trace Event Format (Google, "JSON object format"): complete events "X", counters "C" and names "M",
with times in microseconds. A process has threads of slices, which nest, and counters. Open a file
at ui.perfetto.dev.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from energy.errors import InputError
from energy.files import write_text_atomic
from energy.inputs import is_number, read_json

TICKS_PER_S = 8_000_000
"""Times are whole eighths of a microsecond, which binary fractions hold exactly, for 104 days in
nanoseconds: a reader that rounds others sees slices overlap, and moves one to another row."""

Event = dict[str, Any]


class Trace:
    """Slices and counters of processes, which are shown in the order in which they are first named.

    Args:
        about: what the trace is of, by name; viewers show it with the file.
    """

    def __init__(self, about: Mapping[str, str]) -> None:
        self.about = dict(about)
        self.events: list[Event] = []
        self._threads: dict[str, dict[str, int]] = {}

    def slice(
        self,
        place: tuple[str, str],
        name: str,
        begin_s: float,
        end_s: float,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a stretch of time.

        Args:
            place: process, and thread of it: its row. Of two slices in a row one contains the
                other, or they are apart.
            name: what went on.
            begin_s: seconds from the begin of the trace.
            end_s: seconds from the begin of the trace.
            facts: shown when the slice is selected; the unit is in the name.
        """
        process, thread = self._place(*place)
        begin, end = (round(moment * TICKS_PER_S) for moment in (begin_s, end_s))
        times = {"ts": _microseconds(begin), "dur": _microseconds(end - begin)}
        ids = {"pid": process, "tid": thread}
        self.events.append({"name": name, "ph": "X"} | times | ids | {"args": dict(facts or {})})

    def counter(self, process: str, name: str, unit: str, time_s: float, value: float) -> None:
        """Add a number that holds from a moment on; joules are those since the begin."""
        number, _ = self._place(process)
        time = _microseconds(round(time_s * TICKS_PER_S))
        self.events.append(
            {"name": name, "ph": "C", "ts": time, "pid": number, "tid": 0, "args": {unit: value}}
        )

    def add(self, events: list[Event], after_s: float) -> None:
        """Add the events of another trace (`read_events`), all of them later by some seconds."""
        numbers: dict[int, int] = {}
        for event in events:
            if event["pid"] not in numbers:
                process = f"another trace's {event['pid']}"
                numbers[event["pid"]] = self._number(process)
            moved = event | {"pid": numbers[event["pid"]]}
            if event["ph"] != "M":
                moved["ts"] = event["ts"] + _microseconds(round(after_s * TICKS_PER_S))
            elif event["name"] == "process_sort_index":
                moved["args"] = {"sort_index": moved["pid"]}
            self.events.append(moved)

    def save(self, path: Path) -> None:
        """Write the trace, whole or not at all.

        Raises:
            InputError: it cannot be written.
        """
        content = {
            "traceEvents": self.events,
            "displayTimeUnit": "ms",
            "otherData": self.about,
        }
        write_text_atomic(path, json.dumps(content, separators=(",", ":")) + "\n")

    def _number(self, process: str) -> int:
        self._threads.setdefault(process, {})
        return list(self._threads).index(process) + 1

    def _place(self, process: str, thread: str = "") -> tuple[int, int]:
        """Numbers of a process and of a thread of it; the first mention of each names it."""
        is_new = process not in self._threads
        number = self._number(process)
        if is_new:
            self._describe("process_name", number, 0, {"name": process})
            self._describe("process_sort_index", number, 0, {"sort_index": number})
        threads = self._threads[process]
        if thread and thread not in threads:
            threads[thread] = len(threads) + 1
            self._describe("thread_name", number, threads[thread], {"name": thread})
        return number, threads.get(thread, 0)

    def _describe(self, what: str, process: int, thread: int, value: Event) -> None:
        ids = {"pid": process, "tid": thread}
        self.events.append({"name": what, "ph": "M"} | ids | {"args": value})


def read_events(path: Path) -> list[Event]:
    """The events of a trace that `Trace.save` wrote.

    Raises:
        InputError: it is none.
    """
    what, fix = "a trace", "simulator predict SCENARIO --trace FILE writes one"
    content = read_json(path, what, fix)
    events = content.get("traceEvents") if isinstance(content, dict) else None
    if isinstance(events, list) and all(map(_is_event, events)):
        return events
    raise InputError(f"expected {what} at {path}", "other JSON", fix)


def _is_event(event: Any) -> bool:
    """Whether this is an event as they are written here."""
    if not isinstance(event, dict) or not isinstance(event.get("args"), dict):
        return False
    times = {"X": ("ts", "dur"), "C": ("ts",), "M": ()}.get(str(event.get("ph")))
    return (
        times is not None
        and isinstance(event.get("name"), str)
        and all(isinstance(event.get(name), int) for name in ("pid", "tid"))
        and all(is_number(event.get(name)) for name in times)
    )


def _microseconds(ticks: int) -> float:
    return ticks * (1e6 / TICKS_PER_S)  # exact: a power of two
