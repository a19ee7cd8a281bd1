"""`simulator power --cap`: time and joules against watts a chip."""

import json

import pytest

from energy.errors import InputError
from simulator.questions.power.caps import capped
from simulator.runs.predict import predict
from simulator.scenarios.scenario import load

ON_H100 = {"hardware.chip": "h100"}


@pytest.fixture(scope="module")
def answer():
    return capped("glam-8b-64e", overrides=ON_H100)


def test_without_a_cap_it_is_the_prediction(answer):
    first, record = answer.caps[0], predict(load("glam-8b-64e", ON_H100)).record
    assert first.time == first.energy == pytest.approx((1, 1, 1))
    assert first.spend.elapsed_s.value == pytest.approx(record.elapsed_s.value)


def test_lower_caps_take_longer_and_the_least_joules_are_those_of_no_other_cap(answer):
    times = [cap.time[0] for cap in answer.caps]
    assert times == sorted(times)
    (least,) = (cap for cap in answer.caps if "joules" in cap.least)
    assert least.spend.energy_j.value == min(cap.spend.energy_j.value for cap in answer.caps)
    assert all(low <= middle <= high for middle, low, high in (cap.energy for cap in answer.caps))


def test_with_nothing_beside_the_chips_the_least_joules_are_at_a_lower_cap():
    def least(**site):
        values = ON_H100 | {f"site.{name}": value for name, value in site.items()}
        answered = capped("glam-8b-64e", overrides=values)
        return next(cap.cap_w for cap in answered.caps if "joules" in cap.least)

    assert least(node_over_chip=1.0) < least()


def test_rented_chips_are_cheapest_without_a_cap():
    answered = capped("glam-8b-64e", overrides=ON_H100 | {"site.chip_price": "h100-on-demand-2026"})
    assert "cost" in answered.caps[0].least


def test_a_least_without_a_cap_is_said_to_be_without_one():
    headline = capped("glam-8b", overrides=ON_H100 | {"site.chip_price": 2.0}).headline
    assert "no cap (" in headline
    assert "takes the least cost" in headline


def test_caps_that_do_not_bind_or_that_no_clock_keeps_are_named():
    answered = capped("glam-8b-64e", [9000.0, 400.0, 10.0], overrides=ON_H100)
    assert {"9000 W", "10 W"} == set(answered.beyond)
    assert 400.0 in [cap.cap_w for cap in answered.caps]


@pytest.mark.parametrize("watts", [0.0, -5.0, float("nan")])
def test_watts_that_no_cap_has_are_refused(watts):
    with pytest.raises(InputError, match="above 0"):
        capped("glam-8b-64e", [watts])


def test_the_verb_prints_caps_and_data(simulator):
    _, out, _ = simulator("power", "glam-8b-64e", "--cap", "400,300", "--set", "hardware.chip=h100")
    assert "400 W" in out
    assert "least joules" in out
    _, out, _ = simulator("power", "glam-8b-64e", "--cap", "auto", "--json")
    assert {"cap_w", "time_ratio", "energy_ratio", "mwh"} <= set(json.loads(out)["caps"][0])
