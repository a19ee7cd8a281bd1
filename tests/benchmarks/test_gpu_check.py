"""The check on a real GPU, against the compiled stand-in; its page says what its records say."""

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import asdict

import pytest

from benchmarks.gpu_check import install, page, records, sensor
from benchmarks.gpu_check.stages import STAGES, Settings, run
from energy.errors import InputError
from energy.meters import sensors
from tests.support import ROOT
from tests.support.standin import nvml_environment

SENSOR = {"DELAY_S": 0.06, "AVERAGE_S": 0.03, "HOLD_S": 0.05, "TICK_S": 0.02}


def checked(*arguments, environment=None):
    """What the command prints as JSON, its messages, and its exit code."""
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu_check", "--json", *map(str, arguments)],
        env={**(environment or os.environ), "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return json.loads(finished.stdout), finished.stderr, finished.returncode


def rehearsed(folder, *arguments, **settings):
    named = {f"STANDIN_{name}": str(value) for name, value in (SENSOR | settings).items()}
    options = ("--rehearse", "--out", folder, *arguments)
    return checked(*options, environment={**os.environ, **named})


def stage(name):
    return next(each for each in STAGES if each.name == name)


def test_the_page_says_what_the_records_of_the_project_say():
    checks = records.load_all(records.FOLDER)
    assert (ROOT / "docs" / "gpu.md").read_text() == page.render(checks)


def test_a_page_without_records_says_in_its_first_line_that_nothing_was_run():
    first, *rest = page.render([]).splitlines()
    assert first == "# On a real GPU: not run"
    for each in STAGES:
        assert f"| {each.name} | {each.title} | not run |" in rest


def test_each_sensor_in_the_records_is_what_its_kept_readings_say():
    for path in records.FOLDER.glob(f"*/{records.SERIES}"):
        check = json.loads(path.with_name(records.CHECK).read_text())
        assert_same_sensor(check, json.loads(path.read_text()))


def assert_same_sensor(check, series):
    values = check["stages"]["sensor"]["values"]
    shown, load = records.replayed(series)
    again, _ = sensor.estimated(shown, load, values["product"]["counter_over_power"])
    for name in ("update_s", "delay_s", "window_s", "tick_s", "counter_delay_s"):
        assert getattr(again, name) == pytest.approx(values["sensor"][name], abs=0.004), name


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a rehearsal of all stages, and the check that it printed."""
    folder = tmp_path_factory.mktemp("check")
    check, messages, code = rehearsed(folder)
    assert code == 0, messages
    return folder, check


@pytest.mark.slow
def test_every_stage_runs_against_the_stand_in(whole):
    _, check = whole
    assert {outcome["state"] for outcome in check["stages"].values()} == {"done"}
    stages = {name: outcome["values"] for name, outcome in check["stages"].items()}
    assert stages["overhead"]["low"] <= stages["overhead"]["relative"]
    assert stages["step"]["mixture"]["eager"]["step_j"]["value"] > 0
    # torch knows the shape of a grouped product in bfloat16 alone.
    mixture = stages["step"]["mixture"]["compiled"]
    assert "grouped" in mixture["why"] if "why" in mixture else mixture["step_s"] > 0
    assert stages["step"]["dense twin"]["compiled"]["step_s"] > 0
    (compared,) = stages["forecast"]["compared"]
    assert compared["name"] == "glam-mini-16e"
    assert compared["predicted_before"]


@pytest.mark.slow
def test_a_whole_check_leaves_records_from_which_page_and_sensor_are_made(whole):
    folder, check = whole
    (place,) = (folder / "records").iterdir()
    assert place.name == f"stand-in-{check['date']}"
    kept = json.loads((place / records.CHECK).read_text())
    assert_same_sensor(kept, json.loads((place / records.SERIES).read_text()))
    drawn = (folder / "gpu.md").read_text()
    assert drawn == page.render(records.load_all(folder / "records"))
    assert drawn.splitlines()[0] == f"# On a real GPU: Stand-in ({check['date']})"
    for name in ("step time", "mixture, eager", "counter over power product"):
        assert name in drawn


@pytest.mark.slow
def test_the_sensor_that_was_measured_is_the_one_the_board_has(whole):
    values = whole[1]["stages"]["sensor"]["values"]
    measured = values["sensor"]
    assert measured["reading"] == "instant"
    assert measured["update_s"] == pytest.approx(SENSOR["HOLD_S"], rel=0.02)
    assert measured["delay_s"] == pytest.approx(SENSOR["DELAY_S"], abs=0.02)
    assert measured["window_s"] == pytest.approx(SENSOR["AVERAGE_S"], abs=0.02)
    assert measured["tick_s"] == pytest.approx(SENSOR["TICK_S"], rel=0.02)
    assert measured["counter_delay_s"] == pytest.approx(0, abs=0.01)
    assert measured["counter_over_power"] == pytest.approx(1, abs=0.03)
    assert values["unread_w"] == pytest.approx(100, rel=0.1)


@pytest.mark.slow
def test_the_meter_of_the_board_reads_the_sensor_file_of_the_check(whole, monkeypatch):
    folder, check = whole
    measured = check["stages"]["sensor"]["values"]["sensor"]
    boards, note = sensors.load(folder / "config" / "glam-energy" / "sensors.json")
    assert (asdict(boards["Stand-in"]), note) == (measured, "")
    reads = "from energy.meters.nvml import Nvml; print(Nvml().probe()[0].lag_s)"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    lag = subprocess.run(
        [sys.executable, "-c", reads],
        env=nvml_environment(folder / "libnvidia-ml.so.1", NO_COUNTER=1),
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(lag.stdout) == pytest.approx(measured["delay_s"] + measured["window_s"])


@pytest.mark.slow
def test_a_board_without_a_counter_is_measured_by_its_power_alone(tmp_path):
    check, messages, code = rehearsed(tmp_path, "--only", "sensor", NO_COUNTER=1, NO_FIELDS=1)
    assert code == 0, messages
    values = check["stages"]["sensor"]["values"]
    assert values["sensor"]["reading"] == "power"
    assert values["sensor"]["tick_s"] == values["sensor"]["counter_over_power"] == 0
    assert values["unread_w"] is None
    assert values["idle"]["counter_over_power"] is None
    assert not (tmp_path / "records").exists()  # it was not a whole check


def test_without_a_driver_the_stages_are_listed_as_not_run(tmp_path):
    names = [each.name for each in STAGES if each.name != "doctor"]
    only = [word for name in names for word in ("--only", name)]
    check, messages, code = checked("--out", tmp_path, *only)
    assert code == 4
    outcomes = check["stages"]
    assert list(outcomes) == names
    assert {outcome["state"] for outcome in outcomes.values()} == {"not run"}
    assert all(outcome["why"] for outcome in outcomes.values())
    assert "none for driver, sensor, overhead, step, forecast" in messages
    assert "Traceback" not in messages


def settings_with_stand_in(library, folder, monkeypatch, **settings):
    """Settings of a rehearsal in this process, whose load is announced to a file in a folder."""
    environment = nvml_environment(library, LOAD=folder / "load.txt", **settings)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings(str(folder), device="cpu", short=True, load=str(folder / "load.txt"))


def test_a_stage_that_is_late_keeps_what_it_has_measured(library, tmp_path, monkeypatch):
    settings = settings_with_stand_in(library, tmp_path, monkeypatch)
    outcome = run(stage("sensor"), settings, 10.0, lambda name, words: None)
    assert (outcome.state, outcome.why) == ("late", "not done after 10 s")
    assert outcome.values["board"] == "Stand-in"
    assert "sensor" not in outcome.values


def test_a_stage_that_fails_says_why_in_a_line(library, tmp_path, monkeypatch):
    settings = settings_with_stand_in(library, tmp_path, monkeypatch)
    (tmp_path / "load.txt").mkdir()
    outcome = run(stage("sensor"), settings, 60.0, lambda name, words: None)
    assert outcome.state == "failed"
    assert outcome.why.startswith("IsADirectoryError: ")
    assert "Traceback" in (tmp_path / "sensor.log").read_text()


def test_what_the_driver_does_not_say_is_left_out(library, tmp_path, monkeypatch):
    settings = settings_with_stand_in(library, tmp_path, monkeypatch, LIMIT_W=350)
    outcome = run(stage("driver"), settings, 60.0, lambda name, words: None)
    board = outcome.values["board"]
    assert board["power_limits_w"] == [100.0, 350.0]
    assert "power_profiles" not in board
    assert f"limit {board['power_limit_w']:.0f} W of " in page.summary("driver", outcome.values)
    del board["sm_mhz"], board["mig"]
    assert "SM unknown MHz of " in page.summary("driver", outcome.values)
    assert "MIG unknown" in page.summary("driver", outcome.values)


def test_a_broken_record_is_named(tmp_path):
    (tmp_path / "board-2026-12-01").mkdir()
    (tmp_path / "board-2026-12-01" / records.CHECK).write_text('{"schema": "gpu-check-0"}')
    with pytest.raises(InputError, match=r"expected a check of schema gpu-check-1 in .*board-2026"):
        records.load_all(tmp_path)


def wheel(folder, name):
    """A wheel of a package that has one module of the same name."""
    info = f"{name}-1.0.dist-info"
    tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as file:
        file.writestr(f"{name}.py", "answer = 42\n")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        file.writestr(f"{info}/WHEEL", tags)
        file.writestr(f"{info}/RECORD", "")


def test_what_a_python_lacks_is_installed_from_wheels_beside_what_it_has(tmp_path):
    (tmp_path / "wheels").mkdir()
    wheel(tmp_path / "wheels", "onlyhere")
    names = ["onlyhere==1.0", *install.requirements()]
    python = install.install(names, tmp_path / "wheels", tmp_path / "environment")
    code = "import numpy, onlyhere; print(onlyhere.answer)"
    printed = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout == "42\n"


def test_a_package_that_is_neither_there_nor_a_wheel_is_named(tmp_path):
    (tmp_path / "wheels").mkdir()
    with pytest.raises(InputError, match=r"got No matching distribution .* onlyhere"):
        install.install(["onlyhere==1.0"], tmp_path / "wheels", tmp_path / "environment")


def test_no_folder_is_replaced_that_is_not_a_virtual_environment(tmp_path):
    (tmp_path / "work.txt").write_text("precious")
    with pytest.raises(InputError, match="expected a new folder or a virtual environment"):
        install.install([], tmp_path, tmp_path)
    with pytest.raises(InputError, match="expected a folder of wheels"):
        install.install([], tmp_path / "none", tmp_path / "environment")
    assert (tmp_path / "work.txt").read_text() == "precious"
