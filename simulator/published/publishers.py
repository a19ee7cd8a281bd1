"""Who published a row: the unit that a test of new ground leaves out.

Rows of one publisher share their bias, so a row says little about its neighbors' (nine pages of one
project's containers are nine sources and one publisher). `publishers.csv` names the publisher of a
source and, where a paper also measured the software of others, of a framework in it; the first row
applies whose patterns (regular expressions, case ignored) match both.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache

from simulator.published.shipped import shipped


@dataclass(frozen=True)
class Publisher:
    """A publisher, and how tuned the software is that it measured; blank where nobody says."""

    name: str
    tuned: str


@cache
def publisher_of(source: str, framework: str, location: str = "") -> Publisher:
    """The publisher of a row; one that the table does not name is the owner of its repository.

    Args:
        source: of the row.
        framework: that was measured.
        location: "owner/repository:path", where the row names it.
    """
    for row in _table():
        matches = re.search(row["source"], source, re.IGNORECASE)
        if matches and re.search(row["framework"], framework, re.IGNORECASE):
            return Publisher(row["publisher"], row["tuned"])
    if owner := re.match(r"([\w.-]+)/[\w.-]+:", location):
        return Publisher(owner[1], "")
    # "Paper (2025) Table 3" and "Paper (2025) Table 5" are one source.
    name = re.split(r",? (?:tables?|figures?|section|appendix)\b", source, flags=re.IGNORECASE)[0]
    return Publisher(name.strip(), "")


@cache
def _table() -> list[dict[str, str]]:
    with shipped("publishers.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
