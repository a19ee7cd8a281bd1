"""CodeCarbon's emissions.csv, whose rows are running totals.

The joules of the boards are those of their counters. The file does not say whether those of the
processor were read or computed, so they count as modelled; the memory's are a constant times its
size, and assumed. Its grams of CO2e are left: they are computed anew, from a factor with its year.
All its joules are multiplied by the PUE of its column, which is taken out again.
"""

from __future__ import annotations

from collections.abc import Mapping

from energy.errors import InputError
from energy.importers.imported import (
    BOARD_COUNTER,
    ROUNDING,
    Device,
    Hints,
    ImportedRun,
    Importer,
    Skipped,
    number,
)
from energy.importers.moments import Clock
from energy.importers.tables import rows_of
from energy.meters.base import Domain
from energy.units import J_PER_KWH

NEEDED = ("timestamp", "run_id", "duration", "cpu_energy", "gpu_energy", "ram_energy")
"""Columns without which there are no joules; project_name and the models may be empty."""

MODELLED, ASSUMED = (0.3, 3.0), (0.4, 2.5)
"""Factors by which a processor's joules from its load, and a constant for memory, may be off: other
tools differ by so much from each other (docs/meters.md)."""


def recognizes(text: str) -> bool:
    """Whether its columns stand in the first line."""
    first = text.lstrip("\ufeff").partition("\n")[0]
    return "cpu_energy" in first and "ram_energy" in first and "run_id" in first


def read(text: str, hints: Hints) -> list[ImportedRun]:
    """A run for each run_id, with the joules of its last row."""
    skipped = Skipped()
    last: dict[tuple[str, str], tuple[float, Mapping[str, str]]] = {}
    counts: dict[tuple[str, str], int] = {}
    for line, row in rows_of(text, NEEDED, skipped, "CodeCarbon's emissions.csv"):
        try:
            seconds = number(row["duration"], 1e-9, 1e10)
            for column in ("cpu_energy", "gpu_energy", "ram_energy"):
                number(row[column] or "0", 0, 1e12)
            Clock(hints.timezone).seconds(row["timestamp"])
            _pue(row)
        except ValueError:
            skipped.add(line)
            continue
        if row.get("energy_boundary"):
            raise InputError(
                f"expected a file of CodeCarbon's at {hints.file}",
                "one of energy report --format csv, whose joules were raised to a wider boundary",
                "the record that it was made of needs no import",
            )
        key = row["run_id"], row.get("project_name", "")
        counts[key] = counts.get(key, 0) + 1
        if key not in last or seconds >= last[key][0]:
            last[key] = seconds, row
    return [_run(row, seconds, counts[key], skipped, hints) for key, (seconds, row) in last.items()]


def _run(
    row: Mapping[str, str], seconds: float, rows: int, skipped: Skipped, hints: Hints
) -> ImportedRun:
    clock = Clock(hints.timezone)
    end_s = clock.seconds(row["timestamp"])
    begin_s = max(0.0, end_s - seconds)
    devices = [
        Device(domain, spent=[(begin_s, begin_s + seconds, joules)])
        for domain, joules in _domains(row)
        if joules > 0
    ]
    boards = number(row.get("gpu_count") or "0", 0, 1e6) if _is_number(row.get("gpu_count")) else 0
    notes = skipped.notes()
    if rows > 1:
        notes.append(f"{rows} rows of this run are running totals: the last counts")
    if row.get("tracking_mode") == "process":
        notes.append("tracked by process: other work on this machine is not in the joules")
    notes += _sum_note(row)
    notes += clock.notes()
    facts = {
        name: row[name]
        for name in ("codecarbon_version", "cpu_model", "gpu_model", "tracking_mode", "os")
        if row.get(name)
    }
    product = (row.get("gpu_model") or "").partition(" x ")[2] or row.get("gpu_model") or ""
    return ImportedRun(
        name=row.get("project_name") or "codecarbon",
        devices=devices,
        chips=max(1, round(boards)),
        chip=product,
        facts=facts,
        labels={"codecarbon_run": row["run_id"]} if row["run_id"] else {},
        notes=notes,
    )


def _domains(row: Mapping[str, str]) -> list[tuple[Domain, float]]:
    """What the file tells apart, each with its joules."""
    version = row.get("codecarbon_version") or "of an unknown version"

    def domain(name: str, kind: str, origin: str, band: tuple[float, float], words: str) -> Domain:
        return Domain(
            id=name,
            kind=kind,
            boundary="chip",
            method="counter" if origin == "measured" else "model",
            api=f"CodeCarbon {version}, {name}_energy",
            origin=origin,
            low=band[0],
            high=band[1],
            limit_w=1e6,
            meter="codecarbon",
            source=words,
        )

    boards = domain("gpu", "gpu", "measured", BOARD_COUNTER, "NVML counters, as CodeCarbon reads")
    cores = domain(
        "cpu", "cpu", "modelled", MODELLED, "RAPL or a share of TDP: the file does not say which"
    )
    memory = domain("ram", "memory", "assumed", ASSUMED, "a constant times the size of the memory")
    pue = _pue(row)
    return [
        (part, number(row[f"{part.id}_energy"] or "0", 0, 1e12) * J_PER_KWH / pue)
        for part in (boards, cores, memory)
    ]


def _pue(row: Mapping[str, str]) -> float:
    """The PUE in the joules of a row, 1 without one.

    CodeCarbon multiplies the energy of each part by it (`_do_measurements` of its tracker).
    """
    text = row.get("pue")
    return number(text, 1, 1e3) if text and _is_number(text) and float(text) > 1 else 1.0


def _sum_note(row: Mapping[str, str]) -> list[str]:
    """Whether the file has a PUE, and whether its own total is that of its parts."""
    if (pue := _pue(row)) > 1:
        return [f"its PUE of {pue:g} was taken out of its joules: name yours with --pue"]
    total = row.get("energy_consumed")
    if not _is_number(total):
        return []
    parts = sum(float(row[f"{name}_energy"] or 0) for name in ("cpu", "gpu", "ram"))
    whole = float(total or 0)
    if abs(whole - parts) <= max(ROUNDING, 1e-3 * whole):
        return []
    return [
        f"energy_consumed is {whole:.6g} kWh and its parts are {parts:.6g} kWh: the parts count"
    ]


def _is_number(text: str | None) -> bool:
    try:
        number(text or "")
    except ValueError:
        return False
    return True


IMPORTER = Importer(
    "codecarbon",
    "CodeCarbon's emissions.csv",
    "keep what CodeCarbon writes (save_to_file=True)",
    recognizes,
    read,
)
