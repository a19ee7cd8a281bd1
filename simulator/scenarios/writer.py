"""A scenario as the text of a file that reads back as the same scenario."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from energy.errors import InputError
from energy.files import write_text_atomic
from simulator.scenarios.scenario import NAMED_FILES, Scenario, is_named_file


def write(scenario: Scenario, path: Path) -> None:
    """Write a scenario as TOML, whole or not at all.

    Raises:
        InputError: the file does not end in .toml, or cannot be written.
    """
    if path.suffix != ".toml":
        raise InputError("expected --save with a file ending in .toml", str(path))
    write_text_atomic(path, text(scenario))


def text(scenario: Scenario) -> str:
    """The text of a scenario's file; files that it names are written with their whole path."""
    tables = scenario.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    for section, key in NAMED_FILES:
        named = tables.get(section, {}).get(key)
        if is_named_file(key, named):
            tables[section][key] = str(Path(named).resolve())
    lines = [
        f"{key} = {_value(value)}" for key, value in tables.items() if not isinstance(value, dict)
    ]
    for name, table in tables.items():
        if isinstance(table, dict) and table:
            lines += [
                "",
                f"[{name}]",
                *(f"{key} = {_value(value)}" for key, value in table.items()),
            ]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    """A value as TOML: numbers and words as in JSON, a table in one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    # The unit of a quantity is that of its key, and one origin alone has all shares.
    left = {"unit"} if "origin" in value else set()
    if len(value.get("shares", ())) == 1:
        left.add("shares")
    cells = (f"{key} = {_value(cell)}" for key, cell in value.items() if key not in left)
    return "{ " + ", ".join(cells) + " }"
