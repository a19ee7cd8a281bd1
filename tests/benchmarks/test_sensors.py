"""The loads and sensors of the benchmarks: exact joules, and readings that are late and smooth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.meters.sensors import (
    Counter,
    Load,
    PowerSensor,
    alternating,
    constant,
    polls,
    telegraph,
    training,
)

STEPS = Load(np.array([0.0, 2.0]), np.array([100.0, 400.0, 50.0]))


def test_the_energy_of_a_load_is_the_sum_of_its_steps() -> None:
    assert STEPS.energy_j([-1.0, 0.0, 1.0, 2.0, 3.0]) == pytest.approx([-100, 0, 400, 800, 850])
    assert STEPS.power_w([-1.0, 0.0, 1.9, 2.0]) == pytest.approx([100, 400, 400, 50])
    assert constant(300.0).between(5.0, 7.0) == pytest.approx(600.0)


@given(st.integers(0, 10_000), st.floats(0.02, 0.5))
def test_the_energy_of_a_random_load_is_the_integral_of_its_power(seed: int, mean_s: float) -> None:
    generator = np.random.default_rng(seed)
    load = telegraph(generator, 0.0, 5.0, mean_s=mean_s, least_w=60, most_w=700)
    cuts = np.union1d(load.edges_s, [1.0, 4.0])
    cuts = cuts[(cuts >= 1.0) & (cuts <= 4.0)]
    middles = (cuts[1:] + cuts[:-1]) / 2
    assert load.between(1.0, 4.0) == pytest.approx(
        float(np.sum(load.power_w(middles) * np.diff(cuts)))
    )


def test_an_alternating_load_has_the_mean_power_of_its_shares() -> None:
    load = alternating(10.0, 50, 0.1, high_s=0.06, high_w=400, low_w=100)
    assert load.between(10.0, 15.0) == pytest.approx(50 * (0.06 * 400 + 0.04 * 100))
    assert load.power_w(9.9) == load.power_w(15.1) == 100


def test_a_training_loop_stays_within_its_limits_and_lasts_until_the_end() -> None:
    load = training(np.random.default_rng(1), 2.0, 30.0, step_s=0.4, most_w=700)
    assert load.edges_s[0] == 2.0
    assert load.edges_s[-1] > 30.0
    assert np.all(np.diff(load.edges_s) > 0)
    assert 0.2 * 700 <= load.watts.min() <= load.watts.max() <= 0.95 * 700


def test_a_sensor_shows_the_mean_that_ended_a_delay_before_its_last_update() -> None:
    sensor = PowerSensor(average_s=0.2, hold_s=0.1, delay_s=0.05)
    # The update at 2.1 s averages 1.85 to 2.05 s: 0.15 s of 400 W, 0.05 s of 50 W.
    assert sensor.read_w(STEPS, [2.1001, 2.1999]) == pytest.approx([312.5, 312.5])
    assert PowerSensor(average_s=0, hold_s=0).read_w(STEPS, [1.0, 2.5]) == pytest.approx([400, 50])


@given(st.floats(0.0, 20.0), st.floats(0.01, 0.1), st.floats(0.0, 0.1))
def test_a_counter_shows_the_joules_of_its_last_tick(t: float, tick_s: float, phase: float) -> None:
    shown = Counter(tick_s=tick_s, phase_s=phase).read_j(constant(300.0), t)
    assert -1e-6 <= 300.0 * t - shown <= 300.0 * tick_s + 1e-6


def test_polls_keep_their_period_within_the_jitter() -> None:
    moments = polls(np.random.default_rng(3), 0.0, 50.0)
    assert np.all((np.diff(moments) >= 0.08) & (np.diff(moments) <= 0.12))
    assert 49.8 < moments[-1] < 50.0
