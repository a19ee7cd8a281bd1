"""What one's own rows say of a cluster, in words, and the setting that uses the file of them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from energy.inputs import UNPARSED


def rows_behind(said: Mapping[str, float], noun: str = "row") -> str:
    """How many rows say it of a kind of model: "1 row", or that only rows of the other kind do."""
    rows = int(said["rows"])
    return f"{rows:,} {noun}{'s' * (rows != 1)}" if rows else "rows of the other kind of model"


def setting_of(constants: Path) -> str:
    """What --set takes, for a shell, so that a question uses a constants file.

    >>> setting_of(Path("ours.json")), setting_of(Path("7"))
    ('hardware.constants=ours.json', 'hardware.constants=./7')
    """
    import tomllib

    name = str(constants)
    try:
        # A name that is a number or a truth value would be read as such.
        tomllib.loads(f"value = {name}")
        name = f"./{name}"
    except UNPARSED:
        pass
    return f"hardware.constants={shlex.quote(name)}"
