"""Compares the machine's clocks, so that a jump of one of them is recorded in the ledger.

Joules are dated by the monotonic clock only: it does not run backwards when somebody sets the time,
and it does not count the hours that a machine sleeps. UTC is recorded beside it once a minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

JUMP_S = 1.0
"""A clock that moves by more than this against the monotonic clock has jumped."""

PAIR_S = 60.0
"""Seconds between rows that record UTC beside the monotonic clock."""


class Clocks:
    """Compares wall clock and boot time with the monotonic clock.

    Args:
        monotonic: seconds that stand still while the machine sleeps.
        wall: seconds of UTC, which somebody may set.
        boot: seconds that continue while the machine sleeps.
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

    def rows(self) -> list[dict[str, Any]]:
        """New rows for the ledger: UTC once a minute, and every jump with its cause."""
        now, wall = self._monotonic(), self._wall()
        slept, ahead = self._boot() - now, wall - now
        asleep, moved = slept - self._slept, ahead - self._ahead
        pair = {
            "k": "clock",
            "m": round(now * 1e9),
            "utc": datetime.fromtimestamp(wall, UTC).isoformat(),
        }
        rows = []
        if asleep > JUMP_S:
            rows.append({**pair, "why": "the machine slept", "s": round(asleep, 3)})
        # While the machine sleeps the wall clock goes on, which is not a jump of its own.
        if abs(moved - asleep) > JUMP_S:
            rows.append({**pair, "why": "the wall clock was set", "s": round(moved - asleep, 3)})
        if not rows and now - self._paired >= PAIR_S:
            rows.append(pair)
        if rows:
            self._paired = now
        self._slept, self._ahead = slept, ahead
        return rows
