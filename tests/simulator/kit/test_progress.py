"""What a long answer says of itself in a log file, where no bar can be drawn."""

from types import SimpleNamespace

import pytest

from energy import minutes
from simulator.kit import progress


@pytest.fixture
def seconds(monkeypatch):
    """The clock: a list whose first number is the next answer."""
    times = []
    monkeypatch.setattr(minutes, "time", SimpleNamespace(monotonic=lambda: times.pop(0)))
    return times


def test_a_log_of_a_fit_has_a_line_of_each_minute_and_none_of_the_first(seconds, capsys):
    seconds += [0.0, 59.0, 60.0, 61.0, 125.0]
    with progress.watching() as say:
        for number in range(1, 5):
            say(f"fold {number} of 4")
    assert capsys.readouterr().err.splitlines() == ["fold 2 of 4", "fold 4 of 4"]


def test_a_log_of_a_search_counts_what_each_part_has_tried(seconds, capsys):
    seconds += [0.0, 30.0, 61.0, 122.0]
    with progress.counting("plans") as count:
        count("dense", 1000)
        count("dense", 500)
        count("moe", 20)
    assert capsys.readouterr().err.splitlines() == ["dense: 1,500 plans", "moe: 20 plans"]
