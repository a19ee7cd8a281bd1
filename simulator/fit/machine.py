"""The machine file, its schema included: `simulator calibrate` writes it, a scenario names it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from energy.errors import InputError
from energy.files import write_text_atomic
from energy.inputs import read_toml, table_of
from simulator.fit.answer_times import AnswerTimes
from simulator.fit.shared_machine import SharedMachine
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware

SCHEMA = "machine-1"


@dataclass(frozen=True)
class Machine:
    """A calibrated machine: its hardware, its constants, and where they came from.

    Attributes:
        hardware: of one process that has the machine alone.
        constants: likewise.
        provenance: of the fit.
        answers: times of generation, if they were probed.
        shared: what several processes do to each other, if they were probed.
    """

    hardware: Hardware
    constants: Constants
    provenance: dict[str, Any]
    answers: AnswerTimes | None = None
    shared: SharedMachine | None = None


def load_machine(path: Path) -> Machine:
    """Read the file that `simulator calibrate` wrote.

    Raises:
        InputError: there is no such file, or it is not a machine file of this version.
    """
    table = read_toml(path, "a machine file", "write one with simulator calibrate PROBE.json")
    if table.get("schema") != SCHEMA:
        raise InputError(
            f"expected schema {SCHEMA} in {path}", f"{table.get('schema')!r}", "calibrate again"
        )
    return Machine(
        Hardware.from_dict(table_of(table.get("hardware", {}), f"hardware of {path}")),
        Constants.from_dict(table_of(table.get("constants", {}), f"constants of {path}")),
        table_of(table.get("provenance", {}), f"provenance of {path}"),
        _answers(table, path),
        _shared(table, path),
    )


def _answers(table: dict[str, Any], path: Path) -> AnswerTimes | None:
    """The times of answers; None in the file of a probe before there were any."""
    if "answers" not in table:
        return None
    rows = table_of(table["answers"], f"answers of {path}")
    return AnswerTimes.of(rows.get("weights", ()), rows.get("layers", ()))


def _shared(table: dict[str, Any], path: Path) -> SharedMachine | None:
    """What several processes do to each other; None in the file of a probe of one."""
    if "shared" not in table:
        return None
    return SharedMachine.of(table_of(table["shared"], f"shared of {path}").get("counts", ()))


def save_machine(machine: Machine, path: Path) -> None:
    """Write the file that `load_machine` reads."""
    tables = {
        "hardware": asdict(machine.hardware),
        "constants": asdict(machine.constants),
        "provenance": machine.provenance,
    }
    if machine.answers is not None:
        tables["answers"] = asdict(machine.answers)
    if machine.shared is not None:
        tables["shared"] = asdict(machine.shared)
    lines = [
        "# Written by simulator calibrate: fitted to timed operations, not to be edited by hand.",
        f'schema = "{SCHEMA}"',
    ]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *_toml(table)]
        for key, inner in table.items():
            if isinstance(inner, dict):
                lines += ["", f"[{name}.{key}]", *_toml(inner)]
    write_text_atomic(path, "\n".join(lines) + "\n")


def _toml(table: dict[str, Any]) -> list[str]:
    """Numbers, texts and lists as TOML, which JSON writes alike; None and tables are left out."""
    return [
        f"{key} = {json.dumps(value, ensure_ascii=False)}"
        for key, value in table.items()
        if value is not None and not isinstance(value, dict)
    ]
