"""Eight ranks on a node share one reader of its meters, and each joule counts once."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from energy import Tracker
from energy.ledger import accounting
from energy.ledger.lines import FILE
from energy.ledger.lines import rows as rows_of
from energy.ledger.merge import merge
from energy.ledger.verify import verify
from energy.sampler.seat import runtime_folder
from tests.energy.sampler.processes import wait_until
from tests.support.samplers import sampler_pids
from tests.support.standin import nvml_environment, write_ledger

RANK = """
import sys, time
from pathlib import Path
from energy import Tracker
with Tracker(sys.argv[1], interval_s=0.1, meters=["nvml"]) as tracker:
    print("open", flush=True)
    while not Path(sys.argv[2]).exists():
        with tracker.window("step"):
            time.sleep(0.02)
        tracker.mark("step")
"""
WATTS = 600.0
"""Two boards of 300 W."""


def started(folder, stop, library):
    """A rank that runs until the file `stop` exists."""
    run = subprocess.Popen(
        [sys.executable, "-c", RANK, str(folder), str(stop)],
        env=nvml_environment(library, DEVICES=2, LOW_W=300, HIGH_W=300),
        stdout=subprocess.PIPE,
    )
    assert run.stdout.readline() == b"open\n"
    return run


def wait_for(*runs):
    for run in runs:
        assert run.wait(120) == 0
        run.stdout.close()


def wait_for_rows(folder):
    """Wait for the last rows: a busy machine's sampler may write them after its run has ended."""
    wait_until(lambda: not sampler_pids(folder))


def reads_meters(pid):
    return "nvidia-ml" in Path(f"/proc/{pid}/maps").read_text()


def contains_truth(energy, elapsed):
    """Whether the stated band contains what the boards drew, and the value is close to it."""
    truth = WATTS * elapsed.value
    return energy.low <= truth <= energy.high and abs(energy.value - truth) < 0.1 * truth


def joules(folders):
    return merge(folders, "all").totals["chip"].value


@pytest.fixture
def eight(tmp_path, library):
    """Folders of eight ranks; the first starts first and ends last."""
    runs = []
    folders = [tmp_path / f"rank-{index}" for index in range(8)]
    first, others = tmp_path / "first", tmp_path / "others"
    for folder in folders:
        runs.append(started(folder, others if runs else first, library))
        if len(runs) == 1:
            time.sleep(0.4)  # ticks of its counters are dated from the third one on
    writers = sampler_pids(tmp_path)
    assert len(writers) == 8
    assert [reads_meters(pid) for pid in writers].count(True) == 1
    time.sleep(0.6)
    others.touch()
    wait_for(*runs[1:])
    first.touch()
    wait_for(runs[0])
    wait_for_rows(tmp_path)
    return folders


def test_eight_ranks_have_one_reader_and_the_total_of_one_rank(eight):
    alone = joules(eight[:1])
    assert joules(eight) == alone
    assert joules(eight[::-1]) == alone
    assert joules([*eight, *eight[3:]]) == alone
    for folder in eight:
        rows = [row["k"] for row, _ in rows_of(folder / FILE)]
        assert ("s" in rows) == (folder == eight[0])
        assert rows.count("window") > 5
        assert next(f for f in verify(folder / FILE) if f.check == "chain").passed
        own = accounting.record(folder / FILE, name="rank", labels={}, notes=[])
        assert contains_truth(own.totals["chip"], own.elapsed_s)
        (window,) = own.windows
        assert contains_truth(window.energy_j, window.elapsed_s)


def test_two_nodes_of_eight_ranks_merge_in_any_order_and_with_repetitions(eight, tmp_path):
    other = []
    for folder in eight:
        copy = tmp_path / f"other-{folder.name}"
        shutil.copytree(folder, copy)
        for path in copy.glob("*.jsonl"):
            rows = [row for row, _ in rows_of(path)]
            for row in rows:
                if row["k"] == "header":
                    row |= {"boot": "another boot", "host": "b"}
            write_ledger(path, rows)
        other.append(copy)
    both = [*eight, *other]
    orders = [both, both[::-1], [*both, *both], *itertools.permutations((eight[0], *other[:2]))]
    (total,) = {joules(order) for order in orders[:3]}
    assert total == pytest.approx(2 * joules(eight))
    assert len({joules(order) for order in orders[3:]}) == 1


@pytest.mark.parametrize("death", ["in order", "SIGKILL of rank and reader"])
def test_another_rank_continues_reading_when_the_reader_ends(tmp_path, death, library):
    stop, last = tmp_path / "stop", tmp_path / "last"
    folders = [tmp_path / "rank-0", tmp_path / "rank-1", tmp_path / "rank-2"]
    runs = [started(folders[0], stop, library)]
    (reader,) = sampler_pids(folders[0])
    time.sleep(0.4)
    runs += [started(folder, last, library) for folder in folders[1:]]
    time.sleep(0.5)
    if death == "in order":
        stop.touch()
        wait_for(runs[0])
    else:
        os.kill(reader, signal.SIGKILL)
        runs[0].kill()
        runs[0].wait()
        runs[0].stdout.close()
    time.sleep(0.8)
    assert sum(reads_meters(pid) for pid in sampler_pids(tmp_path)) == 1
    last.touch()
    wait_for(*runs[1:])
    wait_for_rows(tmp_path)
    # Counters are cumulative: energy spent while the seat changed hands is not lost either.
    merged = merge(folders, "all")
    assert merged.totals["chip"].value == pytest.approx(WATTS * merged.elapsed_s.value, rel=0.05)
    assert joules(folders[::-1]) == merged.totals["chip"].value
    for folder in folders[1:]:
        own = accounting.record(folder / FILE, name="rank", labels={}, notes=[])
        assert contains_truth(own.totals["chip"], own.elapsed_s)


def test_an_attached_run_stays_complete_when_the_readers_folder_is_deleted(tmp_path):
    settings = {"interval_s": 0.05, "meters": ["cpu_model"]}
    with Tracker(tmp_path / "first", **settings), Tracker(tmp_path / "second", **settings) as meter:
        time.sleep(0.3)
        shutil.rmtree(tmp_path / "first")
        live = meter.snapshot().energy.value
    assert 0 < live <= meter.record().totals["chip"].value


def test_samples_that_are_gone_are_missing_and_not_zero(tmp_path):
    settings = {"interval_s": 0.05, "meters": ["cpu_model"]}
    with Tracker(tmp_path / "first", **settings), Tracker(tmp_path / "second", **settings) as meter:
        time.sleep(0.2)
    shutil.rmtree(tmp_path / "first")
    for link in (tmp_path / "second").glob("node-*"):
        link.unlink()
    record = meter.record()
    assert record.totals["chip"].value is None
    assert "which is gone" in record.totals["chip"].missing[0].reason


def test_runs_that_read_other_meters_have_a_reader_of_their_own(tmp_path):
    for name, meters in (("a", "cpu_model"), ("b", "nvml")):
        with Tracker(tmp_path / name, interval_s=0.05, meters=[meters]):
            pass
    with (
        Tracker(tmp_path / "c", interval_s=0.05, meters=["cpu_model"]),
        Tracker(tmp_path / "d", interval_s=0.2, meters=["cpu_model"]),
    ):
        pass
    for name in "acd":
        header = json.loads((tmp_path / name / FILE).read_text().splitlines()[0])
        assert header["domains"]


def test_a_reader_that_ends_removes_its_socket(tmp_path):
    with Tracker(tmp_path, interval_s=0.05, meters=["cpu_model"]):
        assert len(list(runtime_folder().glob("*.sock"))) == 1
    assert list(runtime_folder().glob("*.sock")) == []
