"""What a short job of several stages says of itself in a log file, where no bar can be drawn."""

from types import SimpleNamespace

from energy import minutes
from glam import progress


def test_a_log_has_a_line_of_each_minute_and_none_of_a_job_that_takes_seconds(monkeypatch, capsys):
    now = iter([0.0, 59.0, 60.0, 61.0, 125.0])
    clock = SimpleNamespace(monotonic=lambda: next(now))
    monkeypatch.setattr(minutes, "time", clock)
    with progress.Stages("measuring this machine") as stages:
        for done in range(4):
            stages.show("attention", done, 9)
    assert capsys.readouterr().err.splitlines() == [
        "measuring this machine: attention, 1 of 9 done",
        "measuring this machine: attention, 3 of 9 done",
    ]
