"""The band of a window holds its true joules, whatever the load does and however the meter looks.

Loads and sensors are simulated, so the truth is known exactly: counters of 94 to 100 ms, and power
sensors with the windows, periods and lags that were published of NVIDIA boards.
"""

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.meters.sensors import (
    SENSORS,
    Counter,
    Load,
    PowerSensor,
    alternating,
    polls,
    telegraph,
    training,
)
from energy.ledger import bands
from energy.ledger.bands import Doubt, Stretches
from energy.ledger.interpolation import Readings, joules_at
from energy.ledger.lag import Lag

LIMIT_W, HIGH_W, LOW_W = 700.0, 400.0, 100.0
COUNTER_GAIN, POWER_GAIN = 0.07, 0.12
LENGTHS = (0.1, 0.3, 0.5, 1.0, 2.0, 5.0)
TRIALS = 25

PUBLISHED = {
    "V100 or P100": (0.02, 0.031),
    "A100": (0.1, 0.125),
    "H100, instant": (0.1, 0.125),
    "Turing to Ada": (0.1, 0.21),
    "Ampere and later, mean of a second": (0.1, 1.1),
}
"""Period and lag of each sensor, as power_sensors.csv has them."""

NONE = np.array([], dtype=np.intp)


def at_random(draw, load, length):
    starts = draw.uniform(6, 34 - length, 3)
    return load, starts, starts + length


def loads(draw, length, tick_s):
    """Loads by name, each with begins and ends of windows of about one length."""
    period = draw.uniform(0.2, 4)
    square = alternating(
        draw.uniform(0, period),
        int(40 / period),
        period,
        high_s=period / 2,
        high_w=HIGH_W,
        low_w=draw.uniform(60, 390),
    )
    yield "square", at_random(draw, square, length)
    mean_s = draw.uniform(0.05, 1)
    random = telegraph(draw, 0, 40, mean_s=mean_s, least_w=80, most_w=650)
    yield "random", at_random(draw, random, length)
    steps = training(draw, 0, 40, step_s=draw.uniform(0.1, 2), most_w=600)
    yield "training", at_random(draw, steps, length)
    period, share = tick_s * draw.uniform(0.9, 1.1), draw.uniform(0.3, 0.7)
    load, first = in_turn(draw, period, share)
    starts = first + period * (draw.integers(60, int((33 - length) / period), 3))
    yield "period of about a tick", (load, starts, starts + length)
    share = draw.uniform(0.3, 0.7)
    period = length / share
    load, first = in_turn(draw, period, share)
    starts = first + period * np.ceil((6 - first) / period) + np.array([0.0, length])
    yield "in step", (load, starts, np.array([starts[1], starts[0] + period]))


def in_turn(draw, period, share):
    """Forward passes and all-reduces in turn, and the begin of the first."""
    first = draw.uniform(0, period)
    load = alternating(
        first, int(60 / period) + 2, period, high_s=period * share, high_w=HIGH_W, low_w=LOW_W
    )
    return load, first


def of_counter(draw, load, tick_s):
    """The band of stretches by a counter: their begins and ends -> joules, low, high."""
    gain = 1 + draw.uniform(-COUNTER_GAIN, COUNTER_GAIN)
    counter = Counter(tick_s=tick_s, phase_s=draw.uniform(0, tick_s), gain=gain)
    times = counter.phase_s + tick_s * np.arange(round(41 / tick_s))
    joules = counter.read_j(load, times + 1e-9)
    readings = Readings(times, joules, joules, NONE)

    def band(starts, stops):
        stretches = shown(readings, starts, stops)
        return banded(stretches, bands.of_counter(readings, LIMIT_W, stretches), COUNTER_GAIN)

    return band


def of_power(draw, load, board):
    """The same by readings of a board's power."""
    sensor = SENSORS[board]
    watching = PowerSensor(
        average_s=sensor.average_s,
        hold_s=sensor.hold_s,
        delay_s=draw.uniform(0, 0.1),
        phase_s=draw.uniform(0, 0.1),
        gain=1 + draw.uniform(-POWER_GAIN, POWER_GAIN),
    )
    times = polls(draw, 3, 40)
    readings = powers_at(times, watching.read_w(load, times))
    lag = Lag.of(readings, LIMIT_W, *PUBLISHED[board])

    def band(starts, stops):
        stretches = shown(readings, starts + lag.trail_s, stops + lag.trail_s)
        return banded(stretches, bands.of_power(readings, LIMIT_W, lag, stretches), POWER_GAIN)

    return band


def powers_at(times, watts):
    joules = np.concatenate(([0.0], np.cumsum(watts[:-1] * np.diff(times))))
    return Readings(times, watts, joules, NONE, hold_s=0.5)


def shown(readings, starts, stops):
    return Stretches(starts, stops, joules_at(readings, starts), joules_at(readings, stops))


def banded(stretches, doubt, gain):
    joules = float((stretches.stops_j - stretches.starts_j).sum())
    return joules, *doubt.band(joules, 1 - gain, 1 + gain)


@functools.cache
def simulated(meter):
    """Load and length -> whether each band holds the truth, and half its width over the value."""
    draw = np.random.default_rng(1)
    results = {}
    for length in LENGTHS:
        for _ in range(TRIALS):
            tick_s = draw.uniform(0.094, 0.100)
            for name, (load, starts, stops) in loads(draw, length, tick_s):
                board = of_counter(draw, load, tick_s) if meter == "counter" else None
                band = board or of_power(draw, load, meter)
                for i in range(len(starts)):
                    if not 5 < starts[i] < stops[i] < 37:
                        continue
                    joules, low, high = band(starts[i : i + 1], stops[i : i + 1])
                    true = float(load.between(starts[i], stops[i]))
                    row = results.setdefault((name, length), [])
                    row.append((low <= true <= high, (high - low) / 2 / joules))
    return results


METERS = ["counter", *SENSORS]


@pytest.mark.parametrize("meter", METERS)
def test_the_band_holds_the_truth_of_windows_of_every_load(meter):
    inside_by_load = {}
    for (load, _), windows in simulated(meter).items():
        inside_by_load.setdefault(load, []).extend(inside for inside, _ in windows)
    assert {load for load, inside in inside_by_load.items() if np.mean(inside) < 0.93} == set()


@pytest.mark.parametrize(("length", "most"), [(0.3, 0.9), (1.0, 0.3), (5.0, 0.12)])
def test_the_band_is_no_wider_than_it_must_be(length, most):
    """Half its width over the value, in the median over all loads; twice that by power alone."""

    def median(meters):
        return np.median(
            [
                half
                for meter in meters
                for (_, own), windows in simulated(meter).items()
                for _, half in windows
                if own == length
            ]
        )

    assert median(["counter"]) < most
    assert median(SENSORS) < 2 * most


@pytest.mark.parametrize("meter", METERS)
@pytest.mark.parametrize("length", [0.05, 0.1, 0.5, 1.0])
def test_the_band_of_many_windows_in_step_with_the_load_holds_their_sum(meter, length):
    """Each errs as the one before it: forward passes among all-reduces, and the reverse."""
    draw = np.random.default_rng(2)
    inside = []
    for _ in range(TRIALS):
        tick_s = draw.uniform(0.094, 0.100)
        share = draw.uniform(0.3, 0.7)
        period = tick_s if length < tick_s else length / share
        load, first = in_turn(draw, period, share)
        starts = first + period * np.arange(np.ceil((6 - first) / period), int(33 / period))
        stops = starts + period * share
        if draw.random() < 0.5:
            starts, stops = stops, starts + period
        band = of_counter(draw, load, tick_s) if meter == "counter" else of_power(draw, load, meter)
        _, low, high = band(starts, stops)
        inside.append(low <= float(load.between(starts, stops).sum()) <= high)
    assert np.mean(inside) >= 0.93


powers_w = st.lists(st.floats(0, LIMIT_W), min_size=40, max_size=40)
edges_s = st.lists(st.floats(0.0, 2.0), min_size=2, max_size=12, unique=True).map(sorted)


def counted(watts):
    """Two seconds whose power changes every 50 ms, read by an exact counter every 0.1 s."""
    load = Load(0.05 * np.arange(1, 40), np.array(watts))
    times = 0.1 * np.arange(21)
    joules = load.energy_j(times) - load.energy_j(0.0)
    return load, Readings(times, joules, joules, NONE)


@given(powers_w, edges_s)
def test_no_load_within_the_limit_is_outside_what_a_counter_leaves_open(watts, edges):
    """Of any windows, one after the other, overlapping or not; a law, not a matter of chance."""
    load, readings = counted(watts)
    for starts, stops in (
        (edges[:-1:2], edges[1::2]),
        (edges[:-1], edges[1:]),
        (edges[:-2], edges[2:]),
    ):
        stretches = shown(readings, np.array(starts), np.array(stops))
        doubt = bands.of_counter(readings, LIMIT_W, stretches)
        read_j = float((stretches.stops_j - stretches.starts_j).sum())
        true_j = float(load.between(np.array(starts), np.array(stops)).sum())
        assert read_j - doubt.below_j - 1e-6 <= true_j <= read_j + doubt.above_j + 1e-6


@given(powers_w, edges_s)
def test_windows_without_a_gap_leave_no_more_open_than_the_one_around_them(watts, edges):
    _, readings = counted(watts)
    parts = shown(readings, np.array(edges[:-1]), np.array(edges[1:]))
    whole = shown(readings, np.array(edges[:1]), np.array(edges[-1:]))
    lag = Lag(trail_s=0.0, edge_s=0.1, window_s=0.05, period_s=0.1)
    powers = powers_at(readings.times, np.array(watts[:21]))
    for doubts in (
        [bands.of_counter(readings, LIMIT_W, stretches) for stretches in (parts, whole)],
        [
            bands.of_power(powers, LIMIT_W, lag, shown(powers, stretches.starts, stretches.stops))
            for stretches in (parts, whole)
        ],
    ):
        assert doubts[0].below_j == pytest.approx(doubts[1].below_j, abs=1e-6)
        assert doubts[0].above_j == pytest.approx(doubts[1].above_j, abs=1e-6)
        assert doubts[0].edges_j == pytest.approx(doubts[1].edges_j, abs=1e-6)


def test_a_short_gap_between_two_steps_leaves_little_open():
    """Ten steps of 0.1 s, 1 ms between two of them: 0.7 J each at 700 W, not a whole tick."""
    _, readings = counted([250.0] * 40)
    starts = 0.05 + 0.101 * np.arange(10)
    doubt = bands.of_counter(readings, LIMIT_W, shown(readings, starts, starts + 0.1))
    edges = bands.of_counter(readings, LIMIT_W, shown(readings, starts[:1], starts[-1:] + 0.1))
    assert doubt.below_j - edges.below_j < 9 * 0.001 * LIMIT_W
    assert doubt.above_j - edges.above_j < 9 * 0.001 * LIMIT_W


def test_windows_of_a_name_err_together_and_only_the_changes_in_them_apart():
    single = Doubt(below_j=2.0, above_j=3.0, edges_j=4.0, squares_j2=9.0)
    assert single.band(100.0, 1.0, 1.0) == (93.0, 108.0)
    four = single + single + single + single
    assert four.band(400.0, 1.0, 1.0)[0] == pytest.approx(400 - 8 - np.hypot(16, 6))
    # The gain is the same in all of them, and independent of how the load changes.
    assert four.band(400.0, 0.9, 1.0)[0] == pytest.approx(400 - 7.2 - np.hypot(np.hypot(16, 6), 40))


def lag_of(times, watts, tick_s, lag_s):
    return Lag.of(powers_at(np.asarray(times), np.asarray(watts)), LIMIT_W, tick_s, lag_s)


def test_the_lag_is_the_published_one_while_the_readings_agree_with_it():
    times = 0.1 * np.arange(200)
    lag = lag_of(times, 300 + 20 * np.sin(times), 0.1, 0.125)
    assert lag.window_s == pytest.approx(0.025)
    assert lag.trail_s == pytest.approx(0.1 + 0.05 + 0.0125)
    assert lag.edge_s == pytest.approx(0.15)


def test_readings_that_jump_are_no_means_of_a_second():
    """Of 400 W at 700 W in 0.2 s at most: 0.35 s at most, and nothing is known of the least."""
    watts = np.where(np.arange(200) // 10 % 2, 500.0, 100.0)
    lag = lag_of(0.1 * np.arange(200), watts, 0.1, 1.1)
    assert lag.window_s == pytest.approx(0.2 * 700 / 400)
    assert lag.trail_s == pytest.approx(0.15 + lag.window_s / 4)


def test_readings_that_never_jump_may_be_means_of_more_than_is_published():
    phase = np.arange(200) % 40
    watts = 100 + 15 * np.minimum(phase, 40 - phase)
    assert lag_of(0.1 * np.arange(200), watts, 0.1, 0.125).window_s == pytest.approx(0.2 * 300 / 15)


def test_the_period_of_a_sensor_is_seen_in_its_readings():
    draw = np.random.default_rng(3)
    times = 0.1 * np.arange(400)
    slow = np.repeat(draw.normal(300, 5, 80), 5)  # new values every 0.5 s
    assert lag_of(times, slow, 0.1, 0.125).period_s == pytest.approx(0.5)
    # A wave of two powers, without noise, says nothing of it.
    assert lag_of(times, np.where(times % 1 < 0.5, 400, 100), 0.1, 0.125).period_s < 0.11
