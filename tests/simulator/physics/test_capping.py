"""Chips under a cap: slower by no more than the clock falls, and never above the cap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.physics.capping import clock_under, slowed, watts_at
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.power import chip_watts
from tests.support.steps import made

SECONDS = (6.0, 1.0, 2.0, 0.5, 0.5)
share = st.floats(0, 1)
clocks = st.floats(0.2, 1)

CHIP = Hardware(
    name="test",
    precision="bf16",
    peak_flop_per_s=1.0,
    memory_bytes=1.0,
    memory_bytes_per_s=1.0,
    idle_w=70.0,
    busy_w=700.0,
    limit_w=700.0,
    power_relative=(-0.1, 0.1),
    power_source="test",
)


steps = st.builds(made, st.just(SECONDS), share, share, share)


@given(steps, clocks)
def test_a_step_is_slower_by_no_more_than_the_clock_falls_and_messages_take_as_long(step, clock):
    slow = slowed(step, clock)
    assert step.step_s * (1 - 1e-9) <= slow.step_s <= step.step_s / clock * (1 + 1e-9)
    for part in ("data_parallel", "optimizer", "host"):
        assert slow.seconds[part] == step.seconds[part]


def test_the_full_clock_changes_nothing():
    step, priors = made(SECONDS, 0.6, 0.5, 0.2), Constants()
    assert slowed(step, 1.0).seconds == step.seconds
    full = watts_at(step, 1.0, CHIP, priors, 2.4)
    assert full == pytest.approx(float(chip_watts(step, CHIP, priors)))


def test_a_chip_that_only_computes_draws_what_the_worked_number_says():
    only = made((10.0, 0, 0, 0, 0), compute=1.0, memory=0.0, link=0.0)
    assert watts_at(only, 0.8, CHIP, Constants(), 2.5) == pytest.approx(70 + 630 * 0.8**2.5)
    assert slowed(only, 0.5).step_s == 20


@given(steps, st.floats(1, 3), st.floats(0.3, 1))
def test_the_clock_under_a_cap_keeps_it_and_a_little_more_does_not(step, exponent, part):
    full = watts_at(step, 1.0, CHIP, Constants(), exponent)
    cap = part * full
    clock = clock_under(cap, step, CHIP, Constants(), exponent, 0.2)
    if clock is None:
        assert watts_at(step, 0.2, CHIP, Constants(), exponent) > cap
        return
    assert watts_at(step, clock, CHIP, Constants(), exponent) <= cap * (1 + 1e-6)
    if clock < 0.999:
        above = watts_at(step, clock + 1e-3, CHIP, Constants(), exponent)
        assert above >= cap * (1 - 1e-6)
