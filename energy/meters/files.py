"""Small files that the meters read: texts from the kernel, tables of facts, and the user's own."""

from __future__ import annotations

import csv
import functools
import os
import re
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "facts" / "data"


def text_of(file: Path) -> str:
    """The text of a kernel file without surrounding space; empty if it cannot be read."""
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def process_state(stat: Path) -> str:
    """The state in the stat file of a process or thread: R if it is ready to run; "" if it ended.

    It follows the name, which may contain spaces and brackets (proc(5)).
    """
    return (text_of(stat).rpartition(")")[2].split() or [""])[0]


def cpuinfo_field(cpuinfo: str, name: str) -> str:
    """The first value of a field in the text of /proc/cpuinfo; empty if there is none."""
    match = re.search(rf"^{name}[ \t]*:[ \t]*(.*)$", cpuinfo, flags=re.MULTILINE)
    return match[1].strip() if match else ""


@functools.cache
def fact_rows(name: str) -> list[dict[str, str]]:
    """The rows of a CSV table in energy/facts/data, as text; read once, so nobody changes them.

    The sampler process reads its tables here: `energy.facts.catalog` would load pydantic.
    """
    with (DATA / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def user_file(name: str) -> Path:
    """Path of a file in this user's configuration folder, $XDG_CONFIG_HOME/glam-energy."""
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "glam-energy" / name
