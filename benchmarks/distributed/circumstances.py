"""On what, when and with which versions something was measured."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from datetime import date
from importlib.metadata import version
from typing import Any

from energy.ledger.environment import machine

NAMES = ("cpu", "cores", "date", "python", "torch")


def circumstances() -> dict[str, Any]:
    """Return processor, cores, date and versions of a measurement of now."""
    here = machine()
    return {
        "cpu": here["cpu"],
        "cores": here["cores"],
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "torch": version("torch"),
    }


def said(measured: Iterable[Mapping[str, Any]]) -> str:
    """Return in words where and when rows were measured: "AMD EPYC, 2 cores, 2026-11-29, ..."."""
    every = dict.fromkeys(
        f"{row['cpu']}, {row['cores']} cores, {row['date']}, Python {row['python']}, "
        f"torch {row['torch']}"
        for row in measured
    )
    return "; ".join(every)
