"""Limits, clocks, temperature and what slowed a board down stand in the record of a run."""

import json
import subprocess
import sys

import pytest

from energy.ledger.devices import Devices
from tests.support.standin import nvml_environment

GPU = "GPU-stand-in-0"


def devices(library, folder, **settings):
    """`environment.devices` of a short run."""
    command = [sys.executable, "-m", "energy", "run", "--meter", "nvml", "--out", str(folder)]
    run = subprocess.run(
        [*command, "--", "sleep", "0.8"],
        env=nvml_environment(library, **settings),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return json.loads((folder / "record.json").read_text())["environment"]["devices"]


def test_a_record_has_the_settings_of_every_board(library, tmp_path):
    states = devices(library, tmp_path, DEVICES=2, LIMIT_W=500, TEMPERATURE_C=61)
    assert set(states) == {GPU, "GPU-stand-in-1"}
    assert states[GPU]["power_limit_w"] == 500
    assert states[GPU]["sm_mhz"] == states[GPU]["sm_greatest_mhz"] == 1500
    assert states[GPU]["temperature_c"] == 61
    assert states[GPU]["persistence_mode"] is True
    assert "slowed_by" not in states[GPU]
    assert "power_profiles" not in states[GPU]


def test_a_board_at_its_power_limit_says_so_and_for_how_long(library, tmp_path):
    state = devices(library, tmp_path, SLOWED=4 + 32)[GPU]
    assert state["slowed_by"] == ["power limit", "temperature (driver)"]
    assert 0 < state["slowed_power_s"] < 2
    assert state["slowed_thermal_s"] == 0


def joined(*states):
    added = Devices()
    for second, state in enumerate(states):
        added.add({"m": second * 10**9, "devices": {GPU: state}})
    return added.as_dict()[GPU]


def test_what_changed_has_a_start_and_an_end_and_what_did_not_stands_once():
    state = joined(
        {"sm_mhz": 1980, "power_limit_w": 700.0, "temperature_c": 40},
        {"sm_mhz": 1200, "power_limit_w": 700.0, "temperature_c": 80},
    )
    assert state == {
        "power_limit_w": 700.0,
        "start": {"sm_mhz": 1980, "temperature_c": 40},
        "end": {"sm_mhz": 1200, "temperature_c": 80},
    }


def test_all_that_slowed_a_board_down_is_kept_and_counted_times_are_those_of_the_run():
    state = joined(
        {"slowed_by": ["idle"], "slowed_power_s": 1000.0},
        {"slowed_by": ["power limit"], "slowed_power_s": 1003.0},
        {"slowed_by": ["idle"], "slowed_power_s": 1005.5},
    )
    assert state == {"slowed_power_s": 5.5, "slowed_by": ["idle", "power limit"]}


def test_a_driver_that_was_loaded_again_has_slowed_nothing_for_less_than_no_time():
    assert joined({"slowed_power_s": 1000.0}, {"slowed_power_s": 2.0})["slowed_power_s"] == 0


@pytest.mark.parametrize(
    ("begin_s", "end_s", "clocks"), [(0, 9, (0, 3)), (1.5, 2.5, (1, 2)), (5, 9, (3, 3))]
)
def test_a_rank_that_came_later_has_the_states_of_its_own_time(begin_s, end_s, clocks):
    node = Devices((float(i), {GPU: {"sm_mhz": i, "slowed_by": [str(i)]}}) for i in range(4))
    own = node.between(begin_s, end_s).as_dict()[GPU]
    sm_mhz = own.get("sm_mhz")
    changed = (own.get("start", {}).get("sm_mhz"), own.get("end", {}).get("sm_mhz"))
    assert (changed if sm_mhz is None else (sm_mhz, sm_mhz)) == clocks
    assert own["slowed_by"] == [str(i) for i in range(clocks[0], clocks[1] + 1)]
