"""What `ipmitool dcmi power reading` prints, again and again into one file.

A reading is that of its own "IPMI timestamp"; one whose state is "deactivated" is none.
"""

from __future__ import annotations

import re

from energy.errors import InputError
from energy.importers.imported import Device, Hints, ImportedRun, Importer, Skipped, node, number
from energy.importers.moments import Clock

WATTS = re.compile(r"Instantaneous power reading:\s+([\d.]+) Watts")
STAMP = re.compile(r"IPMI timestamp:\s+(\S.*?)\s*(?:Sampling period.*)?$")
OFF = "deactivated"

FORMS = ("%a %b %d %H:%M:%S %Y", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p")
"""How versions of ipmitool write a moment."""

UTC = re.compile(r" (UTC|GMT)$")
ANY_ZONE = re.compile(r" [A-Z]{3,4}$")

UNSET_S = 86_400.0
"""A controller whose clock was never set begins in 1970."""


def recognizes(text: str) -> bool:
    """Whether a text has a reading."""
    return "Instantaneous power reading:" in text and "IPMI timestamp:" in text


def read(text: str, hints: Hints) -> list[ImportedRun]:
    """The node of a log."""
    clock, skipped = Clock(hints.timezone), Skipped()
    rows: list[tuple[float, float | None]] = []
    watts: float | None = None
    for line, content in enumerate(text.splitlines(), 1):
        if match := WATTS.search(content):
            watts = number(match.group(1)[:20], 0, 1e9) if _is_number(match.group(1)) else None
        if match := STAMP.search(content):
            try:
                rows.append((_moment(match.group(1), clock), watts))
            except ValueError:
                skipped.add(line)
                continue
        if OFF in content and rows:
            rows[-1] = (rows[-1][0], None)
            skipped.add(line, "the meter of the node was off: no reading")
    if not rows:
        return []
    if all(time_s < UNSET_S for time_s, _ in rows):
        raise InputError(
            f"expected readings with their moments in {hints.file}",
            "all of the year 1970: the clock of the controller was never set",
            "write the time beside each reading, or set the clock (ipmitool sel time set now)",
        )
    ordered, notes = clock.ordered(rows)
    domain = node("node", "ipmitool dcmi power reading", by_power=True)
    return [
        ImportedRun(
            name="ipmi",
            devices=[Device(domain, powers=_once(ordered))],
            chips=hints.chips or 1,
            notes=[*skipped.notes(), *notes],
        )
    ]


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"\d{1,9}(\.\d+)?", text))


def _moment(text: str, clock: Clock) -> float:
    """Seconds since 1970 of a stamp.

    Raises:
        ValueError: it is no stamp.
    """
    offset = " +0000" if UTC.search(text) else ""
    if not text.endswith(("AM", "PM")):
        text = ANY_ZONE.sub("", text)
    for form in FORMS:
        try:
            return clock.seconds(text + offset, form + (" %z" if offset else ""))
        except ValueError:
            continue
    raise ValueError(f"{text} is no moment")


def _once(rows: list[tuple[float, float | None]]) -> list[tuple[float, float | None]]:
    """Readings of which none has the second of another: a controller tells whole seconds."""
    return list(dict(rows).items())


IMPORTER = Importer(
    "ipmi",
    "readings of ipmitool",
    "ipmitool dcmi power reading >> FILE, once a second",
    recognizes,
    read,
)
