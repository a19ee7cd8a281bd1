"""The machine file that `simulator calibrate` writes and a scenario names."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from energy.errors import InputError, reason
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware

SCHEMA = "machine-1"


@dataclass(frozen=True)
class Machine:
    """A calibrated machine: its hardware row, its constants and where they came from."""

    hardware: Hardware
    constants: Constants
    provenance: dict[str, Any]


def load_machine(path: Path) -> Machine:
    """Read the file that `simulator calibrate` wrote.

    Raises:
        InputError: there is no such file, or it is not a machine file of this version.
    """
    try:
        table = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(
            f"expected a machine file at {path}",
            reason(error),
            "write one with simulator calibrate",
        ) from error
    if table.get("schema") != SCHEMA:
        raise InputError(
            f"expected schema {SCHEMA} in {path}", f"{table.get('schema')!r}", "calibrate again"
        )
    return Machine(
        Hardware.from_dict(table.get("hardware", {})),
        Constants.from_dict(table.get("constants", {})),
        table.get("provenance", {}),
    )
