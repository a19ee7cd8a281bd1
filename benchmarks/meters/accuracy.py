"""Measured energy of windows against the exact integral of the wave that was drawn."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gate import Gate
from benchmarks.meters.standin import HIGH_W, run_child, wave_j
from energy.ledger import accounting
from energy.ledger import reader as ledger
from energy.ledger.lines import FILE

MOST_ERROR = {1.3: 0.02, 0.5: 0.06, 0.1: 0.20}
"""Largest relative error allowed for windows of so many seconds."""
CHILD = """
import random, sys, time
from energy import Tracker
windows_s = [float(word) for word in sys.argv[2:]]
with Tracker(sys.argv[1], meters=["nvml"]) as tracker:
    time.sleep(1.0)
    for index, seconds in enumerate(windows_s):
        time.sleep(random.Random(index).uniform(0.0, 0.1))
        with tracker.window(f"w{index}"):
            time.sleep(seconds)
"""


@dataclass(frozen=True)
class Case:
    """Windows of one child under one wave.

    Attributes:
        windows_s: lengths of its windows.
        wave: period_s, phase_s and low_w, as `wave_j` takes them.
    """

    windows_s: Sequence[float]
    wave: Mapping[str, float]


@dataclass(frozen=True)
class Window:
    """One measured window.

    Attributes:
        error: measured energy over the exact one, less 1.
        covered: whether the stated interval contains the exact energy.
    """

    error: float
    covered: bool


def gates(library: Path) -> list[Gate]:
    """Errors under constant power and 1 Hz square waves; coverage under random waves."""
    constant = {"constant": Case([1.0, 1.5, 2.0] * 3, {"low_w": HIGH_W})}
    square, rand = square_cases(), random_cases()
    # Children sleep nearly all the time, so two at once do not disturb each other.
    with ThreadPoolExecutor(2) as pool:
        jobs = {
            name: pool.submit(measure, library, case)
            for name, case in (constant | square | rand).items()
        }
        windows = {name: job.result() for name, job in jobs.items()}
    drawn = [window for name in rand for window in windows[name]]
    coverage = sum(window.covered for window in drawn) / len(drawn)
    return [
        Gate("constant power, 1 s and more: worst error", worst(windows["constant"]), 0.005),
        *(
            Gate(f"{name}: worst of 30", worst(windows[name]), MOST_ERROR[case.windows_s[0]])
            for name, case in square.items()
        ),
        Gate(
            f"coverage of the stated 95 % interval, {len(drawn)} windows of random waves",
            coverage,
            0.93,
            at_least=True,
        ),
    ]


def square_cases() -> dict[str, Case]:
    """30 windows of each length on a 1 Hz wave, in step with the counter's ticks and off them."""
    return {
        f"1 Hz square wave {words}, {seconds} s": Case([seconds] * 30, {"phase_s": phase_s})
        for words, phase_s in (("in step with the ticks", 0.0), ("37 ms off the ticks", 0.037))
        for seconds in MOST_ERROR
    }


def random_cases() -> dict[str, Case]:
    """Ten waves of random period, phase and depth, each with 20 windows of random length."""
    generator = random.Random(1)
    cases = {}
    for index in range(10):
        wave = {
            "period_s": generator.uniform(0.25, 4.0),
            "phase_s": generator.uniform(0, 1),
            "low_w": generator.uniform(60, 390),
        }
        cases[f"random {index}"] = Case([generator.uniform(0.1, 1.3) for _ in range(20)], wave)
    return cases


def measure(library: Path, case: Case) -> list[Window]:
    """Meter the windows of a case in a child, and compare each with the exact energy."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {name.upper(): repr(value) for name, value in case.wave.items()}
        run_child(CHILD, library, settings, folder, *case.windows_s)
        path = Path(folder) / FILE
        (segment,) = ledger.segments(path)
        record = accounting.record(path, name="bench", labels={}, notes=[])
    energies = {window.name: window.energy_j for window in record.windows}
    windows = []
    for row in segment.windows:
        exact_j = wave_j(row["m0"] / 1e9, row["m1"] / 1e9, **case.wave)
        value, low, high = energies[row["name"]].numbers()
        windows.append(Window(error=value / exact_j - 1, covered=low <= exact_j <= high))
    return windows


def worst(windows: Sequence[Window]) -> float:
    """The largest absolute relative error."""
    return max(abs(window.error) for window in windows)
