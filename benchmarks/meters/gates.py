"""The gates of the meters by name: each measures its rows and names the cases that fail."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.progress import track

from benchmarks.gate import Gate
from benchmarks.meters import (
    accuracy,
    bands,
    beside,
    cost,
    impossible,
    kills,
    million,
    odd_scenes,
    ranks,
    step,
    unread,
    unread_live,
)
from benchmarks.meters.figures import Figure
from benchmarks.meters.judge import Kind, Problem, by_kind

VIRTUAL_CASES, LIVE_CASES = 156, 44
ODD_CASES = 60
INSTANTS = 200
LEAST_COVERAGE = 0.93
MOST_HALF_WIDTH = {0.3: 0.9, 1.0: 0.3, 5.0: 0.12}
"""Greatest median half width of windows of so many seconds with a counter; without one, twice."""

MOST_PROCESSOR = 1 / 3
"""Processor time of a record of a million rows over that of build 6e37131."""

MOST_BYTES = 60e6
"""Peak memory of that record."""

MOST_ERROR = 1e-3
"""Relative error of the joules of a merge."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Setup:
    """What the gates need.

    Attributes:
        nvml_library: the compiled stand-in for NVIDIA's library.
        other: another checkout, to compare processor time with.
    """

    nvml_library: Path
    other: Path | None = None


def _shown(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """The items, with a progress bar on a terminal and a line elsewhere."""
    is_terminal = sys.stderr.isatty()
    if not is_terminal:
        print(f"{what}: {total}", file=sys.stderr, flush=True)
    yield from track(items, what, total=total, disable=not is_terminal)


def _say(case: str, wrong: Sequence[object]) -> None:
    """Name a case that fails, and why."""
    if wrong:
        words = "; ".join(w.text if isinstance(w, Problem) else str(w) for w in wrong)
        print(f"{case}: {words}", file=sys.stderr, flush=True)


def _unread(setup: Setup) -> list[Figure]:
    problems: list[Sequence[Problem]] = []
    virtual = unread.results(VIRTUAL_CASES, setup.nvml_library)
    for case, wrong in _shown(virtual, VIRTUAL_CASES, "unread, virtual machines"):
        _say(case.name, wrong)
        problems.append(wrong)
    live = unread_live.results(LIVE_CASES, setup.nvml_library)
    for live_case, wrong in _shown(live, LIVE_CASES, "unread, processes"):
        _say(live_case.name, wrong)
        problems.append(wrong)
    counts, cases = by_kind(problems), VIRTUAL_CASES + LIVE_CASES
    return [
        Figure(Gate(f"cases without readings for a while: {kind}", counts[kind], 0, rows=cases))
        for kind in Kind
    ]


def _odd(setup: Setup) -> list[Figure]:
    names = {
        "impossible readings believed, or not noted": odd_scenes.IMPOSSIBLE,
        "true readings set aside (reset, turn, burst, late answer, sleep)": odd_scenes.TRUE,
    }
    figures = []
    for name, kinds in names.items():
        failed = 0
        for case in _shown(impossible.cases(kinds, ODD_CASES), ODD_CASES, name):
            wrong = impossible.judge(case, setup.nvml_library)
            _say(case.name, wrong)
            failed += bool(wrong)
        figures.append(Figure(Gate(name, failed, 0, rows=ODD_CASES)))
    return figures


def _bands(setup: Setup) -> list[Figure]:
    figures: list[Figure] = []
    random_windows: dict[bool, list[bands.Band]] = {True: [], False: []}
    for row, measured in _shown(bands.results(setup.nvml_library), len(bands.ROWS), "bands"):
        coverage = sum(band.holds for band in measured) / len(measured)
        gate = Gate(f"95 % band, {row.name}", coverage, LEAST_COVERAGE, True, len(measured))
        figures.append(Figure(gate, "share"))
        if not row.in_step:
            random_windows[row.counts] += measured
    for counts, words, factor in ((True, "counter", 1), (False, "power only", 2)):
        for length_s in bands.WIDTHS_S:
            median = bands.median_half_width(random_windows[counts], length_s)
            name = f"median half width of a band, {words}, {length_s:g} s"
            figures.append(Figure(Gate(name, median, factor * MOST_HALF_WIDTH[length_s]), "share"))
    return figures


def _kills(setup: Setup) -> list[Figure]:
    cases = kills.cases(INSTANTS)
    instants = failed = 0
    for case, wrong in _shown(kills.results(INSTANTS, setup.nvml_library), len(cases), "kills"):
        _say(case.name, wrong)
        instants += case.kills
        failed += case.kills if wrong else 0
    name = "kills of run, sampler or both that cost more than they may, or are not said"
    return [Figure(Gate(name, failed, 0, rows=instants))]


def _cost(setup: Setup) -> list[Figure]:
    rounds = _shown(range(beside.ROUNDS), beside.ROUNDS, "cost beside Zeus and CodeCarbon")
    costs = beside.compare(setup.nvml_library, rounds)
    share = beside.sampler_share(setup.nvml_library)
    share_gate, *ratios = beside.gates(costs, share)
    return [Figure(share_gate, "share"), *(Figure(gate) for gate in ratios)]


def _million(setup: Setup) -> list[Figure]:
    rounds = _shown(range(million.ROUNDS), million.ROUNDS, "record of a million rows")
    compared = million.compare(setup.other, rounds)
    memory = Gate("record of 1,000,000 rows: peak memory", compared.peak_bytes, MOST_BYTES)
    figures = [Figure(memory, "MB")]
    if compared.ratio is not None:
        name = "record of 1,000,000 rows: processor time over that of the other checkout"
        figures.insert(0, Figure(Gate(name, compared.ratio, MOST_PROCESSOR, rows=million.ROUNDS)))
    return figures


def _ranks(setup: Setup) -> list[Figure]:
    del setup
    merged = ranks.compare()
    count = ranks.NODES * ranks.RANKS
    return [
        Figure(Gate("merges in two orders with different totals", not merged.identical, 0)),
        Figure(
            Gate(
                "merge with blind ranks: error of the joules", merged.error, MOST_ERROR, rows=count
            ),
            "share",
        ),
    ]


def _of(measure: Callable[[Path], list[Gate]]) -> Callable[[Setup], list[Figure]]:
    """The gate of a module that returns gates, in the units of their names."""
    return lambda setup: [Figure(gate) for gate in measure(setup.nvml_library)]


GATES: Mapping[str, Callable[[Setup], list[Figure]]] = {
    "unread": _unread,
    "odd": _odd,
    "bands": _bands,
    "kills": _kills,
    "cost": _cost,
    "million": _million,
    "ranks": _ranks,
    "accuracy": _of(accuracy.gates),
    "process": _of(cost.gates),
    "step": _of(step.gates),
}
"""What each gate measures, by its name on the command line."""
