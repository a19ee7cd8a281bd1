"""Watches the machine's clocks beside each other, so that a jump of one is told in the ledger.

Joules are dated by the monotonic clock alone; it neither runs back when somebody sets the time nor
counts the hours that a machine slept. UTC stands beside it once a minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

JUMP_S = 1.0


PAIR_S = 60.0


class Clocks:
    """Compares wall clock and boot time with the monotonic clock at each look.

    Args:
        monotonic: seconds that stand still while the machine sleeps.
        wall: seconds of UTC, that somebody may set.
        boot: seconds that go on while the machine sleeps.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        boot: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        self._monotonic, self._wall, self._boot = monotonic, wall, boot
        now = monotonic()
        self._paired = now
        self._slept, self._ahead = boot() - now, wall() - now

    def look(self) -> list[dict[str, Any]]:
        """Rows for the ledger: a pair each minute, and each jump with its cause and seconds."""
        now, wall = self._monotonic(), self._wall()
        slept, ahead = self._boot() - now, wall - now
        asleep, moved = slept - self._slept, ahead - self._ahead
        told = {
            "k": "clock",
            "m": round(now * 1e9),
            "utc": datetime.fromtimestamp(wall, UTC).isoformat(),
        }
        rows = []
        if asleep > JUMP_S:
            rows.append({**told, "why": "the machine slept", "s": round(asleep, 3)})
        # A sleep moves the wall clock on by itself.
        if abs(moved - asleep) > JUMP_S:
            rows.append({**told, "why": "the wall clock was set", "s": round(moved - asleep, 3)})
        if not rows and now - self._paired >= PAIR_S:
            rows.append(told)
        if rows:
            self._paired = now
        self._slept, self._ahead = slept, ahead
        return rows
