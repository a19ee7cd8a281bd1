"""Traces as a viewer reads them: the rules of the Trace Event Format, checked by hand."""

import json
from pathlib import Path
from typing import Any

Events = list[dict[str, Any]]

FIELDS: dict[str, dict[str, type]] = {
    "X": {"name": str, "ts": float, "dur": float, "pid": int, "tid": int, "args": dict},
    "C": {"name": str, "ts": float, "pid": int, "tid": int, "args": dict},
    "M": {"name": str, "pid": int, "tid": int, "args": dict},
}
"""Fields of complete events, counters and metadata, as the format names them."""

METADATA = {"process_name": "name", "process_sort_index": "sort_index", "thread_name": "name"}


def read_trace(path: Path) -> Events:
    """The events of a file that keeps to the format, whose slices nest as a viewer truncates them.

    Perfetto multiplies microseconds by 1000 and cuts off what is less than a nanosecond.
    """
    content = json.loads(path.read_text())
    assert set(content) == {"traceEvents", "displayTimeUnit", "otherData"}
    assert content["displayTimeUnit"] in ("ms", "ns")
    assert all(isinstance(value, str) for value in content["otherData"].values())
    events: Events = content["traceEvents"]
    named = {(e["name"], e["pid"], e["tid"]) for e in events if e["ph"] == "M"}
    for event in events:
        fields = FIELDS[event["ph"]]
        assert set(event) == {"ph", *fields}, event
        for name, kind in fields.items():
            assert isinstance(event[name], (int, float) if kind is float else kind), event
        assert min(event.get("ts", 0), event.get("dur", 0)) >= 0
        if event["ph"] == "M":
            assert METADATA[event["name"]] in event["args"]
            continue
        assert ("process_name", event["pid"], 0) in named
        if event["ph"] == "X":
            assert ("thread_name", event["pid"], event["tid"]) in named
        else:
            assert all(isinstance(value, int | float) for value in event["args"].values())
    _require_nested(events)
    return events


def _require_nested(events: Events) -> None:
    """Each slice of a row lies within the one around it, or after the one before it."""
    rows: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for event in slices(events):
        begin = int(event["ts"] * 1000)
        rows.setdefault((event["pid"], event["tid"]), []).append(
            (begin, begin + int(event["dur"] * 1000))
        )
    for row in rows.values():
        around: list[int] = []
        for begin, end in sorted(row, key=lambda span: (span[0], -span[1])):
            while around and around[-1] <= begin:
                around.pop()
            assert not around or end <= around[-1], "expected slices that nest"
            around.append(end)


def slices(events: Events, *, thread: str | None = None, name: str | None = None) -> Events:
    """The slices of a row by its name, or of a name."""
    threads = {
        (e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"
    }
    return [
        event
        for event in events
        if event["ph"] == "X"
        and (thread is None or threads[event["pid"], event["tid"]] == thread)
        and (name is None or event["name"] == name)
    ]


def last_values(events: Events, name: str) -> dict[str, float]:
    """The last value of a counter in each process that has it, by the name of the process."""
    processes = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
    counters = [event for event in events if event["ph"] == "C" and event["name"] == name]
    last: dict[str, float] = {}
    for event in sorted(counters, key=lambda event: event["ts"]):
        last[processes[event["pid"]]] = next(iter(event["args"].values()))
    return last
