"""Kills at random instants: of a run, of its sampler and of both, with and without a counter.

With a counter no more than one sampling interval may be lost. Without one, the time until the
restarted sampler reads is lost, three intervals at most. The record names it, and says that
something was killed.
"""

from __future__ import annotations

import itertools
import random
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.meters import live, on_disk, spans
from benchmarks.meters.judge import problems
from benchmarks.meters.unread_live import BOARDS, judged, truth_of
from energy.errors import AccountingError

VICTIMS = ("run", "sampler", "both")
SAMPLER_KILLS = 3
"""Kills of the sampler in one run; run and both die once."""

MOST_INTERVALS = 3
"""Sampling intervals that may be lost without a counter."""

SLACK_S = 0.35
"""Time that may be lost beyond the intervals: ticks of the counter and of this benchmark."""

RUNS_S = 60.0
"""Length of runs that are killed long before."""


@dataclass(frozen=True)
class Case:
    """One run with its kills.

    Attributes:
        victim: of VICTIMS.
        board: of BOARDS.
        seed: of the instants.
    """

    victim: str
    board: str
    seed: int

    @property
    def kills(self) -> int:
        """How many instants it has."""
        return SAMPLER_KILLS if self.victim == "sampler" else 1

    @property
    def name(self) -> str:
        """The case in words."""
        return f"{self.victim} killed, {self.board} {self.seed}"


def cases(instants: int) -> list[Case]:
    """Cases of every victim and board, in turn, until they have so many instants."""
    pairs = itertools.cycle((victim, board) for board in BOARDS for victim in VICTIMS)
    result: list[Case] = []
    while sum(case.kills for case in result) < instants:
        result.append(Case(*next(pairs), seed=len(result)))
    return result


def judge(case: Case, library: Path) -> list[str]:
    """Run one case; returns in words what is wrong with its record."""
    generator = random.Random(case.seed)
    settings = {"NO_COUNTER": "1"} if case.board == "power only" else {}
    with live.machine(library, time.monotonic(), settings) as node:
        way = "run" if case.seed % 4 == 0 and case.victim == "sampler" else "tracker"
        seconds = 1.0 + 1.6 * SAMPLER_KILLS if case.victim == "sampler" else RUNS_S
        run = live.Run(node, "run", way, seconds)
        killed_s = _kill(case, run, generator)
        try:
            record = live.record_of(node, [run], node.folder / "all")
        except AccountingError as error:
            return [str(error)]
        rows = on_disk.rows_of(run.ledger)
    truth = truth_of(node, [rows], case.board, library)
    if case.victim == "both":
        # Nobody dates the last edge: the power of the last interval is known by its mean only.
        last_j = live.INTERVAL_S / 2 * (live.HIGH_W - live.LOW_W)
        edges_j = truth.sound.edges_j + last_j
        truth = replace(truth, sound=replace(truth.sound, edges_j=edges_j))
    wrong = [problem.text for problem in problems(record, truth)]
    wrong += _lost(case, truth.read, truth.run, killed_s)
    if len(killed_s) < case.kills:
        wrong.append(f"a sampler only {len(killed_s)} times in {case.kills}")
    if not any("killed" in note for note in record["notes"]):
        wrong.append(f"not said: {record['notes']}")
    return [*wrong, *record["notes"]] if wrong else []


def _kill(case: Case, run: live.Run, generator: random.Random) -> list[float]:
    """Kill at random instants, wait for the end of all processes, and return the instants."""
    if case.victim == "sampler":
        instants = []
        for _ in range(SAMPLER_KILLS):
            time.sleep(generator.uniform(0.5, 1.5))
            instants.append(run.signal_sampler(signal.SIGKILL))
        run.wait()
        return [instant for instant in instants if instant is not None]
    time.sleep(generator.uniform(0.2, 2.5))
    instant = run.kill(with_sampler=case.victim == "both")
    if case.victim == "run":
        give_up_s = time.monotonic() + live.END_S
        while time.monotonic() < give_up_s and on_disk.rows_of(run.ledger)[-1]["k"] != "end":
            time.sleep(0.02)
    return [instant]


def _lost(
    case: Case, read: Sequence[spans.Span], run: spans.Span, killed_s: list[float]
) -> Iterator[str]:
    """The instants at which more was lost than may be."""
    intervals = 1 if case.board == "counter" or case.victim != "sampler" else MOST_INTERVALS
    bounds = (min(run[0], *killed_s), max(run[1], *killed_s))
    for begin_s, end_s in spans.gaps(read, bounds):
        # A sampler that is killed again before it has written a sample makes the gap longer.
        kills = sum(begin_s - SLACK_S <= instant <= end_s for instant in killed_s)
        most_s = kills * intervals * live.INTERVAL_S + SLACK_S
        if kills and end_s - begin_s > most_s:
            yield f"{end_s - begin_s:.2f} s are lost, of at most {most_s:.2f} s"


def results(instants: int, library: Path) -> Iterator[tuple[Case, list[str]]]:
    """Every case and what is wrong with its record."""
    return judged(cases(instants), judge, library)
