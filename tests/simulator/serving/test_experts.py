"""Which experts a batch touches: hand-worked numbers, simulated draws, and laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.physics.expert_load import ExpertLoad
from simulator.serving.experts import busiest_tokens, busiest_touched, spread_of, touched

experts = st.sampled_from([8, 16, 64, 128, 256])
chosen = st.integers(1, 8)
spread = st.floats(0, 3)


def test_the_share_worked_by_hand():
    assert touched(128, 8, 32, 0) == pytest.approx(1 - (1 - 8 / 128) ** 32)
    assert touched(128, 8, 32, 1) == pytest.approx(0.6876, abs=5e-4)
    assert touched(128, 8, 1, 1.7) == pytest.approx(8 / 128)


@given(experts, chosen, st.floats(1, 5000), st.floats(1, 4), spread)
def test_touched_experts_rise_with_the_batch_and_are_at_most_all(count, k, tokens, more, c):
    few, many = touched(count, k, tokens, c), touched(count, k, tokens * more, c)
    assert 0 < few <= many + 1e-12
    assert many <= 1


@given(experts, chosen, st.floats(2, 5000), st.floats(0, 2))
def test_a_skewed_load_touches_fewer_experts_than_a_uniform_one(count, k, tokens, c):
    assert touched(count, k, tokens, c) <= touched(count, k, tokens, 0) + 1e-9


def test_draws_of_a_skewed_router_touch_as_many_experts_as_the_formula():
    generator = np.random.default_rng(0)
    c, count, k, tokens = 1.0, 64, 4, 40
    shares = []
    for _ in range(60):
        popularity = generator.gamma(1 / c**2, size=count) + 1e-12
        keys = np.log(popularity) + generator.gumbel(size=(tokens, count))
        rows = np.argpartition(-keys, k, axis=1)[:, :k]
        shares.append(len(np.unique(rows)) / count)
    assert np.mean(shares) == pytest.approx(touched(count, k, tokens, c), rel=0.1)


@given(st.floats(0.01, 1), experts, st.sampled_from([1, 2, 4, 8]))
def test_the_busiest_chip_has_touched_no_fewer_than_the_mean_and_at_most_all(share, count, chips):
    busiest = busiest_touched(share, count, chips)
    assert share - 1e-12 <= busiest <= 1
    assert busiest_touched(share, count, 1) == pytest.approx(share)


@given(experts, chosen, st.floats(1, 1e5), spread, st.sampled_from([1, 2, 4, 8]))
def test_the_busiest_chip_has_at_least_its_share_of_the_tokens(count, k, tokens, c, chips):
    assert 1 <= busiest_tokens(count, k, tokens, c, chips) <= chips


def test_the_spread_of_a_measured_load_is_its_deviation_over_its_mean():
    assert spread_of(ExpertLoad.of([0.4, 0.1, 0.4, 0.1])) == pytest.approx(0.6)
    assert spread_of(ExpertLoad.of([0.25] * 4)) == 0
