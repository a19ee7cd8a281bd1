"""`energy run`, `doctor`, `verify` and `record` from the shell."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support import unmeasured_environment
from tests.support.standin import nvml_environment

ENERGY = [sys.executable, "-m", "energy"]


def energy(*arguments, **options):
    return subprocess.run(
        [*ENERGY, *map(str, arguments)], capture_output=True, text=True, timeout=60, **options
    )


def test_output_and_exit_code_pass_through_and_the_record_is_written(tmp_path):
    run = energy(
        "run",
        "--out",
        tmp_path / "r",
        "--label",
        "task=demo",
        "--interval",
        "0.1",
        "--",
        sys.executable,
        "-c",
        "print('hello'); raise SystemExit(7)",
    )
    assert (run.returncode, run.stdout) == (7, "hello\n")
    record = json.loads((tmp_path / "r" / "record.json").read_text())
    assert record["labels"]["task"] == "demo"
    assert record["environment"]["exit_code"] == 7
    assert record["totals"]["chip"]["value"] > 0
    assert record["co2_location_g"]["value"] > 0


def test_a_series_that_covers_the_run_gives_its_hours_and_one_that_does_not_a_note(tmp_path):
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    for name, first in (("now.csv", -2), ("past.csv", -9)):
        times = [(hour + timedelta(hours=first + n)).isoformat() for n in range(6)]
        (tmp_path / name).write_text("time,g_per_kwh\n" + "".join(f"{t},250\n" for t in times))
    series = ["--location-series", tmp_path / "now.csv"]
    run = energy("run", "--out", tmp_path / "r", *series, "--market", "20", "--", "true")
    assert run.returncode == 0, run.stderr
    record = json.loads((tmp_path / "r" / "record.json").read_text())
    by_hour, market = (record[f"co2_{name}_g"]["value"] for name in ("location_hourly", "market"))
    assert by_hour == pytest.approx(250 / 20 * market)
    late = ["--market-series", tmp_path / "past.csv"]
    run = energy("run", "--out", tmp_path / "s", *late, "--", "true")
    assert "no CO2e hour by hour: expected past.csv to cover the run" in run.stderr
    run = energy(
        "run", "--out", tmp_path / "t", "--location-series", "none.csv", "--", "echo", "ran"
    )
    assert (run.returncode, run.stdout) == (2, "")


def test_only_the_chosen_meter_is_read(tmp_path):
    (tmp_path / "wave.csv").write_text("t_s,device,watts\n0,board,100\n")
    run = energy(
        "run",
        "--out",
        tmp_path / "r",
        "--meter",
        f"replay:{tmp_path / 'wave.csv'}",
        "--",
        "sleep",
        "0.5",
    )
    assert run.returncode == 0, run.stderr
    (entry,) = json.loads((tmp_path / "r" / "record.json").read_text())["energy"]
    assert entry["device"] == "board"
    assert entry["origin"] == "modelled"


def test_the_ledger_of_a_killed_run_becomes_its_record(tmp_path):
    folder = tmp_path / "r"
    run = subprocess.Popen(
        [*ENERGY, "run", "--out", str(folder), "--interval", "0.1", "--", "sleep", "5"],
        stderr=subprocess.DEVNULL,
    )
    ledger, until = folder / "ledger.jsonl", time.monotonic() + 30
    while not ledger.exists() or ledger.read_text().count('"k":"s"') < 5:
        assert time.monotonic() < until
        time.sleep(0.05)
    run.kill()
    run.wait()
    time.sleep(0.3)
    assert not (folder / "record.json").exists()
    rebuilt = energy("record", folder, "--json")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert json.loads(rebuilt.stdout)["totals"]["chip"]["value"] > 0
    assert energy("verify", folder).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--label", "x", "--", "true"], "key=value"),
        (["run", "--meter", "nvlm", "--", "true"], "expected a meter; got nvlm; one of: nvml, amd"),
        (["verify", "/no/such/folder"], "expected a ledger"),
        (["record", "/no/such/folder"], "expected a ledger"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, arguments, words):
    run = energy(*arguments, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(Path.cwd())})
    assert run.returncode == 2
    assert len(run.stderr.splitlines()) == 1
    assert words in run.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("program", "content", "mode", "code", "words"),
    [
        ("no-such-program", None, 0, 127, "check its name and PATH"),
        ("--nmae", None, 0, 2, "expected an option of energy run"),
        ("train.py", "print(1)", 0o644, 127, "not in PATH: python ./train.py"),
        ("./train.py", "print(1)", 0o644, 126, "-rw-r--r--); chmod +x ./train.py, or name its"),
        ("./data", "1,2", 0o600, 126, "permission to execute it (x); got ./data (-rw-------)"),
        ("./", None, 0, 126, "expected a program to run; got the folder ./"),
        ("./bare", "echo hi", 0o755, 126, "first line #!INTERPRETER"),
        ("./lost", "#!/no/such/interpreter\n", 0o755, 126, "the interpreter in the first line"),
    ],
)
def test_a_command_that_cannot_start_exits_as_in_a_shell_and_leaves_nothing(
    tmp_path, program, content, mode, code, words
):
    if content is not None:
        (tmp_path / program).write_text(content)
        (tmp_path / program).chmod(mode)
    before = list(tmp_path.iterdir())
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    run = energy("run", "--out", "runs/first", "--", program, cwd=tmp_path, env=environment)
    assert (run.returncode, run.stdout, len(run.stderr.splitlines())) == (code, "", 1)
    assert words in run.stderr
    assert list(tmp_path.iterdir()) == before


def test_a_second_run_does_not_write_into_the_ledger_of_the_first(tmp_path):
    assert energy("run", "--out", tmp_path, "--", "true").returncode == 0
    again = energy("run", "--out", tmp_path, "--", "true")
    assert again.returncode == 2
    assert "without a ledger" in again.stderr


def test_the_doctor_names_every_meter_with_boundary_origin_and_reason():
    rows = json.loads(energy("doctor", "--seconds", "0.2", "--json").stdout)["meters"]
    for row in rows:
        assert {"name", "found", "boundary", "origin", "why"} <= set(row)
        assert row["found"] or row["why"]
    origins = {row["origin"] for row in rows if row["found"]}
    assert origins <= {"measured", "modelled", "assumed"}


def test_the_doctor_tries_a_meter_that_is_named():
    command = 'cmd:sh -c "while sleep 0.1; do echo 42; done"'
    (row,) = json.loads(energy("doctor", "--meter", command, "--json").stdout)["meters"]
    assert (row["name"], row["boundary"], row["found"]) == ("sh", "node", True)
    assert row["watts"] == pytest.approx(42, rel=1e-3)
    wrong = energy("doctor", "--meter", "nosuch")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "cmd:PROGRAM" in wrong.stderr


def test_a_run_that_is_to_wait_meters_what_the_command_leaves_behind_until_it_ends(tmp_path):
    daemon = "(sleep 1.5; echo late) & exit 3"
    start = time.monotonic()
    options = ("--out", tmp_path / "r", "--interval", "0.1", "--wait")
    run = energy("run", *options, "--", "sh", "-c", daemon)
    assert (run.returncode, run.stdout) == (3, "late\n")
    assert time.monotonic() - start > 1.5
    assert "waiting for what the command left running: " in run.stderr
    record = json.loads((tmp_path / "r" / "record.json").read_text())
    assert record["elapsed_s"]["value"] > 1.4


def test_a_run_ends_with_its_command_and_names_what_runs_on(tmp_path):
    left = "sleep 300 >/dev/null 2>&1 & echo $!; exit 3"
    run = energy("run", "--out", tmp_path / "r", "--", "sh", "-c", left)
    pid = int(run.stdout)
    try:
        assert run.returncode == 3
        (note,) = json.loads((tmp_path / "r" / "record.json").read_text())["notes"]
        assert note.startswith(
            f"still running after the command, and no longer metered: {pid} (sle"
        )
        assert f"note: {note}" in run.stderr
        os.kill(pid, 0)  # it was left alone
    finally:
        os.kill(pid, signal.SIGKILL)


def test_the_last_line_has_kwh_grams_and_duration(tmp_path):
    options = ("--out", tmp_path / "r", "--meter", f"replay:{tmp_path / 'wave.csv'}")
    (tmp_path / "wave.csv").write_text("t_s,device,watts\n0,board,360000\n")
    run = energy("run", *options, "--zone", "FRA", "--pue", "1", "--", "sleep", "1")
    record = json.loads((tmp_path / "r" / "record.json").read_text())
    kwh, facility, grams, took = re.split(r", (?=\d)", run.stderr.splitlines()[-1])
    assert float(kwh.removesuffix(" kWh (chip, modelled)")) == pytest.approx(
        record["totals"]["chip"]["value"] / 3.6e6, rel=0.01
    )
    assert facility.endswith(" kWh (facility, assumed)")
    assert float(grams.split()[0]) == pytest.approx(record["co2_location_g"]["value"], rel=0.01)
    assert " g CO2e (80 %: " in grams
    assert grams.endswith("; zone FRA)")
    assert float(took.removesuffix(" s")) == pytest.approx(record["elapsed_s"]["value"], rel=0.01)


def test_the_doctor_compares_a_counter_with_its_power(library):
    environment = nvml_environment(library, LOW_W=300, HIGH_W=300)
    report = json.loads(energy("doctor", "--seconds", "2", "--json", env=environment).stdout)
    (board,) = [row for row in report["meters"] if row["meter"] == "nvml"]
    assert board["counter_over_power"] == pytest.approx(1, abs=0.08)
    assert board["tick_s"] == 0.1
    assert board["watts"] == pytest.approx(300, rel=0.08)


@pytest.mark.parametrize("stream", ["2>/dev/full", "2>&-", "2>&1 >/dev/null | true"])
def test_the_exit_code_passes_through_whatever_becomes_of_stderr(tmp_path, stream):
    words = shlex.join([*ENERGY, "run", "--out", str(tmp_path / "r"), "--", "sh", "-c", "exit 7"])
    code = tmp_path / "code"
    subprocess.run(["sh", "-c", f"{{ {words}; echo $? >{code}; }} {stream}"], timeout=60)
    assert code.read_text() == "7\n"
    assert (tmp_path / "r" / "record.json").exists()


def test_the_exit_code_passes_through_where_the_record_cannot_be_written(tmp_path):
    # As on a full disk, and without one: no file of more than 8 kB; the record is larger.
    words = shlex.join([*ENERGY, "run", "--out", str(tmp_path / "r"), "--", "sh", "-c", "exit 7"])
    run = subprocess.run(
        ["sh", "-c", f"ulimit -f 16; {words}"],
        capture_output=True,
        text=True,
        env=unmeasured_environment(),
    )
    assert run.returncode == 7
    assert run.stderr.startswith("no record of this run: expected to write ")
    assert len(run.stderr.splitlines()) == 1
    assert [path.name for path in (tmp_path / "r").iterdir()] == ["ledger.jsonl"]
    assert energy("record", tmp_path / "r").returncode == 0
