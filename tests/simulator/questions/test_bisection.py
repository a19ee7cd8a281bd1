"""Bisection ends at the edge of its condition."""

from hypothesis import given
from hypothesis import strategies as st

from simulator.questions.budget.bisection import bracket, last_whole


@given(st.integers(-5, 60))
def test_bisection_ends_at_the_last_number_at_which_the_condition_holds(whole):
    assert last_whole(lambda n: n <= whole, 0, 50) == (None if whole < 0 else min(whole, 50))


def test_a_bracket_stays_where_the_condition_cannot_be_evaluated():
    assert bracket(lambda x: None, 1.0, 3.0) == (1.0, 3.0)
    assert bracket(lambda x: x < 5.5, 0.0, 100.0, whole=True) == (5.0, 6.0)
