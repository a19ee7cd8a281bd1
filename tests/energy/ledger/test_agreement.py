"""A counter that contradicts the power beside it has a band that holds both, and a note."""

import json
import math
import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.ledger.agreement import widened
from tests.support import ledgers
from tests.support.standin import nvml_environment

GPU = "GPU-0"


def rows(seconds, counter_w, powers, *, checked=True):
    """A ledger of a board whose counter runs at `counter_w`, with a check beside each sample."""
    board = ledgers.domain(GPU, low=0.93, high=1.07)
    yield ledgers.header([board], m=0)
    for second in range(seconds + 1):
        checks = {"w": [powers(second)]} if checked and second else {}
        yield ledgers.sample(second, 1000 + counter_w * second, **checks)
    yield ledgers.end(seconds)


def recorded(folder, *arguments, **options):
    return ledgers.record_of(folder, rows(*arguments, **options))


def test_a_counter_far_below_its_power_has_a_band_that_holds_both_and_a_note(tmp_path):
    record = recorded(tmp_path, 6, 37.5, lambda _: 65.4)
    (entry,) = record.energy
    assert entry.value == pytest.approx(37.5 * 6)
    assert entry.low <= 37.5 * 6 * 0.93
    assert entry.high >= 65.4 * 6 * 1.07
    assert any("0.57 times its power" in note for note in record.notes)


def test_a_counter_far_above_its_power_has_a_band_that_reaches_down_to_it(tmp_path):
    (entry,) = recorded(tmp_path, 6, 200.0, lambda _: 100.0).energy
    assert entry.low <= 600 * 0.93
    assert entry.high == pytest.approx(1200 * 1.07, rel=0.01)


@pytest.mark.parametrize(
    ("seconds", "powers"),
    [(6, lambda _: 330.0), (6, lambda s: 400.0 if s % 2 else 100.0), (3, lambda _: 65.4)],
    ids=["within what sound sensors differ", "a square wave in a few checks", "too few checks"],
)
def test_a_counter_that_may_agree_keeps_its_band(tmp_path, seconds, powers):
    record = recorded(tmp_path, seconds, 300.0, powers)
    assert record.energy[0].high == pytest.approx(300 * seconds * 1.07, rel=0.01)
    assert record.notes == []


def test_a_ledger_without_checks_is_read_as_before(tmp_path):
    record = recorded(tmp_path, 6, 37.5, lambda _: 65.4, checked=False)
    assert record.energy[0].high == pytest.approx(37.5 * 6 * 1.07, rel=0.01)


@pytest.mark.parametrize("seed", range(20))
def test_checks_at_random_moments_do_not_accuse_a_sound_counter(tmp_path, seed):
    """The mean of a load of 20 to 700 W is known only roughly from checks once a second."""
    moments = random.Random(seed)
    record = recorded(tmp_path, 30, 360.0, lambda _: moments.choice([20.0, 700.0]))
    assert record.notes == []


@given(st.floats(0.01, 100), st.floats(0.5, 1), st.floats(1, 1.5))
def test_a_widened_band_holds_the_joules_of_the_counter_and_of_the_power(ratio, low, high):
    band = widened({"low": low, "high": high}, [ratio])
    assert band["low"] <= low
    assert band["high"] >= high
    assert band["low"] * (1 - 1e-9) <= 1 / ratio <= band["high"] * (1 + 1e-9)


def test_a_counter_that_stands_still_has_no_band_without_end():
    assert math.isfinite(widened({"low": 0.93, "high": 1.07}, [0.0])["high"])


@pytest.mark.parametrize(("gain", "noted"), [(0.5734, True), (1.0, False)])
def test_a_run_on_such_a_board_says_what_the_doctor_says(tmp_path, gain, noted, library):
    command = [sys.executable, "-m", "energy", "run", "--meter", "nvml", "--out", tmp_path / "r"]
    run = subprocess.run(
        [*map(str, command), "--", "sleep", "5"],
        env=nvml_environment(library, LOW_W=65.4, HIGH_W=65.4, COUNTER_GAIN=gain),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    record = json.loads((tmp_path / "r" / "record.json").read_text())
    (entry,) = record["energy"]
    truth = 65.4 * record["elapsed_s"]["value"]
    assert entry["low"] <= truth <= entry["high"]
    assert any("times its power" in note for note in record["notes"]) == noted


def test_a_band_that_was_made_to_hold_both_is_not_widened_again():
    band = {"low": 0.93, "high": 1.07 / 0.57}
    assert widened(band, [0.58]) == band
