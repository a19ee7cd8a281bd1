"""The TOML tables of this folder, and the first row whose pattern matches some words."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def table(name: str) -> dict[str, Any]:
    """The content of a TOML file of `simulator/facts`."""
    return tomllib.loads((files("simulator.facts") / name).read_text(encoding="utf-8"))


def first_match(rows: Iterable[dict[str, Any]], words: str) -> dict[str, Any] | None:
    """The first row whose pattern, with case ignored, matches some words."""
    matches = (row for row in rows if re.search(row["pattern"], words, re.IGNORECASE))
    return next(matches, None)
