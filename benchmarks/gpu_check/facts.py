"""What the machine says of itself: its meters by `energy doctor`, its board by the driver."""

from __future__ import annotations

import json
import sys

from benchmarks.gpu_check.board import Board
from benchmarks.gpu_check.stages import Report, Settings
from benchmarks.process import run_process
from energy.ledger.environment import machine


def doctor(settings: Settings, report: Report) -> None:
    """Run `energy doctor --json`, which watches for 10 s where a counter can be compared."""
    report("energy doctor")
    command = [sys.executable, "-m", "energy", "doctor", "--json"]
    if settings.short:
        command += ["--seconds", "1"]
    report(**json.loads(run_process(command).stdout))


def driver(settings: Settings, report: Report) -> None:
    """Ask the driver for limits, clocks and modes of the board."""
    report("machine and driver", machine=machine())
    report(board=Board().facts())
