"""A clock that stands in for the machine's: time passes only when somebody sleeps or moves it."""

from __future__ import annotations

import functools
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from energy.sampler import sampling
from energy.sampler.clocks import Clocks

START_S = 10_000.0
"""Monotonic time at which a virtual machine begins, hours after its boot."""

WALL_S = 1_795_000_000.0
"""UTC less monotonic time of a virtual machine: in November 2026."""

WAKE_UP_S = 50e-6
"""The least time that a sleep takes, as on Linux with its default timer slack."""

_sleep = time.sleep


class VirtualClock:
    """Monotonic time, boot time and UTC of a virtual machine.

    Attributes:
        now_ns: monotonic time.
    """

    def __init__(self) -> None:
        self.now_ns = round(START_S * 1e9)
        self._asleep_ns = 0

    def monotonic_ns(self) -> int:
        """Nanoseconds that stand still while the machine sleeps."""
        return self.now_ns

    def monotonic(self) -> float:
        """The same in seconds."""
        return self.now_ns / 1e9

    def boot(self) -> float:
        """Seconds that continue while the machine sleeps."""
        return (self.now_ns + self._asleep_ns) / 1e9

    def wall(self) -> float:
        """Seconds of UTC."""
        return self.boot() + WALL_S

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now_ns += max(0, round(seconds * 1e9))

    def advance_to(self, moment_s: float) -> None:
        """Let time pass until a moment of the monotonic clock, if it has not come yet."""
        self.now_ns = max(self.now_ns, math.ceil(moment_s * 1e9) + 1)  # + 1: rounding of floats

    def sleep(self, seconds: float) -> None:
        """Let time pass as a process that sleeps sees it: never less than a wake-up takes.

        Whoever waits for a real process sleeps in real time, which is none here.
        """
        if sys._getframe(1).f_globals["__name__"] == "subprocess":
            _sleep(seconds)
        else:
            self.advance(max(seconds, WAKE_UP_S))

    def suspend(self, seconds: float) -> None:
        """Let the machine sleep: only boot time and UTC go on."""
        self._asleep_ns += round(seconds * 1e9)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Be the clock of this process, for whoever calls the functions of module time."""
        clocks = functools.partial(Clocks, monotonic=self.monotonic, wall=self.wall, boot=self.boot)
        with (
            patch.multiple(
                time,
                monotonic=self.monotonic,
                monotonic_ns=self.monotonic_ns,
                time=self.wall,
                clock_gettime=lambda clock: (
                    self.boot() if clock == time.CLOCK_BOOTTIME else self.monotonic()
                ),
                sleep=self.sleep,
            ),
            patch.object(sampling, "Clocks", clocks),
        ):
            yield
