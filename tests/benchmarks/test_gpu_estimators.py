"""What is estimated of a sensor is what it was made with, whatever board it might belong to."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.gpu_check import estimators
from benchmarks.gpu_check.estimators import counter_over_power, updates
from benchmarks.meters.sensors import Counter, Load, PowerSensor

SECONDS, POLL_S = 30.0, 0.002

SENSORS = {
    "V100": PowerSensor(average_s=0.0105, hold_s=0.02, delay_s=0.01, phase_s=0.003),
    "A100": PowerSensor(average_s=0.022, hold_s=0.1, delay_s=0.08, phase_s=0.037),
    "averaging as long as it holds": PowerSensor(average_s=0.095, hold_s=0.1, phase_s=0.05),
    "mean of a second": PowerSensor(average_s=1.0, hold_s=0.1, delay_s=0.05, phase_s=0.09),
    "of one moment": PowerSensor(average_s=0.0, hold_s=0.1, delay_s=0.2, phase_s=0.01),
}


def switched(generator):
    """A load that is on and off for 0.3 to 1.2 s in turn, and when it was on."""
    edges = 1.0 + np.cumsum(generator.uniform(0.3, 1.2, 200))
    edges = edges[edges < SECONDS]
    edges = edges[: len(edges) // 2 * 2]
    watts = np.append(np.tile((100.0, 400.0), len(edges) // 2), 100.0)
    return Load(edges, watts), estimators.Load(edges[0::2], edges[1::2])


def poll(generator):
    moments = np.cumsum(POLL_S * generator.uniform(0.7, 1.5, int(SECONDS / POLL_S)))
    return moments[moments < SECONDS]


def with_noise(generator, sensor, moments, watts, spread_w):
    """A sensor's watts with another error at each of its updates."""
    update = np.floor((moments - sensor.phase_s) / sensor.hold_s).astype(int)
    errors = generator.normal(0.0, spread_w, update.max() - update.min() + 1)
    return watts + errors[update - update.min()]


def measure(sensor, seed=1, spread_w=0.0):
    generator = np.random.default_rng(seed)
    load, times_on = switched(generator)
    moments = poll(generator)
    watts = with_noise(generator, sensor, moments, sensor.read_w(load, moments), spread_w)
    shown = updates(moments, watts)
    assert shown is not None
    return shown, times_on, estimators.power_response(shown, times_on)


@pytest.mark.parametrize("spread_w", [0.0, 3.0], ids=["exact", "noisy"])
@pytest.mark.parametrize("sensor", SENSORS.values(), ids=SENSORS)
def test_period_delay_and_window_of_a_sensor_are_those_it_has(sensor, spread_w):
    shown, load, response = measure(sensor, spread_w=spread_w)
    assert shown.resolved
    assert shown.period_s == pytest.approx(sensor.hold_s, rel=0.005)
    assert response.delay_s == pytest.approx(sensor.delay_s, abs=0.006)
    assert response.window_s == pytest.approx(sensor.average_s, abs=0.01)
    assert (response.low_w, response.high_w) == pytest.approx((100, 400), abs=4)
    assert estimators.longest_hold(shown, load, response) == pytest.approx(shown.period_s)


@settings(max_examples=15)
@given(
    st.integers(0, 10_000),
    st.sampled_from((0.02, 0.05, 0.1, 0.2)),
    st.sampled_from((0.0, 0.01, 0.025, 0.1, 0.3, 1.0)),
    st.floats(0.0, 0.3),
)
def test_the_lag_of_any_sensor_is_measured_to_a_sixth_of_its_period(seed, hold, window, delay):
    sensor = PowerSensor(average_s=window, hold_s=hold, delay_s=delay, phase_s=seed % 7 / 100)
    response = measure(sensor, seed)[2]
    lag_s = response.delay_s + response.window_s
    assert lag_s == pytest.approx(sensor.delay_s + sensor.average_s, abs=max(0.01, hold / 6))


def test_updates_that_a_sensor_misses_lengthen_its_hold():
    generator = np.random.default_rng(4)
    sensor = PowerSensor(average_s=0.02, hold_s=0.1, phase_s=0.05)
    load, times_on = switched(generator)
    moments = poll(generator)
    watts = with_noise(generator, sensor, moments, sensor.read_w(load, moments), 1.0)
    # The 20 updates nearest to switching on are left out: the value before them stands longer.
    update = np.floor((moments - sensor.phase_s) / sensor.hold_s)
    for edge_s in times_on.on_s[:20]:
        missed = update == np.floor((edge_s + 0.1 - sensor.phase_s) / sensor.hold_s)
        watts[missed] = watts[np.flatnonzero(missed)[0] - 1]
    shown = updates(moments, watts)
    response = estimators.power_response(shown, times_on)
    assert estimators.longest_hold(shown, times_on, response) >= 0.19


@pytest.mark.parametrize(("tick_s", "delay_s"), [(0.1, 0.0), (0.02, 0.013), (0.1, 0.15)])
def test_tick_and_delay_of_a_counter_are_those_it_has(tick_s, delay_s):
    generator = np.random.default_rng(2)
    load, times_on = switched(generator)
    moments = poll(generator)
    ticks = updates(moments, Counter(tick_s=tick_s).read_j(load, moments - delay_s))
    response = estimators.counter_response(ticks, times_on)
    assert ticks.period_s == pytest.approx(tick_s, rel=0.005)
    assert response.delay_s == pytest.approx(delay_s, abs=0.004)
    assert (response.low_w, response.high_w) == pytest.approx((100, 400), rel=0.05)


def test_a_value_that_changes_at_every_poll_has_a_period_no_longer_than_the_polls():
    moments = poll(np.random.default_rng(3))
    shown = updates(moments, np.sin(moments))
    assert not shown.resolved
    assert shown.period_s <= 2 * POLL_S


def test_a_value_that_hardly_changes_has_no_period():
    moments = poll(np.random.default_rng(3))
    assert updates(moments, np.floor(moments)) is not None
    assert updates(moments, np.full(len(moments), 70.0)) is None
    assert updates(moments, np.floor(moments / 3)) is None


def test_a_counter_over_power_is_that_of_the_joules_they_say():
    moments = poll(np.random.default_rng(5))
    load = Load(np.array([0.0]), np.array([65.4, 65.4]))
    joules = 187 / 327 * Counter(tick_s=0.1).read_j(load, moments)
    ratio = counter_over_power(moments, joules, load.power_w(moments))
    assert ratio == pytest.approx(187 / 327, rel=0.002)
    assert counter_over_power(moments, np.zeros(len(moments)), load.power_w(moments)) is None
