"""Bisection ends at the edge of its condition, with and without a guess."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.questions.budget.bisection import bracket, last, last_whole


@given(st.floats(-50, 50), st.integers(-5, 60))
def test_bisection_ends_at_the_last_number_at_which_the_condition_holds(edge, whole):
    number = last(lambda x: x <= edge, -100.0, 100.0, tolerance=1e-12)
    assert number == pytest.approx(edge, abs=1e-9)
    assert last_whole(lambda n: n <= whole, 0, 50) == (None if whole < 0 else min(whole, 50))


@given(st.floats(-50, 50), st.floats(-99, 99))
def test_a_guess_saves_evaluations_and_never_changes_the_result(edge, guess):
    evaluated = []

    def holds(x):
        evaluated.append(x)
        return x <= edge

    plain = last(holds, -100.0, 100.0, tolerance=1e-12)
    without, evaluated[:] = len(evaluated), []
    assert last(holds, -100.0, 100.0, tolerance=1e-12, near=guess) == plain
    assert len(evaluated) <= without + 2
    evaluated[:] = []
    assert last(holds, -100.0, 100.0, tolerance=1e-12, near=edge) == plain
    assert len(evaluated) <= 10


def test_a_bracket_stays_where_the_condition_cannot_be_evaluated():
    assert bracket(lambda x: None, 1.0, 3.0) == (1.0, 3.0)
    assert bracket(lambda x: x < 5.5, 0.0, 100.0, whole=True) == (5.0, 6.0)
