"""What a calibration against a wall meter says of later records on this machine.

The joules that our meters see become joules at the wall, at the boundary of the node, by the line
of the class of device; the band is the error that the line had on models it was not fitted to.
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
"""The kept error is the 90th percentile of the cross-validated ones."""


@dataclass(frozen=True)
class Line:
    """wall joules = gain x tool joules + offset_w x seconds.

    Attributes:
        gain: joules at the wall for a joule that the tool saw.
        offset_w: watts that the tool does not see at all.
        relative_error: 90th percentile of the absolute relative error, each model left out once.
        runs: runs that the line was fitted to.
    """

    gain: float
    offset_w: float
    relative_error: float
    runs: int

    def wall_j(self, tool_j: float, duration_s: float) -> float:
        """Joules at the wall; gain 1.14, offset 43.8 W: 1,000 J in 10 s give 1,578 J."""
        return self.gain * tool_j + self.offset_w * duration_s


@dataclass(frozen=True)
class Calibration:
    """The lines of one machine, by class of device.

    Attributes:
        lines: by gpu, cpu.
        source: the file that they were fitted to.
        host: the machine; a home folder may be shared by many.
    """

    lines: dict[str, Line]
    source: str
    host: str = field(default_factory=platform.node)

    def save(self, path: Path) -> None:
        """Write as JSON."""
        told = {
            "source": self.source,
            "host": self.host,
            "lines": {name: asdict(line) for name, line in self.lines.items()},
        }
        write_text_atomic(path, json.dumps(told, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """The calibration of this machine; None where none was made."""
        try:
            told = json.loads(path.read_text())
            lines = {name: Line(**line) for name, line in told["lines"].items()}
            return cls(lines, told["source"], told.get("host", ""))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"expected a calibration in {path}", str(error), "make it again: energy calibrate"
            ) from error


def default_path() -> Path:
    """Where this user's calibration lies: $XDG_CONFIG_HOME/glam-energy/calibration.json."""
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "glam-energy" / "calibration.json"


def at_the_wall(
    entries: list[EnergyEntry], kinds: set[str], elapsed_s: float
) -> tuple[list[EnergyEntry], list[str]]:
    """The joules of this machine at the wall, where it was calibrated.

    A line of gain 1.14 and 43.8 W whose error was 9 %: 1,000 J seen in 10 s are 1,578 J at the
    wall, 1,436 to 1,720. A node with a meter of its own needs no line.

    Args:
        entries: of the record.
        kinds: of the devices that were read: with a gpu its class is gpu, else cpu.
        elapsed_s: seconds of the record.

    Returns:
        The entry to add, if any, and notes on a calibration that could not be used.
    """
    path = default_path()
    try:
        found = Calibration.load(path)
    except InputError as error:
        return [], [f"calibration left out: {error}"]
    if found is None:
        return [], []
    if found.host != platform.node():
        return [], [f"calibration left out: {path} was made on {found.host or 'another machine'}"]
    own = totals(entries)
    seen, line = own.get(Boundary.CHIP), found.lines.get("gpu" if "gpu" in kinds else "cpu")
    if seen is None or seen.value is None or line is None or Boundary.NODE in own:
        return [], []
    joules = line.wall_j(seen.value, elapsed_s)
    return [_entry(seen, joules, line, f"{path} ({found.source}, {line.runs} runs)")], []


def _entry(seen: Quantity, joules: float, line: Line, source: str) -> EnergyEntry:
    # A line through measured joules is a model, and no stronger than what it was fed with.
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
        source=f"calibration {source}",
        coverage=COVERAGE,
    )
