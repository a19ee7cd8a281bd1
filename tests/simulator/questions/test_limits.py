"""Limits of a question: their dates, the chip counts to try, and rounding up."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.errors import InputError
from simulator.questions.sweep.feasible import doublings
from simulator.questions.sweep.limits import limits_of, rounded_up


@given(st.integers(1, 10_000), st.none() | st.integers(1, 20_000))
def test_counts_to_try_hold_the_scenarios_and_the_limit_and_go_beyond_both(own, most):
    counts = doublings(own, most)
    assert own in counts
    assert counts == sorted(set(counts))
    assert max(counts) > max(own, most or 0)
    assert most is None or most in counts
    assert 1 <= min(counts) <= own


@given(st.floats(1e-9, 1e12))
def test_a_rounded_limit_is_never_below_what_is_needed_and_hardly_above(value):
    assert value <= rounded_up(value) <= value * 1.0101
    assert float(f"{rounded_up(value):.3g}") == pytest.approx(rounded_up(value), rel=1e-12)
    assert float(f"{rounded_up(value):.10g}") >= value


def test_days_are_counted_from_the_start_and_today_is_said_to_be_it():
    named = limits_of({"mw": 1.0}, "2027-01-31", "2027-01-01")
    assert named.most == {"mw": 1.0, "days": 30}
    assert (named.start, named.today) == (date(2027, 1, 1), False)
    assert named.day(29.2).isoformat() == "2027-01-31"
    unnamed = limits_of({"mw": 1.0}, None, None)
    assert (unnamed.start, unnamed.today) == (datetime.now(UTC).date(), True)
    for by, start in (("2027-01-01", "2027-01-01"), ("31.1.2027", None), ("2027-02-30", None)):
        with pytest.raises(InputError, match="--by"):
            limits_of({}, by, start)
    with pytest.raises(InputError, match="--start"):
        limits_of({"mw": 1.0}, None, "soon")
