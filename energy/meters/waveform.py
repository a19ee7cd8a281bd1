"""Waveforms of power from a file: times and watts by device, drawn or logged by nvidia-smi.

A drawn file has the columns t_s, device and watts. A log is what
`nvidia-smi --query-gpu=timestamp,index,name,power.draw --format=csv` prints, with any other columns
beside them; its boards are named by uuid, else by index. A power in brackets ([N/A]) is not known.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from energy.errors import InputError
from energy.inputs import read_text

Wave = list[tuple[float, float | None]]
"""Seconds and the watts from then on, in order of time; None where they are not known."""

DRAWN = ("t_s", "device", "watts")

POWERS = ("power.draw", "power.draw.instant", "power.draw.average")
"""Columns of nvidia-smi that state the power of a board, the preferred one first."""

STAMP = "%Y/%m/%d %H:%M:%S.%f"
"""How nvidia-smi writes a moment."""

COLUMNS = (
    "the columns are t_s, device and watts, or those of "
    "nvidia-smi --query-gpu=timestamp,index,power.draw --format=csv"
)

Line = tuple[str, float, float | None]
"""Device, seconds and watts of a line."""


def waves(path: Path) -> dict[str, Wave]:
    """The waveform of each device in a file.

    Raises:
        InputError: the file cannot be read, is neither layout, or has a line that cannot be.
    """
    lines = read_text(path, "a waveform", COLUMNS).splitlines(keepends=True)
    try:
        return _waves(path, csv.reader(lines, skipinitialspace=True))
    except csv.Error as error:
        raise InputError(f"expected a waveform in {path}", str(error), COLUMNS) from error


def integral_j(wave: Wave, until_s: float) -> float:
    """Joules of a step waveform from 0 to a moment; [(0, 100), (2, 50)] until 3 s gives 250 J."""
    total = 0.0
    for i, (start_s, watts) in enumerate(wave):
        stop_s = wave[i + 1][0] if i + 1 < len(wave) else until_s
        total += (watts or 0.0) * max(0.0, min(stop_s, until_s) - start_s)
    return total


def watts_at(wave: Wave, moment_s: float) -> float | None:
    """Watts at a moment; None before the first line and where they are not known."""
    return next((watts for start_s, watts in reversed(wave) if start_s <= moment_s), None)


def _waves(path: Path, lines: Iterable[list[str]]) -> dict[str, Wave]:
    by_device: dict[str, Wave] = {}
    layout: Drawn | Log | None = None
    for number, cells in enumerate(lines, 1):
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            continue
        if layout is None:
            layout = _layout(path, cells)
            continue
        try:
            device, time_s, watts = layout.line(cells)
        except (ValueError, IndexError) as error:
            raise _refused(path, number, "a moment and a number of watts", cells) from error
        if not math.isfinite(time_s) or not (watts is None or 0 <= watts < math.inf):
            raise _refused(path, number, "watts of 0 or more", cells)
        wave = by_device.setdefault(device, [])
        if wave and time_s < wave[-1][0]:
            raise _refused(path, number, "times that ascend", cells)
        wave.append((time_s, watts))
    if layout is None or not by_device:
        raise InputError(f"expected a waveform in {path}", "no line with watts", COLUMNS)
    first_s = layout.begin_s(by_device)
    return {
        device: [(t - first_s, watts) for t, watts in wave] for device, wave in by_device.items()
    }


class Drawn:
    """Lines of t_s, device and watts.

    Args:
        header: the names of the columns.
    """

    def __init__(self, header: list[str]) -> None:
        self._time, self._device, self._watts = map(header.index, DRAWN)

    def line(self, cells: list[str]) -> Line:
        """Device, seconds and watts of a line."""
        return cells[self._device], float(cells[self._time]), float(cells[self._watts])

    def begin_s(self, waves: dict[str, Wave]) -> float:
        """The moment at which the replay begins: 0."""
        return 0.0


class Log:
    """Lines of nvidia-smi.

    Args:
        header: the names of the columns; those with a unit have it in brackets.

    Raises:
        ValueError: there is no column of moments, of boards or of powers.
    """

    def __init__(self, header: list[str]) -> None:
        names = [name.split(" [")[0] for name in header]
        self._time = names.index("timestamp")
        self._uuid = "uuid" in names
        self._device = names.index("uuid" if self._uuid else "index")
        self._watts = min(names.index(name) for name in POWERS if name in names)

    def line(self, cells: list[str]) -> Line:
        """Device, seconds since 1970 and watts of a line; None for watts in brackets."""
        board, power = cells[self._device], cells[self._watts]
        moment = datetime.strptime(cells[self._time], STAMP).replace(tzinfo=UTC)
        watts = None if power.startswith("[") else float(power.removesuffix(" W"))
        return board if self._uuid else f"gpu-{board}", moment.timestamp(), watts

    def begin_s(self, waves: dict[str, Wave]) -> float:
        """The moment at which the replay begins: that of the first line."""
        return min(wave[0][0] for wave in waves.values())


def _layout(path: Path, header: list[str]) -> Drawn | Log:
    """What reads the lines of a file with this header."""
    try:
        return Drawn(header) if set(DRAWN) <= set(header) else Log(header)
    except ValueError as error:
        raise InputError(
            f"expected a waveform in {path}", f"the columns {', '.join(header)}", COLUMNS
        ) from error


def _refused(path: Path, number: int, expectation: str, cells: list[str]) -> InputError:
    return InputError(
        f"expected {expectation} in line {number} of {path}",
        ",".join(cells),
        "sort the lines of each device by time; energy import reads a log whose clock was set back"
        if "ascend" in expectation
        else "correct it",
    )
