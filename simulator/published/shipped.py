"""The published tables that the package ships, and the files that a user names instead."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

SHIPPED = ("throughput.csv", "vtrain_single.csv", "nanotron.csv")

PUBLISHED = "published"
"""The word that stands for the package's own tables on the command line."""


CALIBRATION = "calibration"
"""The word that stands for the package's rows that no constant is fitted to."""


def published_tables() -> list[Path]:
    """Tables of training throughput: clusters of many sources, one node, and a sweep."""
    return [shipped(name) for name in SHIPPED]


def shipped(name: str) -> Path:
    """A file of `simulator/published`."""
    with as_file(files("simulator.published") / name) as path:
        return path


def calibration_table() -> Path:
    """Throughput of later years, from frameworks that the fitted tables mostly do not have."""
    return shipped("throughput_2026.csv")


def tables_of(names: list[str]) -> list[Path]:
    """Tables of throughput by path; `PUBLISHED` and `CALIBRATION` stand for the package's."""
    own = {PUBLISHED: published_tables(), CALIBRATION: [calibration_table()]}
    return [path for name in names for path in own.get(name, [Path(name)])]


def runs_of(name: str) -> Path:
    """A table of whole runs by path; `PUBLISHED` and `CALIBRATION` stand for the package's."""
    own = {PUBLISHED: "runs.csv", CALIBRATION: "runs_2026.csv"}
    return shipped(own[name]) if name in own else Path(name)
