"""The record of a ledger of a million rows: processor time beside another build, and peak memory.

Half of the rows are samples of one board, half are windows, as of a run with one window a second.
The ledger is of version 1, which builds before version 2 read too. Both builds run in turns, each
in a process of its own, and the ratio is taken pair by pair.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.checkouts import median_ratio, run_python
from benchmarks.process import ROOT, Finished
from energy.ledger import lines as ledger
from energy.meters.base import Domain
from tests.support.ledgers import header

ROWS = 1_000_000
ROUNDS = 3

BEGAN_UTC = "2026-11-28T00:00:00+00:00"

RECORD = """
import importlib, sys
from pathlib import Path
for name in ("energy.ledger.accounting", "energy.accounting"):
    try:
        accounting = importlib.import_module(name)
        break
    except ModuleNotFoundError:
        pass
record = accounting.record(Path(sys.argv[1]), name="million", labels={}, notes=[])
print(record.elapsed_s.value, sum(window.count for window in record.windows))
"""


@dataclass(frozen=True)
class Compared:
    """What the record cost here and in another checkout, one pair a round.

    Attributes:
        here: the runs of this checkout.
        other: those of the other one; empty without one.
    """

    here: list[Finished]
    other: list[Finished]

    @property
    def ratio(self) -> float | None:
        """Processor time here over that of the other checkout: the median over the pairs."""
        if not self.other:
            return None
        here_s, other_s = ([run.processor_s for run in runs] for runs in (self.here, self.other))
        return median_ratio(here_s, other_s)

    @property
    def peak_bytes(self) -> int:
        """The greatest resident memory of a run here."""
        return max(run.peak_bytes for run in self.here)


def write_rows(path: Path, rows: int) -> None:
    """Write a ledger of one board: a sample a second, a window after each."""
    generator = random.Random(1)
    domain = Domain(id="GPU-0", kind="gpu", boundary="chip", low=0.93, high=1.07, tick_s=0.1)
    previous, moment_ns, joules = "", 10**12, 0.0
    with path.open("wb") as file:
        first = header([domain.as_dict()], v=1, m=moment_ns, utc=BEGAN_UTC, pid=1)
        line, previous = ledger.seal(first, previous)
        file.write(line)
        for number in range(1, rows // 2):
            moment_ns += 10**9 + generator.randrange(-(10**6), 10**6)
            joules += generator.uniform(250.0, 350.0)
            age_us = generator.randrange(100_000)
            sample = {"k": "s", "m": moment_ns, "j": [round(joules, 3)], "a": [age_us]}
            begin_ns = moment_ns - generator.randrange(10**8, 9 * 10**8)
            end_ns = begin_ns + generator.randrange(10**8, 6 * 10**8)
            names = {"name": "step", "phase": "compute", "n": number}
            window = {"k": "window", "m0": begin_ns, "m1": end_ns, **names}
            for row in (sample, window):
                line, previous = ledger.seal(row, previous)
                file.write(line)
        line, _ = ledger.seal({"k": "end", "m": moment_ns, "why": "closed"}, previous)
        file.write(line)


def compare(other: Path | None, rounds: Iterable[int], rows: int = ROWS) -> Compared:
    """Record the ledger in both checkouts, in turns; the one that begins alternates.

    Args:
        other: the other checkout; None runs this one only.
        rounds: their numbers.
        rows: of the ledger.
    """
    compared = Compared([], [])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ledger.FILE
        write_rows(path, rows)
        for number in rounds:
            places = [(ROOT, compared.here), *([(other, compared.other)] if other else [])]
            for checkout, runs in places if number % 2 == 0 else places[::-1]:
                runs.append(_record(checkout, path))
    return compared


def _record(checkout: Path, path: Path) -> Finished:
    """One record of a ledger, by the code of a checkout."""
    return run_python(checkout, "-c", RECORD, str(path), folder=path.parent)
