"""Times of answers: the rows of a probe come back where they were measured, and in a file."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.errors import InputError
from simulator.fit.answer_times import AnswerTimes

WEIGHTS = [
    (m, size, size * m**0.5 * rate) for m in (1, 16) for size, rate in ((1e6, 1e-11), (1e8, 1e-10))
]
LAYERS = [
    (layers, mixtures, batch, batch**0.5 * (5e-4 + 2.5e-4 * (layers - mixtures) + 4e-4 * mixtures))
    for layers, mixtures in ((2, 0), (6, 0), (6, 6))
    for batch in (1, 4)
]
TIMES = AnswerTimes.of(WEIGHTS, LAYERS)


@pytest.mark.parametrize(("rows", "size", "seconds"), WEIGHTS)
def test_a_measured_row_comes_back(rows, size, seconds):
    assert TIMES.seconds_per_byte(rows, size) == pytest.approx(seconds / size)


@given(rows=st.floats(1, 1e4), more=st.floats(1, 10), size=st.floats(1e3, 1e12))
def test_more_rows_and_more_weights_never_read_a_byte_faster(rows, more, size):
    byte_s = TIMES.seconds_per_byte(rows, size)
    assert TIMES.seconds_per_byte(rows * more, size) >= byte_s * (1 - 1e-9)
    assert TIMES.seconds_per_byte(rows, size * more) >= byte_s * (1 - 1e-9)
    assert np.isfinite(byte_s)


def test_layers_and_mixtures_are_told_apart():
    assert TIMES.layer_seconds(1) == pytest.approx((5e-4, 2.5e-4, 4e-4))
    assert TIMES.layer_seconds(4) == pytest.approx((1e-3, 5e-4, 8e-4))
    assert TIMES.layer_seconds(0.5) == TIMES.layer_seconds(1)
    assert TIMES.layer_seconds(99) == TIMES.layer_seconds(4)


@pytest.mark.parametrize(
    ("weights", "layers"),
    [
        (WEIGHTS[:3], LAYERS),
        (WEIGHTS, LAYERS[:4]),
        ([], LAYERS),
        (WEIGHTS, []),
        ([(1, 1e6, 0.0), *WEIGHTS[1:]], LAYERS),
        (WEIGHTS, [LAYERS[0]] * 3),
        ([["a", 1, 1]], LAYERS),
    ],
)
def test_rows_that_are_no_grid_are_refused(weights, layers):
    with pytest.raises(InputError, match="rows of answers"):
        AnswerTimes.of(weights, layers)


def test_a_probe_of_a_former_version_has_none():
    assert AnswerTimes.of_probe({"rows": [{"op": "launch", "seconds": 1e-6}]}) is None
    with pytest.raises(InputError, match="read_weights"):
        AnswerTimes.of_probe({"rows": [{"op": "read_weights", "m": 1}]})
