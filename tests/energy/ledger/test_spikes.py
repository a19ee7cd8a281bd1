"""Wrong readings at the edges of a run are set aside: from the first on, and before the last."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.ledger.curve import Curve
from energy.ledger.plausible import Bound
from tests.support.ledgers import LIMIT_W, domain, end, header, record_of, sample

BASE_J = 22_795_000.0

FAR_J = 1.5 * LIMIT_W * 100.0
"""More than a board can draw in the seconds of these tests."""


def curve_of(readings):
    curve = Curve(bound=Bound(limit_w=LIMIT_W, tick_s=0.1, limit_known=True, never_zero=True))
    for moment, joules in readings:
        curve.add(moment, joules)
    return curve


def board_of(folder, joules):
    rows = [sample(second, value) for second, value in enumerate(joules)]
    return record_of(folder, [header([domain(never_zero=True)]), *rows, end(len(joules) - 1)])


POWERS = st.lists(st.floats(20.0, LIMIT_W), min_size=3, max_size=20)
WRONG = st.one_of(
    st.sampled_from([0.0, 200.0, -5.0]).map(lambda value: [value] * 40),
    st.lists(
        st.floats(BASE_J + FAR_J, 1e15), min_size=40, max_size=40, unique_by=lambda v: v // FAR_J
    ),
)


@given(POWERS, WRONG, st.booleans())
def test_wrong_readings_in_turn_with_the_truth_are_set_aside_from_the_first_on(
    powers, wrong, wrong_first
):
    true, joules = [], BASE_J
    for second, watts in enumerate(powers):
        true.append((float(second), joules))
        joules += watts
    odd = [
        (second - 0.5 if wrong_first else second + 0.5, wrong[i])
        for i, (second, _) in enumerate(true)
    ]
    curve = curve_of(sorted(chain(true, odd)))
    assert list(zip(curve.times, curve.raws, strict=True)) == true
    assert curve.spent_j() == pytest.approx(true[-1][1] - BASE_J)
    assert [reading for reading in odd if reading not in curve.doubted()] == []


def test_a_number_that_only_repeats_yields_to_a_counter_that_counts(tmp_path):
    joules = [200.0, BASE_J, 200.0, BASE_J + 600, 200.0, BASE_J + 1200, 200.0]
    read, *missing = board_of(tmp_path, joules).energy
    assert read.value == pytest.approx(1200)
    assert sum(entry.seconds for entry in missing) == pytest.approx(2)


def test_a_counter_at_rest_keeps_its_first_number_beside_a_wrong_reading():
    curve = curve_of([(0, 500.0), (1, 500.0), (2, 9e9), (2.5, 500.0), (3, 520.0), (4, 540.0)])
    assert curve.spent_j() == pytest.approx(40)
    assert curve.doubted() == [(2, 9e9)]


def test_a_spike_before_the_last_reading_is_set_aside(tmp_path):
    joules = [BASE_J + 300.0 * second for second in range(8)]
    joules[-2] += 500.0
    run = board_of(tmp_path, joules)
    (read,) = run.energy
    assert read.value == pytest.approx(7 * 300)
    assert "set aside" in run.notes[0]


@pytest.mark.parametrize("lower", [60e-6, 1.0, 250.0])
def test_a_last_reading_below_a_sound_one_is_the_one_that_is_set_aside(tmp_path, lower):
    joules = [BASE_J + 300.0 * second for second in range(8)]
    joules[-1] = joules[-2] - lower
    read, missing = board_of(tmp_path, joules).energy
    assert read.value == pytest.approx(6 * 300)
    assert missing.seconds == pytest.approx(1)
