"""Applies a calibration against a wall meter to later records of the same machine.

A line turns the joules that our meters see into joules at the wall, at the node boundary. It holds
for the meters and boards whose joules it was fitted to, and for no others: another tool, another
board or another method sees another part of the machine. The band is the error of the line on
models that it was not fitted to.
"""

from __future__ import annotations

import json
import math
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from energy.errors import InputError
from energy.files import write_text_atomic
from energy.inputs import read_json
from energy.meters.files import user_file
from energy.quantity import Boundary, Origin, Quantity
from energy.record import BRIDGE, EnergyEntry, totals
from energy.typed import Amount, Count, EndlessBand, Positive, Table, Texts

API = "wall = gain x seen + offset x seconds"

OURS = "energy"
"""The tool whose joules a line can be applied to: this one."""

COVERAGE = 0.9
"""The stored error is the 90th percentile of the cross-validated errors."""


@dataclass(frozen=True)
class Line:
    """wall joules = gain x tool joules + offset_w x seconds.

    Attributes:
        gain: joules at the wall per joule that the tool sees.
        offset_w: watts that the tool does not see at all.
        relative_error: 90th percentile of the absolute relative error under cross-validation, each
            model left out in turn.
        runs: number of runs that the line was fitted to.
        tool: whose joules it was fitted to: "energy" or "codecarbon".
        meters: how those joules were read, as the `api` of the entries; it names the boards too.
        seen_w: least and greatest mean watts of these runs, as the tool sees them.
    """

    gain: float
    offset_w: float
    relative_error: float
    runs: int
    tool: str = ""
    meters: tuple[str, ...] = ()
    seen_w: tuple[float, float] = (0.0, math.inf)

    def wall_j(self, tool_j: float, duration_s: float) -> float:
        """Joules at the wall. Gain 1.14 and offset 43.8 W turn 1,000 J in 10 s into 1,578 J."""
        return max(0.0, self.gain * tool_j + self.offset_w * duration_s)


@dataclass(frozen=True)
class Calibration:
    """The lines of one machine.

    Attributes:
        lines: the lines, by name: the device class of another tool's joules (gpu, cpu), or the
            kind of what our own meters read.
        source: name of the file that they were fitted to.
        host: the machine; a home folder may be shared by many machines.
    """

    lines: dict[str, Line]
    source: str
    host: str = field(default_factory=platform.node)

    def save(self, path: Path) -> None:
        """Write as JSON."""
        fields = {
            "source": self.source,
            "host": self.host,
            "lines": {name: asdict(line) for name, line in self.lines.items()},
        }
        write_text_atomic(path, json.dumps(fields, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Read a calibration; None if there is no such file.

        Raises:
            InputError: the file is not a calibration.
        """
        if not path.exists():
            return None
        what, fix = "a calibration", "make it again: energy calibrate WALL.csv --save"
        table = _File.of(read_json(path, what, fix), f"{what} in {path}", fix)
        lines = {name: line.line() for name, line in table.lines.items()}
        return cls(lines, table.source, table.host)


def default_path() -> Path:
    """Path of this user's calibration: $XDG_CONFIG_HOME/glam-energy/calibration.json."""
    return user_file("calibration.json")


def meters_of(entries: list[EnergyEntry]) -> tuple[str, ...]:
    """How the joules at the chip boundary were read: each `api` once, in order.

    Domains inside others are left out, because their joules are not added.
    """
    counted = [entry for entry in entries if entry.value is not None and entry.within is None]
    return tuple(
        sorted({e.api for e in counted if e.boundary is Boundary.CHIP and e.api != BRIDGE})
    )


def unread_seconds(entries: list[EnergyEntry]) -> float:
    """Longest time for which a device that was metered was not read; bridged time counts as read.

    The wall meter saw the joules of that time, and ours did not.
    """
    metered = {entry.device for entry in entries if entry.value is not None}
    missing = [entry for entry in entries if entry.value is None and entry.device in metered]
    return max((entry.seconds or 0.0 for entry in missing), default=0.0)


def wall_entries(
    entries: list[EnergyEntry], elapsed_s: float
) -> tuple[list[EnergyEntry], list[str]]:
    """The joules of this machine at the wall, if its meters have been calibrated.

    Example: a line with gain 1.14, offset 43.8 W and error 9 % turns 1,000 J seen in 10 s into
    1,578 J at the wall, 1,436 to 1,720. A node with a meter of its own is not calibrated.

    Args:
        entries: the entries of the record.
        elapsed_s: elapsed seconds of the record.

    Returns:
        The entry to add, if any, and notes on a calibration that could not be used.
    """
    path = default_path()
    try:
        calibration = Calibration.load(path)
    except InputError as error:
        return [], [f"calibration left out: {error}"]
    metered = totals(entries)
    seen = metered.get(Boundary.CHIP)
    if calibration is None or seen is None or seen.value is None or Boundary.NODE in metered:
        return [], []
    if calibration.host != platform.node():
        host = calibration.host or "another machine"
        return [], [f"calibration left out: {path} was made on {host}"]
    own = meters_of(entries)
    line = next((x for x in calibration.lines.values() if x.tool == OURS and x.meters == own), None)
    if line is None:
        fitted = "; ".join(sorted({_fitted_to(line) for line in calibration.lines.values()}))
        return [], [
            f"calibration left out: {path} was fitted to {fitted or 'nothing'}, "
            f"this run has {' + '.join(own)}"
        ]
    if unread_s := unread_seconds(entries):
        return [], [f"calibration left out: up to {unread_s:.0f} s of this run were not read"]
    source = f"calibration {path} ({calibration.source}, {line.runs} runs)"
    entry, note = _entry(seen, line, elapsed_s, source)
    return [entry], [note] if note else []


def _fitted_to(line: Line) -> str:
    """What a line was fitted to, in words."""
    if line.tool != OURS:
        return f"the joules of {line.tool or 'another tool'}"
    return " + ".join(line.meters)


class _SavedLine(Table):
    """A line as it was saved; files of before its tool was recorded are lines of another tool."""

    gain: Positive
    offset_w: float
    relative_error: Amount
    runs: Count
    tool: str = ""
    meters: Texts = ()
    seen_w: EndlessBand = (0.0, math.inf)

    def line(self) -> Line:
        """The line itself."""
        return Line(**self.model_dump())


class _File(Table):
    """The content of a calibration's file."""

    source: str
    lines: dict[str, _SavedLine]
    host: str = ""


def _entry(
    seen: Quantity, line: Line, elapsed_s: float, source: str
) -> tuple[EnergyEntry, str | None]:
    """The entry at the wall, and a note if the run lies outside what the line was fitted to.

    Outside, nothing says how far the line holds, so the band of the joules that it is applied to
    is added in quadrature.
    """
    value, low, high = seen.numbers()
    joules = line.wall_j(value, elapsed_s)
    down = up = line.relative_error
    mean_w, note = value / elapsed_s if elapsed_s > 0 else 0.0, None
    if not line.seen_w[0] <= mean_w <= line.seen_w[1]:
        down = math.hypot(down, 1 - low / value if value else 0.0)
        up = math.hypot(up, high / value - 1 if value else 0.0)
        note = (
            f"calibration: {mean_w:.0f} W lie outside the {line.seen_w[0]:.0f} to "
            f"{line.seen_w[1]:.0f} W that it was fitted to; the band at the wall is wider"
        )
    # A line through measured joules is a model, and no stronger than the joules it is applied to.
    shares: dict[Origin, float] = {}
    for origin, share in seen.shares.items():
        weaker = origin.weaker(Origin.MODELLED)
        shares[weaker] = shares.get(weaker, 0.0) + share
    entry = EnergyEntry(
        device="wall",
        boundary=Boundary.NODE,
        api=API,
        value=joules,
        low=joules * max(0.0, 1 - down),
        high=joules * (1 + up),
        origin=seen.origin.weaker(Origin.MODELLED),
        shares=shares,
        missing=seen.missing,
        source=source,
        coverage=COVERAGE,
    )
    return entry, note
