"""A launcher's ranks are killed and started again: what they lost is named with its attempt."""

import json
import subprocess
import sys

import pytest

from energy.ledger.lines import FILE
from energy.ledger.lines import rows as rows_of
from energy.ledger.merge import merge
from tests.energy.sampler.processes import wait_until
from tests.support.standin import nvml_environment

RANK = """
import os, sys, time
from pathlib import Path
from energy import Tracker
folder, stop, saves = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
folder = folder / f"rank-{os.environ['RANK']}"
with Tracker(folder, interval_s=0.1, meters=["nvml"]) as tracker:
    step = 0
    while not stop.exists():
        with tracker.window("step"):
            time.sleep(0.02)
        tracker.add_flop(1e9)
        tracker.mark("step", step=step)
        if step == saves:
            tracker.mark("checkpoint", step=step)
        step += 1
"""


def started(rank, attempt, folder, stop, library):
    place = {"RANK": rank, "WORLD_SIZE": 2, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": 2}
    named = {"TORCHELASTIC_RUN_ID": "night", "TORCHELASTIC_RESTART_COUNT": attempt}
    stated = {name: str(value) for name, value in {**place, **named}.items()}
    return subprocess.Popen(
        [sys.executable, "-c", RANK, str(folder), str(stop), "5"],
        env={**nvml_environment(library, DEVICES=2, LOW_W=300, HIGH_W=300), **stated},
    )


def marks(folder, kind):
    """Marks of a rank, attempt by attempt."""
    attempts = []
    for row, _ in rows_of(folder / FILE) if (folder / FILE).exists() else ():
        if row["k"] == "header" and not row.get("continues"):
            attempts.append([])
        elif row["k"] == "mark" and row["kind"] == kind:
            attempts[-1].append(row["m"])
    return attempts


def test_two_killed_ranks_lose_what_came_after_their_checkpoint(tmp_path, library):
    job, stop = tmp_path / "job", tmp_path / "stop"
    for attempt in range(2):
        ranks = [started(rank, attempt, job, stop, library) for rank in range(2)]

        def is_far(attempt=attempt):
            """Whether each rank has saved, and has worked on."""
            own = [marks(job / f"rank-{rank}", "step") for rank in range(2)]
            return all(len(steps) > attempt and len(steps[attempt]) > 15 for steps in own)

        wait_until(is_far)
        for rank in ranks if attempt == 0 else ():
            rank.kill()  # a launcher kills all when one has died
            rank.wait()
    stop.touch()
    assert [rank.wait(120) for rank in ranks] == [0, 0]
    run = merge([job], "job")
    first, second = run.attempts
    assert (first.died, second.died, first.ranks, second.ranks) == (True, False, 2, 2)
    assert (second.wasted_j.value, second.wasted_s.value) == (0, 0)
    total = run.totals["chip"].value
    assert first.energy_j.value + second.energy_j.value == pytest.approx(total, rel=1e-6)
    assert 0 < first.wasted_j.value < first.energy_j.value
    lost = [
        sum(m > marks(job / f"rank-{rank}", "checkpoint")[0][0] for m in of_rank[0])
        for rank in range(2)
        for of_rank in [marks(job / f"rank-{rank}", "flop")]
    ]
    assert first.wasted_flop.value == 1e9 * sum(lost)
    assert run.wasted.energy_j.value == pytest.approx(first.wasted_j.value)
    assert 0 < run.metrics["goodput"].value < 1
    assert json.loads(run.model_dump_json())["attempts"][0]["name"] == "0"
