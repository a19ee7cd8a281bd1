"""How the devices of a run were set and how they fared, from the rows that the sampler wrote."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from energy.ledger.lines import Row

REASONS = "slowed_by"
COUNTED = ("slowed_power_s", "slowed_thermal_s")
"""Facts that the driver counts since it was loaded; a record has what a run added."""


class Devices:
    """The first and the last state of each device, and all that slowed it down in between.

    Args:
        rows: moments (monotonic seconds) and states by device, in order of time.
    """

    def __init__(self, rows: Iterable[tuple[float, dict[str, Row]]] = ()) -> None:
        self._rows = list(rows)

    def add(self, row: Row) -> None:
        """Add a row of states."""
        self._rows.append((row["m"] / 1e9, row["devices"]))

    def between(self, begin_s: float, end_s: float) -> Devices:
        """The states between two moments, and those with which the time between them began."""
        inner = [row for row in self._rows if begin_s <= row[0] <= end_s]
        return Devices([*[row for row in self._rows if row[0] < begin_s][-1:], *inner])

    def joined(self, later: Devices) -> Devices:
        """These states and those of a later stretch of the run."""
        return Devices([*self._rows, *later._rows])

    def in_order(self) -> Devices:
        """The states in order of time, as of ledgers of one boot; those seen twice count once."""
        rows: list[tuple[float, dict[str, Row]]] = []
        for row in sorted(self._rows, key=lambda row: row[0]):
            rows += [row] if row not in rows[-1:] else []
        return Devices(rows)

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """By device: what held throughout, `start` and `end` of what changed, and the reasons."""
        states: dict[str, list[Row]] = {}
        for _, devices in self._rows:
            for name, state in devices.items():
                states.setdefault(name, []).append(state)
        return {name: _device(own) for name, own in states.items()}


def _device(states: list[Row]) -> dict[str, Any]:
    """The facts of one device from its states in order of time."""
    first, last = states[0], states[-1]
    facts: dict[str, Any] = {}
    start: dict[str, Any] = {}
    end: dict[str, Any] = {}
    for fact, value in last.items():
        if fact in COUNTED:
            # A driver that was loaded again counts from zero.
            facts[fact] = round(max(0.0, value - first.get(fact, 0.0)), 3)
        elif fact != REASONS and first.get(fact) == value:
            facts[fact] = value
        elif fact != REASONS:
            start[fact], end[fact] = first.get(fact), value
    reasons = list(dict.fromkeys(reason for state in states for reason in state.get(REASONS, ())))
    changes = {"start": start, "end": end, REASONS: reasons}
    return facts | {name: value for name, value in changes.items() if value}
