"""Processes that meter the stand-in for NVIDIA's library, and the exact energy of its wave.

The stand-in draws a square wave of power. Its settings are environment variables, STANDIN_NAME:
PERIOD_S (1), PHASE_S (0), HIGH_W (400), LOW_W (100), DEVICES (1), NO_COUNTER.
"""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.process import ROOT
from tests.support.standin import nvml_environment

HIGH_W, LOW_W = 400.0, 100.0


def environment(library: Path, settings: Mapping[str, str], **more: str) -> dict[str, str]:
    """The environment of a process that reads the stand-in.

    Args:
        library: the compiled stand-in.
        settings: its settings, without the prefix STANDIN_.
        more: other variables.
    """
    return {**nvml_environment(library, **settings), "PYTHONPATH": str(ROOT), **more}


def run_child(
    code: str, library: Path, settings: Mapping[str, str], folder: str, *arguments: float
) -> str:
    """Run Python code that meters the stand-in, and return what it printed.

    Args:
        code: program text; its arguments are the folder and then `arguments`.
        library: the compiled stand-in.
        settings: of the stand-in.
        folder: for the child's ledger. It is also its runtime folder: two children at once draw
            two waves, so each has to be a node of its own.
        arguments: further arguments of the program.
    """
    finished = subprocess.run(
        [sys.executable, "-c", code, folder, *map(str, arguments)],
        env=environment(library, settings, XDG_RUNTIME_DIR=folder),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return finished.stdout


def wave_j(
    start_s: float,
    stop_s: float,
    *,
    period_s: float = 1.0,
    phase_s: float = 0.0,
    low_w: float = LOW_W,
) -> float:
    """Exact energy of the stand-in's square wave between two moments, in joules.

    The first half of a period is at HIGH_W, the second at `low_w`; with the defaults one period
    is 400 W * 0.5 s + 100 W * 0.5 s = 250 J.
    """

    def until(t: float) -> float:
        t -= phase_s
        periods, part = math.floor(t / period_s), t % period_s
        within = min(part, period_s / 2) * HIGH_W + max(0.0, part - period_s / 2) * low_w
        return periods * period_s / 2 * (HIGH_W + low_w) + within

    return until(stop_s) - until(start_s)
