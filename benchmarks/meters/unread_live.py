"""Joules that are claimed for time without readings: cases of real processes.

The same faults as on virtual machines, on boards with and without a counter: the stand-in loses the
board, answers late or hangs, and the sampler is killed or stopped by signals.
"""

from __future__ import annotations

import itertools
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TypeVar

from benchmarks.meters import live, on_disk, spans, unread
from benchmarks.meters.judge import SLIVER_S, Kind, Problem, SoundBand, Truth, problems
from benchmarks.meters.virtual.clock import START_S
from energy.errors import AccountingError
from energy.ledger.lines import Row

BOARDS = ("counter", "power only")
AT_ONCE = 2
"""Runs at a time: they sleep nearly always."""

STARTING_S = 1.5
"""How long the processes of a run may take to start before the moments of faults count."""

EVERY_S, HOLD_S = 0.3, 0.5
"""Longest time between two readings of a power, and how long one may count without the next."""

LONGEST_S = 5.5
"""Length of the longest run."""

STARTED_S, ENDED_S = 2.0, 1.5
"""How much earlier the command may begin than its record, and how much later it may end."""

Item = TypeVar("Item")
Wrong = TypeVar("Wrong")


class Case(unread.Case):
    """One run of real processes with one fault."""

    @property
    def name(self) -> str:
        """The case in words."""
        return f"{super().name}, processes"


def cases(count: int) -> list[Case]:
    """Cases of every fault, board and way, in turn, with moments of their own."""
    return [Case(*drawn) for drawn in unread.in_turn(BOARDS, count, seed=2)]


def judge(case: Case, library: Path) -> list[Problem]:
    """Run one case and compare its record with the truth."""
    generator = random.Random(case.seed)
    at_s = generator.uniform(2.0, 3.0)
    epoch_s = time.monotonic() + STARTING_S
    with live.machine(library, epoch_s, _settings(case, at_s, generator)) as node:
        try:
            runs = _runs(case, node, epoch_s + at_s, generator)
            record = live.record_of(node, runs, node.folder / "all")
        except AccountingError as error:
            return [Problem(Kind.NAME, str(error))]
        ledgers = [on_disk.rows_of(run.ledger) for run in runs]
    truth = truth_of(node, ledgers, case.meter, library)
    return [*_length(runs, truth.run), *problems(record, truth)]


def _settings(case: Case, at_s: float, generator: random.Random) -> dict[str, str]:
    """What makes the stand-in fail, from a moment on."""
    settings = {"NO_COUNTER": "1"} if case.meter == "power only" else {}
    if case.fault == "loss":
        settings["LOST_AFTER_S"] = repr(at_s)
        if generator.random() < 0.5:
            settings["BACK_AT_S"] = repr(at_s + generator.uniform(0.8, 2.0))
    elif case.fault == "hang":
        settings["HANG_AT_S"] = repr(at_s)
    elif case.fault == "late start":
        settings["FIRST_AT_S"] = repr(generator.uniform(1.5, 3.0))
    return settings


def truth_of(node: live.Node, ledgers: Sequence[Sequence[Row]], board: str, library: Path) -> Truth:
    """The truth of the board that the readings in some ledgers tell.

    Args:
        node: where it was read.
        ledgers: the rows of each.
        board: of BOARDS.
        library: the compiled stand-in, for the band of a sound run.
    """
    bounds = on_disk.time_of(itertools.chain.from_iterable(ledgers))
    read = [on_disk.read_of(rows, live.DEVICE, EVERY_S) for rows in ledgers]
    moments = [moment for _, own in read for moment in own]
    return Truth(
        device=live.DEVICE,
        load=node.load(),
        run=bounds,
        read=spans.within(itertools.chain.from_iterable(own for own, _ in read), bounds),
        moments=moments,
        # A counter goes on while one rank after the other reads it.
        maybe=[(min(moments), max(moments))] if board == "counter" and moments else [],
        hold_s=0.0 if board == "counter" else HOLD_S,
        sliver_s=SLIVER_S,
        every_s=EVERY_S,
        limit_w=700.0,
        sound=sound_of(board, library),
        ledgers=len(ledgers),
    )


@cache
def sound_of(board: str, library: Path) -> SoundBand:
    """The band of sound runs of a board, of the length of the longest here."""
    return unread.sound_band(board, live.load_at(START_S), LONGEST_S, library)


def _runs(case: Case, node: live.Node, at_s: float, generator: random.Random) -> list[live.Run]:
    """The run, or two of them at once, with a signal to the first one's sampler at a moment."""
    seconds = 4.0 if case.fault in ("kill", "late start") else LONGEST_S
    way = "run" if case.way == "merge" else case.way
    runs = [live.Run(node, "rank-0", way, seconds)]
    if case.way == "merge":
        runs.append(live.Run(node, "rank-1", "run", seconds - 0.7))
    time.sleep(max(0.0, at_s - time.monotonic()))
    if case.fault == "kill":
        runs[0].signal_sampler(signal.SIGKILL)
    elif case.fault == "stop":
        runs[0].signal_sampler(signal.SIGSTOP)
        if generator.random() < 0.4:
            time.sleep(generator.uniform(0.3, 1.0))
            runs[0].signal_sampler(signal.SIGCONT)
    for run in runs:
        run.wait()
    return runs


def _length(runs: Sequence[live.Run], bounds: spans.Span) -> Iterator[Problem]:
    """A problem if the record begins late or ends early."""
    if bounds[0] > runs[0].begin_s + STARTED_S:
        yield Problem(Kind.NAME, f"begins {bounds[0] - runs[0].begin_s:.1f} s late")
    last_s = max(run.begin_s + run.seconds for run in runs)
    if bounds[1] < last_s - ENDED_S:
        yield Problem(Kind.NAME, f"ends {last_s - bounds[1]:.1f} s early")


def results(count: int, library: Path) -> Iterator[tuple[Case, list[Problem]]]:
    """Every case and what is wrong with its record."""
    return judged(cases(count), judge, library)


def judged(
    cases: Sequence[Item], judge: Callable[[Item, Path], Wrong], library: Path
) -> Iterator[tuple[Item, Wrong]]:
    """Every case and what is wrong with its record, two at a time.

    Args:
        cases: of boards of BOARDS.
        judge: runs one of them, and returns what is wrong.
        library: the compiled stand-in.
    """
    for board in BOARDS:
        sound_of(board, library)  # by now: in virtual time nothing else may run
    with ThreadPoolExecutor(AT_ONCE) as pool:
        wrong = pool.map(lambda case: judge(case, library), cases)
        yield from zip(cases, wrong, strict=True)
