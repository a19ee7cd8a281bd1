"""Watts from the lines of any program: a power strip, a smart plug, a meter of your own.

`cmd:PROGRAM ARGUMENTS` meters the node, `cmd@it:PROGRAM ARGUMENTS` what the boundary `it` holds.
Each line is a number of watts (`231.5` or `231.5 W`), a name and a number (`outlet1 116.2`), or
JSON (`{"watts": 231.5}`, with a `name` if there are several). Empty lines and lines that begin with
# say nothing. Anything else, a program that ends with an error, and silence are readings that
failed: missing, never 0. A program that prints and ends is run again every second.
"""

from __future__ import annotations

import json
import math
import shlex
import shutil
import time
from pathlib import Path

from energy.errors import InputError
from energy.meters.base import BaseSource, Domain, missing
from energy.meters.program import NO_PROGRAM, Program

BOUNDARIES = ("chip", "node", "it", "facility")

EVERY_S = 1.0
"""Seconds between two starts of a program that prints and ends."""

SILENT_S = 60.0
"""A program that is silent for so long hangs."""

WAIT_S = 2.0
"""How long the start of a run waits for the first two lines of each name."""

SLOW_S = 10.0
"""Taken as the time between two lines where the second has not come while the run was starting."""

QUIET = 3
"""Lines that may be missing before the watts of a device are unknown."""

LOOKS = 5
"""Looks at the program per line that it prints."""


class Cmd(BaseSource):
    """The devices whose watts a program prints.

    Args:
        command: the program with its arguments, quoted as for a shell; no shell reads it.
        boundary: what the watts contain: chip, node, it or facility.
    """

    def __init__(self, command: str, boundary: str = "node") -> None:
        self._text, self._boundary = command, boundary
        self._words = _words(command)
        self.name = f"cmd:{Path(self._words[0]).name}" if self._words else "cmd"
        self._program = Program(self._words, every_s=EVERY_S, silent_s=SILENT_S)
        self._devices: dict[str, str] = {}
        self._last: dict[str, tuple[float, float | None]] = {}
        self._tick_s = SLOW_S
        self._heard_s = time.monotonic()

    def check(self) -> None:
        """Check what a user has typed.

        Raises:
            InputError: no such boundary, or no such program.
        """
        if self._boundary not in BOUNDARIES:
            raise InputError(
                "expected a boundary after cmd@",
                self._boundary,
                f"one of: {', '.join(BOUNDARIES)}; as in cmd@it:PROGRAM",
            )
        if not self._words:
            raise InputError(
                "expected a program after cmd:", repr(self._text), 'as in "cmd:./plug.sh 10.0.0.7"'
            )
        if shutil.which(self._words[0]) is None:
            raise InputError(
                "expected a program after cmd:",
                self._words[0],
                "there is none that can be run: give its path, and make it executable (chmod +x)",
            )

    def probe(self) -> list[Domain]:
        """A domain for each name that the program prints while the run is starting."""
        seen_s: dict[str, list[float]] = {}
        stop_s = time.monotonic() + WAIT_S
        while time.monotonic() < stop_s and not _twice(seen_s):
            for line in self._program.lines():
                reading = None if line is None else reading_of(line)
                if reading is not None and reading[1] is not None:
                    seen_s.setdefault(reading[0], []).append(time.monotonic())
            if self._program.exit_code == NO_PROGRAM:
                reason, fix = "the program cannot be run", f"{shlex.join(self._words)} | head -3"
                return [missing(self.name, self._boundary, self.name, reason, fix)]
            time.sleep(0.02)
        if not seen_s and self._program.exit_code:
            reason = f"the program ended with exit code {self._program.exit_code} and no watts"
            fix = f"{shlex.join(self._words)} | head -3"
            return [missing(self.name, self._boundary, self.name, reason, fix)]
        if _twice(seen_s):
            self._tick_s = max(0.05, *(times[1] - times[0] for times in seen_s.values()))
        program = self.name.removeprefix("cmd:")
        self._devices = {name: f"{program}/{name}" if name else program for name in seen_s or [""]}
        self._heard_s = time.monotonic()
        return [self._domain(device) for device in self._devices.values()]

    def poll_s(self) -> float:
        """Several looks per line, at most twenty a second."""
        return min(0.5, max(0.05, self._tick_s / LOOKS))

    def watts(self) -> dict[str, float | None]:
        """The last watts of all devices if a line has come; None for all after a long silence."""
        now = time.monotonic()
        for line in self._program.lines():
            reading = ("", None) if line is None else reading_of(line)
            if reading is None:
                continue
            name, value = reading
            if name in self._devices:
                self._last[self._devices[name]] = (now, value)
                self._heard_s = now
            elif value is None:
                self._last, self._heard_s = {}, now
        if self._heard_s != now and now - self._heard_s <= QUIET * self._tick_s:
            return {}
        return {device: self._fresh(device, now) for device in self._devices.values()}

    def close(self) -> None:
        """End the program."""
        self._program.close()

    def _fresh(self, device: str, now: float) -> float | None:
        """The last watts of a device; None if they are too old or were no reading."""
        heard_s, value = self._last.get(device, (0.0, None))
        return value if now - heard_s <= QUIET * self._tick_s else None

    def _domain(self, device: str) -> Domain:
        return Domain(
            id=device,
            kind=self._boundary,
            boundary=self._boundary,
            method="power",
            tick_s=self._tick_s,
            low=0.9,
            high=1.1,
            api=f"lines of {self.name.removeprefix('cmd:')}",
            source="what the program reads is not known: our default +-10 %",
        )


def reading_of(line: str) -> tuple[str, float | None] | None:
    """Name ("" for none) and watts of a line; None for a line that says nothing.

    'outlet1 116.2' gives ('outlet1', 116.2); 'outlet1 N/A' gives ('outlet1', None).
    """
    line = line.strip()
    if not line or line.startswith("#"):
        return None
    if line.startswith("{"):
        return _json_reading(line)
    *name, last = line.split()
    if len(name) == 1 and last in ("W", "Watts", "watts"):
        return "", _number(name[0])
    return " ".join(name), _number(last)


def _json_reading(line: str) -> tuple[str, float | None]:
    """Name and watts of {"name": "outlet1", "watts": 116.2}."""
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        return "", None
    watts = answer.get("watts")
    return str(answer.get("name", "")), None if isinstance(watts, bool) else _number(watts)


def _number(value: object) -> float | None:
    """Watts as a number that can be a power; None for anything else."""
    try:
        watts = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return watts if math.isfinite(watts) and watts >= 0 else None


def _words(command: str) -> list[str]:
    """The command as a shell would split it; nothing if a quote is not closed."""
    try:
        return shlex.split(command)
    except ValueError:
        return []


def _twice(seen_s: dict[str, list[float]]) -> bool:
    """Whether every name has been seen twice."""
    return bool(seen_s) and all(len(times) > 1 for times in seen_s.values())
