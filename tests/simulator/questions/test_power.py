"""`simulator power`: the load of a site over a step and the run, with the joules of `predict`."""

import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from energy.quantity import Boundary, Origin
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.phases import PHASES, phase_watts, phases
from simulator.physics.power import chip_watts
from simulator.questions.power.answer import load_profile, power
from simulator.questions.power.picture import panels
from simulator.runs.predict import predict
from simulator.scenarios.scenario import load, presets
from tests.support.steps import made

share = st.floats(0, 1)


@pytest.fixture(scope="module")
def profile():
    return power("gpt3-175b")


def chip(idle_w, busy_w, limit_w):
    return Hardware(
        name="test",
        precision="bf16",
        peak_flop_per_s=1.0,
        memory_bytes=1.0,
        memory_bytes_per_s=1.0,
        idle_w=idle_w,
        busy_w=busy_w,
        limit_w=limit_w,
        power_relative=(-0.1, 0.1),
        power_source="test",
    )


@given(
    st.lists(st.floats(0, 10), min_size=5, max_size=5),
    share,
    share,
    share,
    st.floats(10, 200),
    st.floats(0, 800),
    st.floats(0.5, 1.2),
    share,
    share,
    share,
)
def test_the_parts_have_the_mean_of_the_step_and_never_pass_idle_or_limit(
    seconds, compute, memory, link, idle, above, cap, wait, of_link, of_memory
):
    assume(sum(seconds) > 1e-3)
    step = made(seconds, compute, memory, link)
    hardware = chip(idle, idle + above + 1, max(idle + 1, cap * (idle + above + 1)))
    constants = Constants(wait_share=wait, link_power_share=of_link, memory_power_share=of_memory)
    parts = phases(step)
    watts = phase_watts(step, parts, hardware, constants)
    mean = sum(watts[name] * parts[name] for name in parts) / sum(parts.values())
    assert mean == pytest.approx(chip_watts(step, hardware, constants), rel=1e-9)
    for value in watts.values():
        assert idle * (1 - 1e-9) <= value <= hardware.limit_w * (1 + 1e-9)


def test_a_bubble_waits_and_computing_is_busy():
    # Idle 70 W, busy 700 W: 70 + 630 x 0.3 = 259 W of waiting; 0.6 x 700 + 0.4 x 259 = 524 W.
    step = made([6.0, 0.0, 4.0, 0.0, 0.0], 0.6, 0.0, 0.0)
    watts = phase_watts(step, phases(step), chip(70, 700, 700), Constants(wait_share=0.3))
    assert watts == pytest.approx({"compute": 700, "bubble": 259})


@pytest.mark.parametrize("name", presets())
def test_the_mean_of_a_run_is_its_joules_over_its_time(name):
    scenario = load(name)
    prediction = predict(scenario)
    profile, record = load_profile(prediction), prediction.record
    for at, mean in profile.mean_w.items():
        joules, elapsed_s = record.totals[at].value, record.elapsed_s.value
        assert mean.value == pytest.approx(joules / elapsed_s, rel=1e-9)
        step_j = sum(part.power_w[at].value * part.lasts_s for part in profile.parts)
        assert step_j / profile.step_s == pytest.approx(mean.value, rel=1e-9)
        assert profile.least_w(at).value <= mean.value <= profile.peak_w(at).value
    whole = record.metrics["step_time_s"].value
    assert profile.step_s == pytest.approx(whole, rel=1e-9)


def test_the_parts_of_a_step_come_in_the_words_of_the_verb(profile):
    names = [part.name for part in profile.parts]
    assert names == [name for name in PHASES if name in names]
    assert {"compute", "communication", "bubble", "optimizer"} <= {*names}
    assert [event.name for event in profile.events] == ["checkpoint", "restart"]


def test_only_the_chips_swing_within_a_step(profile):
    swings = [
        profile.peak_w(at).value - min(part.power_w[at].value for part in profile.parts)
        for at in profile.mean_w
    ]
    assert np.ptp(swings) < 1e-6 * swings[0]


def test_a_ramp_is_the_swing_over_the_assumed_edge_and_says_that_it_is_assumed(profile):
    at = Boundary.FACILITY
    swing = profile.peak_w(at).value - min(part.power_w[at].value for part in profile.parts)
    ramp = profile.ramp_w_per_s(at)
    assert ramp.value == pytest.approx(swing / profile.edge_s.value, rel=1e-9)
    assert ramp.origin is Origin.ASSUMED
    assert ramp.low < ramp.value < ramp.high
    stop = profile.ramp_w_per_s(at, events=True)
    assert stop.value > 0


def test_stops_draw_less_and_lower_the_mean_by_what_they_last(profile):
    at = Boundary.FACILITY
    stalled = profile.failures.inputs["stalled_share"]
    for event in profile.events:
        assert event.power_w[at].value == pytest.approx(stalled.value * profile.mean_w[at].value)
        assert event.power_w[at].origin is Origin.ASSUMED
    lost = sum(profile.failures.shares[name].value for name in ("saving", "restarting", "waiting"))
    lower = 1 - profile.with_events_w[at].value / profile.mean_w[at].value
    assert lower == pytest.approx((1 - stalled.value) * lost, rel=1e-9)


def test_the_derivation_is_the_mean(profile):
    assert profile.terms()[""].value() == pytest.approx(
        profile.mean_w[Boundary.FACILITY].value, rel=1e-12
    )


def test_the_picture_has_units_the_band_and_every_part(profile):
    for panel, axes in zip(panels(profile), Figure().subplots(2), strict=True):
        panel(axes)
        assert axes.get_ylabel() == "power / MW (assumed)"
        assert " / " in axes.get_xlabel()
        labels = axes.get_legend_handles_labels()[1]
        assert any("80 % band" in label for label in labels)
        assert any("mean of the run" in label for label in labels)


def test_a_run_shorter_than_its_first_checkpoint_is_drawn_without_one():
    short = power("glam-mini-16e")
    assert any("sees the mean" in note for note in short.notes)
    panel, axes = panels(short)[1], Figure().subplots()
    panel(axes)
    assert axes.get_xlim()[1] > 0


def test_the_verb_answers_as_json_and_explains(simulator):
    code, out, err = simulator("power", "glam-64b-64e", "--json", "--explain")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert [*answer["boundaries"]] == ["chip", "node", "it", "facility"]
    for at in answer["boundaries"].values():
        assert at["least_mw"]["value"] < at["mean_mw"]["value"] < at["peak_mw"]["value"]
        assert at["ramp_in_step_mw_per_s"]["unit"] == "MW/s"
        assert {quantity["origin"] for quantity in at.values()} <= {"modelled", "assumed"}
    assert answer["explain"]["name"] == "facility power"
    assert answer["assumed"]["edge_s"]["origin"] == "assumed"
