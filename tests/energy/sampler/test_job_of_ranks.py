"""A launcher's real ranks meter one node: together they have each board once, and each its own."""

import subprocess
import sys
import time

import pytest

from energy.ledger import accounting
from energy.ledger.lines import FILE
from energy.ledger.merge import merge
from tests.support.standin import nvml_environment

RANK = """
import os, sys, time
from pathlib import Path
from energy import Tracker
folder, out = Path(sys.argv[1]), Path(sys.argv[2])
with Tracker(out / f"rank-{os.environ['RANK']}", interval_s=0.1, meters=["nvml"]) as tracker:
    (folder / f"open-{os.environ['RANK']}").touch()
    with tracker.window("step"):
        while not (folder / "stop").exists():
            time.sleep(0.02)
    tracker.add_tokens(100)
    tracker.add_flop(1e9)
"""

RANKS, BOARDS, WATTS = 4, 2, 300


def launched(folder, rank, library, **variables):
    """A rank as a launcher starts it."""
    place = {"RANK": rank, "WORLD_SIZE": RANKS, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": RANKS}
    named = {"TORCHELASTIC_RUN_ID": "night", "TORCHELASTIC_RESTART_COUNT": 0}
    settings = nvml_environment(library, DEVICES=BOARDS, LOW_W=WATTS, HIGH_W=WATTS)
    stated = {name: str(value) for name, value in {**place, **named, **variables}.items()}
    return subprocess.Popen(
        [sys.executable, "-c", RANK, str(folder), str(folder / "job")], env={**settings, **stated}
    )


@pytest.mark.parametrize("bound", [False, True], ids=["all boards visible", "one board to a rank"])
def test_ranks_that_share_boards_count_each_once(bound, tmp_path, library):
    """Of four ranks two share a board, be it that each sees both boards or one alone."""
    ranks = [
        launched(
            tmp_path, rank, library, **({"CUDA_VISIBLE_DEVICES": rank % BOARDS} if bound else {})
        )
        for rank in range(RANKS)
    ]
    until_s = time.monotonic() + 120
    while len(list(tmp_path.glob("open-*"))) < RANKS:
        assert time.monotonic() < until_s
        assert all(rank.poll() is None for rank in ranks)
        time.sleep(0.02)
    time.sleep(0.5)  # several ticks of the boards in which all ranks run
    (tmp_path / "stop").touch()
    assert [rank.wait(120) for rank in ranks] == [0] * RANKS
    job = merge([tmp_path / "job"], "job")
    total = job.totals["chip"]
    boards = [entry for entry in job.energy if entry.value is not None and entry.api != "bridge"]
    assert len({entry.device for entry in boards}) == len(boards) == BOARDS
    for board in boards:
        read_s = board.covered * job.elapsed_s.value
        assert board.low <= WATTS * read_s <= board.high
    assert total.value == sum(e.value for e in job.energy if e.value is not None)
    for rank in range(RANKS):
        own = accounting.record(tmp_path / f"job/rank-{rank}" / FILE, name="", labels={}, notes=[])
        assert own.totals["chip"].low <= total.high
        assert {entry.device for entry in own.energy} == (
            {boards[rank % BOARDS].device} if bound else {entry.device for entry in boards}
        )
