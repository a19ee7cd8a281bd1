"""What `ipmitool dcmi power reading` prints, again and again into one file.

A reading is that of its own "IPMI timestamp"; one whose state is "deactivated" is none.
"""

from __future__ import annotations

import re
from datetime import UTC, tzinfo

from energy.errors import InputError
from energy.importers.imported import Device, Hints, ImportedRun, Importer, Skipped, node, number
from energy.importers.moments import ASSUMED_UTC, in_order, seconds_of, zone_of

WATTS = re.compile(r"Instantaneous power reading:\s+([\d.]+) Watts")
STAMP = re.compile(r"IPMI timestamp:\s+(\S.*?)\s*(?:Sampling period.*)?$")
OFF = "deactivated"

FORMS = ("%a %b %d %H:%M:%S %Y", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p")
"""How versions of ipmitool write a moment."""

ZONE = re.compile(r" (UTC|GMT)$")
ANY_ZONE = re.compile(r" [A-Z]{3,4}$")

UNSET_S = 86_400.0
"""A controller whose clock was never set begins in 1970."""


def recognizes(text: str) -> bool:
    """Whether a text has a reading."""
    return "Instantaneous power reading:" in text and "IPMI timestamp:" in text


def read(text: str, hints: Hints) -> list[ImportedRun]:
    """The node of a log."""
    zone, skipped = zone_of(hints.timezone), Skipped()
    rows: list[tuple[float, float | None]] = []
    watts: float | None = None
    zoned = True
    for line, content in enumerate(text.splitlines(), 1):
        if match := WATTS.search(content):
            watts = number(match.group(1)[:20], 0, 1e9) if _is_number(match.group(1)) else None
        if match := STAMP.search(content):
            try:
                time_s, known = _moment(match.group(1), zone)
            except ValueError:
                skipped.add(line)
                continue
            zoned = zoned and known
            rows.append((time_s, watts))
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
    ordered, notes = in_order(rows)
    if not (zoned or hints.timezone):
        notes.append(ASSUMED_UTC)
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


def _moment(text: str, zone: tzinfo) -> tuple[float, bool]:
    """Seconds since 1970 of a stamp, and whether it names its zone.

    Raises:
        ValueError: it is no stamp, or names a zone that is not known.
    """
    known = bool(ZONE.search(text))
    if not known and ANY_ZONE.search(text) and not text.endswith(("AM", "PM")):
        text = ANY_ZONE.sub("", text)
    text = ZONE.sub("", text)
    for form in FORMS:
        try:
            return seconds_of(text, form, UTC if known else zone), known
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
