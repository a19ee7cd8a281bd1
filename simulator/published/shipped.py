"""The published tables that the package ships, and the files that a user names instead."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

SHIPPED = ("throughput.csv", "vtrain_single.csv", "nanotron.csv")

PUBLISHED = "published"
"""The word that stands for the package's own tables on the command line."""


def published_tables() -> list[Path]:
    """Tables of training throughput: clusters of many sources, one node, and a sweep."""
    return [shipped(name) for name in SHIPPED]


def shipped(name: str) -> Path:
    """A file of `simulator/published`."""
    with as_file(files("simulator.published") / name) as path:
        return path


def tables_of(names: list[str]) -> list[Path]:
    """Tables of throughput by path; the word `PUBLISHED` stands for those of the package."""
    return [
        path
        for name in names
        for path in (published_tables() if name == PUBLISHED else [Path(name)])
    ]


def runs_of(name: str) -> Path:
    """A table of whole runs by path; the word `PUBLISHED` stands for that of the package."""
    return shipped("runs.csv") if name == PUBLISHED else Path(name)
