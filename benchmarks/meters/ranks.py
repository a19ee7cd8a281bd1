"""The merge of 512 ranks in any order, twice: identical totals, and the rank that sees wins.

64 nodes of 8 boards and 8 ranks. On each node the first rank begins first and reads nothing, the
second reads every board, and each of the others reads one board for a part of the time.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from energy.ledger import lines as ledger
from energy.ledger.lines import Row
from energy.ledger.merge import merge
from energy.meters.base import Domain
from energy.record import RunRecord
from tests.support.ledgers import end, header, ns, sample
from tests.support.standin import write_ledger

NODES, RANKS = 64, 8
BEGIN_S, SECONDS = 5_000.0, 20
BLIND_S = 0.2
"""How much earlier the blind rank of a node begins."""


@dataclass(frozen=True)
class Merged:
    """Two merges of the same ranks in different orders.

    Attributes:
        first: the first record.
        second: the second one.
        exact_j: exact joules of all boards.
    """

    first: RunRecord
    second: RunRecord
    exact_j: float

    @property
    def identical(self) -> bool:
        """Whether both have the same totals and entries, to the last digit."""
        return self.first.totals == self.second.totals and self.first.energy == self.second.energy

    @property
    def error(self) -> float:
        """Relative error of the joules; 1 where there are none."""
        (total,) = self.first.totals.values()
        return 1.0 if total.value is None else abs(total.value / self.exact_j - 1)


def watts(node: int, board: int) -> float:
    """Constant power of a board, each its own."""
    return 100.0 + node + 25.0 * board


def compare(nodes: int = NODES) -> Merged:
    """Write the ledgers of all ranks, and merge them twice in random orders."""
    generator = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        folders = [
            _written(Path(folder), node, rank) for node in range(nodes) for rank in range(RANKS)
        ]
        records = []
        for _ in range(2):
            generator.shuffle(folders)
            records.append(merge(folders, "ranks"))
    exact_j = sum(watts(n, board) for n in range(nodes) for board in range(RANKS)) * SECONDS
    return Merged(records[0], records[1], exact_j)


def _written(folder: Path, node: int, rank: int) -> Path:
    """The folder of a rank with its ledger."""
    out = folder / f"rank-{node * RANKS + rank}"
    out.mkdir()
    write_ledger(out / ledger.FILE, _rows(node, rank))
    return out


def _rows(node: int, rank: int) -> Iterable[Row]:
    """The rows of a rank: its header, a sample a second, and its end."""
    boards = range(RANKS) if rank < 2 else [rank]
    domains = [
        Domain(
            id=f"GPU-{node}-{board}",
            kind="gpu",
            boundary="chip",
            meter="nvml",
            limit_w=1_000.0,
        ).as_dict()
        for board in boards
    ]
    begin_s = BEGIN_S - (BLIND_S if rank == 0 else 0.0)
    yield header(
        domains,
        id=f"run-{node}-{rank}",
        boot=f"boot-{node:03}",
        host=f"node-{node:03}",
        pid=1,
        m=ns(begin_s),
        utc="2026-11-28T00:00:00+00:00",
    )
    first, last = (0, SECONDS) if rank < 2 else (rank, SECONDS - rank)
    moments = [begin_s] if rank == 0 else []
    moments += [BEGIN_S + second for second in range(first, last + 1)]
    for moment_s in moments:
        spent_s = moment_s - BEGIN_S
        read = [None if rank == 0 else 1e6 + watts(node, b) * spent_s for b in boards]
        yield sample(moment_s, *read)
    yield end(moments[-1])
