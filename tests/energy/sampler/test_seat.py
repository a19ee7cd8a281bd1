"""The seat of a node's reader belongs to the process that reads, to one process at a time."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from energy.ledger import accounting
from energy.ledger.writer import Writer
from energy.sampler import attached
from energy.sampler.attached import Attached
from energy.sampler.seat import Seat
from tests.energy.sampler.processes import Run, wait_until
from tests.support.standin import nvml_environment

CHOICE = ["nvml", 1.0]


@pytest.fixture
def seat():
    """Makes seats of one choice, and leaves them at the end."""
    seats = []

    def new():
        seats.append(Seat(CHOICE))
        return seats[-1]

    yield new
    for made in seats:
        made.leave()


def holding(seat, run_id):
    """Whether a seat was taken by this process; it is announced then."""
    if not seat.take():
        return False
    seat.announce(run_id, Path(f"/{run_id}/ledger.jsonl"), 1)
    return True


def test_a_silent_holder_is_deposed_by_one_process_and_the_others_follow_that_one(seat):
    first = seat()
    assert holding(first, "first")
    others = [seat() for _ in range(8)]
    assert not any(other.take() for other in others)
    waiting = [other.wait() for other in others]
    silent = others[0].holder()
    assert silent["id"] == "first"
    with ThreadPoolExecutor(8) as pool:
        deposed = list(pool.map(lambda other: other.depose(silent), others))
    assert sum(deposed) == 1
    second = others[deposed.index(True)]
    second.announce("second", Path("/second/ledger.jsonl"), 2)
    assert first.is_lost()
    assert not second.is_lost()
    assert {other.holder()["id"] for other in others} == {"second"}
    # The lock of the first one passes to nobody: its file does not bear the name any more.
    first.leave()
    time.sleep(0.1)
    assert [other.take() for other in others] == deposed
    second.leave()
    wait_until(lambda: sum(other.take() for other in others if other is not second) == 1)
    for end in waiting:
        os.close(end)


def test_a_holder_that_was_deposed_takes_the_seat_again_only_when_it_is_free(seat):
    first, second = seat(), seat()
    assert holding(first, "first")
    assert not second.take()
    assert second.depose(second.holder())
    assert first.is_lost()
    assert not first.take()
    assert not first.is_lost()
    waiting = first.wait()
    second.leave()
    assert os.read(waiting, 1) == b""  # the end of the file: the seat is ours
    assert first.take()
    os.close(waiting)


def test_a_holder_that_has_spoken_again_is_not_deposed(seat):
    first, second = seat(), seat()
    assert holding(first, "first")
    silent = second.holder()
    first.announce("first", Path("/first/ledger.jsonl"), 2)
    assert not second.depose(silent)
    assert not first.is_lost()


def test_a_shorter_announcement_replaces_a_longer_one(seat):
    first, second = seat(), seat()
    assert first.take()
    first.announce("first", Path("/a/long/path/to/ledger.jsonl"), 10**15)
    first.announce("1", Path("/l"), 7)
    assert second.holder() == {"id": "1", "ledger": "/l", "m": 7}


def test_only_a_holder_that_is_silent_after_a_request_counts_as_silent(tmp_path, monkeypatch, seat):
    monkeypatch.setattr(attached, "SILENT_NS", 50_000_000)
    monkeypatch.setattr(attached, "ANSWER_NS", 50_000_000)
    first, second = seat(), seat()
    assert first.take()
    ledger = tmp_path / "first.jsonl"
    follower = Attached(second, Writer(tmp_path / "second.jsonl"), 0.01)

    def follow(answers):
        until_s = time.monotonic() + 0.5
        while time.monotonic() < until_s and follower.silent is None:
            if answers and first.messages():
                first.announce("first", ledger, time.monotonic_ns())
            follower.run_pending()
            time.sleep(0.002)

    first.announce("first", ledger, time.monotonic_ns())
    follow(answers=True)
    assert follower.silent is None
    follow(answers=False)
    assert follower.silent == second.holder()


def test_a_reader_that_is_stopped_with_its_run_is_replaced_by_another_run_and_follows_it(
    tmp_path, library
):
    environment = nvml_environment(library, LOW_W=300, HIGH_W=300)
    first = Run(tmp_path / "first", ["nvml"], environment)
    first.wait_for("s", 2)
    second = Run(tmp_path / "second", ["nvml"], environment)
    (attach,) = second.wait_for("attach")
    assert attach["to"]["ledger"] == str(first.path)
    pids = (first.process.pid, first.sampler())
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    second.wait_for("s", 3)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    first.window()
    (attach,) = first.wait_for("attach")
    assert attach["to"]["ledger"] == str(second.path)
    samples = len(first.rows("s"))
    second.wait_for("s", len(second.rows("s")) + 3)
    assert len(first.rows("s")) == samples
    assert (first.end(), second.end()) == ("", "")
    for run in (first, second):
        record = accounting.record(run.path, name="run", labels={}, notes=[])
        (entry,) = record.energy
        assert entry.covered == 1
        assert entry.low <= 300 * record.elapsed_s.value <= entry.high
