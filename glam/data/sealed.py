"""Files of the cache, each with a checksum over itself: an edited or damaged one is made again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from energy.errors import InputError
from energy.files import write_text_atomic
from energy.inputs import read_json

SEAL = "sha256_of_the_rest"
"""The key of the checksum."""


def write_sealed(path: Path, table: dict[str, Any]) -> None:
    """Write a table as JSON, whole or not at all, with its checksum."""
    write_text_atomic(path, json.dumps({**table, SEAL: _digest(table)}, indent=1) + "\n")


def read_sealed(path: Path) -> dict[str, Any] | None:
    """The table of a file as it was written; None where there is none, or it was changed since."""
    try:
        table = read_json(path, "a file of the cache")
    except InputError:
        return None
    if not isinstance(table, dict):
        return None
    seal = table.pop(SEAL, None)
    return table if seal == _digest(table) else None


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, read in parts, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(table: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(table).encode()).hexdigest()
