"""Applies a calibration against a wall meter to later records of the same machine.

The line of the device class turns the joules that our meters see into joules at the wall, at the
node boundary. The band is the error of the line on models that it was not fitted to.
"""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from energy.errors import InputError
from energy.files import write_text_atomic
from energy.quantity import Boundary, Origin, Quantity
from energy.record import EnergyEntry, totals

API = "wall = gain x seen + offset x seconds"

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
    """

    gain: float
    offset_w: float
    relative_error: float
    runs: int

    def wall_j(self, tool_j: float, duration_s: float) -> float:
        """Joules at the wall. Gain 1.14 and offset 43.8 W turn 1,000 J in 10 s into 1,578 J."""
        return self.gain * tool_j + self.offset_w * duration_s


@dataclass(frozen=True)
class Calibration:
    """The lines of one machine, by device class.

    Attributes:
        lines: the lines, by class: gpu, cpu.
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
        try:
            fields = json.loads(path.read_text())
            lines = {name: Line(**line) for name, line in fields["lines"].items()}
            return cls(lines, fields["source"], fields.get("host", ""))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"expected a calibration in {path}", str(error), "make it again: energy calibrate"
            ) from error


def default_path() -> Path:
    """Path of this user's calibration: $XDG_CONFIG_HOME/glam-energy/calibration.json."""
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "glam-energy" / "calibration.json"


def wall_entries(
    entries: list[EnergyEntry], kinds: set[str], elapsed_s: float
) -> tuple[list[EnergyEntry], list[str]]:
    """The joules of this machine at the wall, if it has been calibrated.

    Example: a line with gain 1.14, offset 43.8 W and error 9 % turns 1,000 J seen in 10 s into
    1,578 J at the wall, 1,436 to 1,720. A node with a meter of its own is not calibrated.

    Args:
        entries: the entries of the record.
        kinds: kinds of the devices that were read; the class is gpu if there is a gpu, else cpu.
        elapsed_s: elapsed seconds of the record.

    Returns:
        The entry to add, if any, and notes on a calibration that could not be used.
    """
    path = default_path()
    try:
        calibration = Calibration.load(path)
    except InputError as error:
        return [], [f"calibration left out: {error}"]
    if calibration is None:
        return [], []
    if calibration.host != platform.node():
        host = calibration.host or "another machine"
        return [], [f"calibration left out: {path} was made on {host}"]
    metered = totals(entries)
    seen = metered.get(Boundary.CHIP)
    line = calibration.lines.get("gpu" if "gpu" in kinds else "cpu")
    if seen is None or seen.value is None or line is None or Boundary.NODE in metered:
        return [], []
    joules = line.wall_j(seen.value, elapsed_s)
    source = f"calibration {path} ({calibration.source}, {line.runs} runs)"
    return [_entry(seen, joules, line, source)], []


def _entry(seen: Quantity, joules: float, line: Line, source: str) -> EnergyEntry:
    # A line through measured joules is a model, and no stronger than the joules it is applied to.
    shares: dict[Origin, float] = {}
    for origin, share in seen.shares.items():
        weaker = origin.weaker(Origin.MODELLED)
        shares[weaker] = shares.get(weaker, 0.0) + share
    return EnergyEntry(
        device="wall",
        boundary=Boundary.NODE,
        api=API,
        value=joules,
        low=joules * max(0.0, 1 - line.relative_error),
        high=joules * (1 + line.relative_error),
        origin=seen.origin.weaker(Origin.MODELLED),
        shares=shares,
        missing=seen.missing,
        source=source,
        coverage=COVERAGE,
    )
