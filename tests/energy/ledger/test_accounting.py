"""When windows began and ended, and which share of the run the readings of a device cover."""

import itertools

import pytest

from tests.support import ledgers

WATTS = 100.0


def segment(start, stop, *, windows=(), domains=("gpu-0",), lost_at=None, boot="boot"):
    """Rows of a metering process with a sample each second; gpu-1 is lost at a moment."""
    rows = [ledgers.header([ledgers.old_domain(device) for device in domains], v=1, boot=boot)]
    for second in range(start, stop + 1):
        lost = lost_at is not None and second > lost_at
        joules = [None if lost and d == "gpu-1" else WATTS * second for d in domains]
        rows.append(ledgers.sample(second, *joules))
    rows += [ledgers.window(*window) for window in windows]
    return [*rows, ledgers.end(stop)]


def record(folder, *segments):
    return ledgers.record_of(folder, itertools.chain(*segments))


def test_windows_begin_and_end_in_seconds_from_the_start_of_the_run(tmp_path):
    windows = [("step", 102.5, 103), ("step", 101, 102), ("save", 108, 110)]
    run = record(tmp_path, segment(100, 110, windows=windows))
    assert {w.name: (w.count, w.begin_s, w.end_s) for w in run.windows} == {
        "step": (2, 1.0, 3.0),
        "save": (1, 8.0, 10.0),
    }


def test_a_window_that_reaches_beyond_the_samples_is_part_of_the_run(tmp_path):
    run = record(tmp_path, segment(100, 110, windows=[("step", 99.5, 110.5)]))
    (window,) = run.windows
    assert (window.begin_s, window.end_s) == (0.0, run.elapsed_s.value)


def test_a_window_after_the_last_sample_keeps_its_time_and_is_missing(tmp_path):
    run = record(tmp_path, segment(100, 110, windows=[("step", 111, 112)]))
    (window,) = run.windows
    assert (window.elapsed_s.value, window.energy_j.value) == (1, None)
    assert (window.begin_s, window.end_s) == (11.0, 12.0)
    assert run.elapsed_s.value == 12
    assert "no sampler ran" in window.energy_j.source


def test_the_time_before_a_restart_counts_and_the_pause_does_not(tmp_path):
    """Ten seconds, then a restart after a reboot, whose clock starts again from 5 s."""
    run = record(
        tmp_path,
        segment(100, 110, windows=[("step", 101, 102)]),
        segment(5, 15, windows=[("step", 6, 9)], boot="next boot"),
    )
    assert run.elapsed_s.value == 20
    (window,) = run.windows
    assert (window.begin_s, window.end_s) == (1.0, 14.0)


def test_a_device_that_is_read_to_the_end_is_covered_and_a_lost_one_in_part(tmp_path):
    run = record(tmp_path, segment(0, 10, domains=("gpu-0", "gpu-1"), lost_at=4))
    covered = {entry.device: entry.covered for entry in run.energy}
    assert covered == pytest.approx({"gpu-0": 1.0, "gpu-1": 0.4})


def test_a_device_that_came_with_a_restart_is_covered_from_then_on(tmp_path):
    run = record(tmp_path, segment(0, 10), segment(20, 50, domains=("gpu-0", "gpu-1")))
    covered = {entry.device: entry.covered for entry in run.energy}
    assert covered == pytest.approx({"gpu-0": 1.0, "gpu-1": 0.75})


def test_a_device_that_was_never_read_covers_nothing(tmp_path):
    rows = segment(0, 10, domains=("gpu-0", "gpu-1"))
    rows[0]["domains"][1] = ledgers.old_domain("gpu-1", origin="missing", reason="permission")
    run = record(tmp_path, rows)
    assert [(entry.origin, entry.covered) for entry in run.energy] == [
        ("measured", 1.0),
        ("missing", 0.0),
    ]
