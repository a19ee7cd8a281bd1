"""What the sampler reads beside the joules: sparsely, and never in the way of its readings."""

import pytest

from energy.meters.base import BaseSource
from energy.sampler import checks
from energy.sampler.checks import Checks


class Board(BaseSource):
    """A board that counts the calls of each kind."""

    name = "board"

    def __init__(self):
        self.calls = {"powers": 0, "states": 0, "slowed_by": 0}
        self.reasons = []

    def powers(self):
        self.calls["powers"] += 1
        return {"gpu": 300.0, "other": None}

    def states(self):
        self.calls["states"] += 1
        return {"gpu": {"slowed_by": list(self.reasons)}}

    def slowed_by(self):
        self.calls["slowed_by"] += 1
        return {"gpu": list(self.reasons)}


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""

    class Clock:
        now_s = 100.0

    monkeypatch.setattr(checks.time, "monotonic_ns", lambda: round(Clock.now_s * 1e9))
    return Clock


@pytest.mark.parametrize("interval_s", [0.1, 1.0, 10.0])
def test_power_is_checked_once_in_each_second_or_interval_after_closer_first_checks(
    clock, interval_s
):
    board, rows = Board(), []
    watched = Checks([board], round(interval_s * 1e9), rows.append)
    for _ in range(120):
        watched.run_pending()
        clock.now_s += 0.1
    first = board.calls["powers"]
    assert first == pytest.approx(42, abs=2)
    for _ in range(1000):
        watched.run_pending()
        clock.now_s += 0.1
    assert board.calls["powers"] - first == pytest.approx(100 / max(1.0, interval_s), abs=1)


def test_checks_between_two_samples_are_averaged_and_taken_once(clock):
    board = Board()
    watched = Checks([board], 10**9, lambda row: None)
    clock.now_s += 1.0
    watched.run_pending()
    assert watched.taken() == {"gpu": 300.0}
    assert watched.taken() == {}


def test_the_first_readings_do_not_wait_for_the_settings(clock):
    board, rows = Board(), []
    watched = Checks([board], 10**9, rows.append)
    watched.run_pending()
    assert board.calls["states"] == 0
    clock.now_s += 0.5
    watched.run_pending()
    assert [row["k"] for row in rows] == ["state"]


def test_states_are_written_again_only_when_something_new_slows_a_device(clock):
    board, rows = Board(), []
    watched = Checks([board], 10**9, rows.append)
    for reasons in ([], [], ["power limit"], [], ["power limit"], ["power limit", "idle"]):
        board.reasons = reasons
        clock.now_s += 11.0
        watched.run_pending()
    assert [row["devices"]["gpu"]["slowed_by"] for row in rows] == [
        [],
        ["power limit"],
        ["power limit", "idle"],
    ]


def test_a_meter_that_is_left_out_or_fails_is_not_read_and_stops_nothing(clock):
    class Broken(Board):
        def powers(self):
            raise RuntimeError("no such board")

    board = Board()
    watched = Checks([Broken(), board], 10**9, lambda row: None)
    clock.now_s += 1.0
    watched.run_pending()
    assert watched.taken() == {"gpu": 300.0}
    watched.leave_out("board")
    clock.now_s += 2.0
    watched.run_pending()
    assert board.calls["powers"] == 1
