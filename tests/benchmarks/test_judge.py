"""The judge of records: it sees a claim for time without readings, a wrong band, an unnamed gap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.meters import spans
from benchmarks.meters.judge import Kind, SoundBand, Truth, problems
from benchmarks.meters.sensors import constant

RUN = (1000.0, 1010.0)
TRUTH = Truth(
    device="gpu",
    load=constant(300.0),
    run=RUN,
    read=[(1000.0, 1004.0)],
    moments=[1000.0, 1004.0],
    hold_s=0.0,
    sliver_s=0.35,
    every_s=0.1,
    limit_w=700.0,
    sound=SoundBand(5.0, 21.0),
)


def entry(value, covered=0.4, **more):
    band = {"low": value * 0.93, "high": value * 1.07} if value is not None else {}
    origin = "missing" if value is None else "measured"
    return {"device": "gpu", "origin": origin, "value": value, "covered": covered} | band | more


def record(*entries, windows=(), named=True):
    missing = [{"device": "gpu", "reason": "lost"}] if named else []
    return {
        "energy": list(entries),
        "elapsed_s": {"value": 10.0},
        "totals": {"chip": {"missing": missing}},
        "windows": list(windows),
    }


GAP = entry(None, seconds=6.0, why="the board was lost", begin_s=4.0, end_s=10.0)


def window(begin_s, end_s, value, **more):
    energy = {"origin": "measured", "value": value, "low": value * 0.9, "high": value * 1.1} | more
    seconds = {"value": end_s - begin_s}
    return {
        "name": "w",
        "begin_s": begin_s,
        "end_s": end_s,
        "energy_j": energy,
        "elapsed_s": seconds,
    }


def kinds(*arguments, **more):
    return {problem.kind for problem in problems(record(*arguments, **more), TRUTH)}


def test_a_record_that_says_what_was_read_and_what_was_not_has_no_problem():
    assert kinds(entry(1200.0), GAP, windows=[window(1.0, 3.0, 600.0)]) == set()


def test_joules_for_time_without_readings_are_a_claim():
    assert Kind.CLAIM in kinds(entry(1200.0, covered=1.0))
    assert Kind.CLAIM in kinds(entry(0.0), GAP)
    assert Kind.CLAIM in kinds(entry(1200.0), GAP, windows=[window(6.0, 8.0, 0.0)])


def test_the_truth_outside_a_band_and_a_band_wider_than_in_a_sound_run_are_seen():
    assert kinds(entry(1000.0), GAP) == {Kind.BAND}
    assert kinds(entry(1200.0, low=900.0, high=1500.0), GAP) == {Kind.BAND}
    assert kinds(entry(300.0, covered=0.1), GAP) == {Kind.BAND, Kind.NAME}


def test_a_gap_without_seconds_or_reason_or_a_place_in_the_totals_is_unnamed():
    assert kinds(entry(1200.0)) == {Kind.NAME, Kind.BAND}
    assert kinds(entry(1200.0), {**GAP, "why": None}) == {Kind.NAME}
    assert kinds(entry(1200.0), GAP, named=False) == {Kind.NAME}


def test_a_window_that_was_read_is_measured_and_its_band_contains_the_truth():
    assert kinds(entry(1200.0), GAP, windows=[window(1.0, 3.0, 300.0)]) == {Kind.BAND}
    unmeasured = window(1.0, 3.0, 600.0, origin="missing")
    assert kinds(entry(1200.0), GAP, windows=[unmeasured]) == {Kind.BAND}


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50))))
def test_stretches_and_their_gaps_fill_the_time(stretches):
    read = [(min(a, b), max(a, b)) for a, b in stretches]
    bounds = (10.0, 40.0)
    filled = spans.seconds(spans.within(read, bounds)) + spans.seconds(spans.gaps(read, bounds))
    assert filled == pytest.approx(30.0)


def test_time_is_read_between_readings_that_are_close_together():
    assert spans.between_readings([1.0, 1.2, 5.0, 5.3], 0.5) == [(1.0, 1.2), (5.0, 5.3)]
    assert spans.between_readings([], 0.5) == []
    assert spans.widened([(1.0, 2.0), (2.4, 3.0)], 0.1, 0.3) == [(0.9, 3.3)]
