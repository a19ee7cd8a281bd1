"""Clocks that are set, lines that stand there twice, and parts in a wrong order cost no joule."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.errors import InputError
from energy.importers.imported import outermost
from energy.importers.moments import Clock, in_order
from energy.local_time import zone_of

HOUR = 3600.0


def log(begin, seconds, name="gpu-0"):
    return [(begin + s, (name, 300.0)) for s in range(seconds)]


def test_in_autumn_the_hour_that_comes_twice_counts_twice():
    """2026-10-25 in Berlin: 03:00 summer time is 02:00 winter time."""
    before, after = log(10_000.0, 7200), log(10_000.0 + 7200 - HOUR, 7200)
    ordered, notes = in_order([*before, *[(t, ("gpu-0", 301.0)) for t, _ in after]])
    times = [t for t, _ in ordered]
    assert times == [10_000.0 + s for s in range(14_400)]
    assert "set back by 1 h" in notes[0]


def test_a_log_in_local_time_needs_no_repair_where_its_zone_is_named():
    berlin = Clock("Europe/Berlin")
    summer = berlin.seconds("2026/07/01 12:00:00.000", "%Y/%m/%d %H:%M:%S.%f")
    assert summer == Clock(None).seconds("2026-07-01T10:00:00Z")
    assert berlin.notes() == []
    with pytest.raises(InputError):
        zone_of("Europe/Atlantis")


def test_a_part_that_was_written_in_a_wrong_place_is_sorted_in():
    first, second = log(0.0, 100), log(20_000.0, 100)
    ordered, notes = in_order([*second, *first])
    assert ordered == [*first, *second]
    assert "wrong order" in notes[0]


def test_a_file_that_was_appended_to_itself_counts_once():
    rows = log(0.0, 100)
    ordered, notes = in_order([*rows, *rows])
    assert ordered == rows
    assert "100 lines stand there twice" in notes[0]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 99), st.integers(0, 100), st.integers(0, 100))
def test_cutting_repeating_and_swapping_parts_changes_nothing(cut, begin, end):
    rows = log(0.0, 100)
    repeated = rows[min(begin, end) : max(begin, end)]
    ordered, _ = in_order([*rows[cut:], *rows[:cut], *repeated])
    assert ordered == rows


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1000), st.floats(0.1, 100), st.floats(1, 500)), min_size=1))
def test_nested_windows_never_count_more_than_the_power_allows(windows):
    """Of stretches with one and the same power, the sum is that power times the time covered."""
    watts = 250.0
    kept, _ = outermost((b, b + s, watts * s) for b, s, _ in windows)
    covered = sum(end - begin for begin, end, _ in kept)
    assert sum(j for _, _, j in kept) == pytest.approx(watts * covered)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(kept))
