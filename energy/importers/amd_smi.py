"""Logs of `amd-smi metric --power --watch 1 --csv`: a line for each board, once a second.

The moments are whole seconds since 1970. Of a board with two dies one shows the power of both, and
the other none.
"""

from __future__ import annotations

from energy.importers.imported import Device, Hints, ImportedRun, Importer, Skipped, number
from energy.importers.moments import in_order, in_range
from energy.importers.tables import cells_of
from energy.meters.base import Domain
from energy.meters.sensors import by_default

NEEDED = ("timestamp", "gpu", "socket_power")

FAILED = ("N/A", "")


def recognizes(text: str) -> bool:
    """Whether one of the lines has its columns."""
    return any(set(NEEDED) <= set(line.split(",")) for line in text.splitlines())


def read(text: str, hints: Hints) -> list[ImportedRun]:
    """The boards of a log, each with its watts over time; N/A is a reading that failed."""
    skipped = Skipped()
    names: list[str] = []
    rows: list[tuple[float, tuple[str, float | None]]] = []
    for line, cells in cells_of(text):
        if set(NEEDED) <= set(cells):
            names = cells
            continue
        try:
            values = dict(zip(names, cells, strict=True))
            power = values["socket_power"].removesuffix(" W")
            watts = None if power in FAILED else number(power, 0, 1e6)
            board = round(number(values["gpu"], 0, 1e6))
            rows.append((in_range(float(values["timestamp"])), (f"gpu-{board}", watts)))
        except (ValueError, KeyError):
            if names:
                skipped.add(line)
    if not rows:
        return []
    ordered, notes = in_order(rows)
    powers: dict[str, dict[float, float | None]] = {}
    for time_s, (name, watts) in ordered:
        powers.setdefault(name, {})[time_s] = watts
    return [
        ImportedRun(
            name="amd-smi",
            devices=[
                Device(_board(name), powers=list(wave.items())) for name, wave in powers.items()
            ],
            chips=hints.chips or len(powers),
            notes=[*skipped.notes(), *notes],
        )
    ]


def _board(name: str) -> Domain:
    domain = Domain(
        id=name,
        kind="gpu",
        boundary="chip",
        method="power",
        tick_s=0.1,
        api="amd-smi, socket power",
        low=0.9,
        high=1.1,
        never_zero=True,
        source="no external check known, our default +-10 %",
        meter=name,
    )
    return by_default(domain, "amd")


IMPORTER = Importer(
    "amd-smi",
    "a log of amd-smi",
    "amd-smi metric --power --watch 1 --csv --file FILE",
    recognizes,
    read,
)
