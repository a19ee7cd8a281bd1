"""Killed and stopped processes: the run goes on, and what hangs is named; errors are one line."""

import json
import subprocess
import sys

import pytest

from benchmarks.distributed.launch import environment
from benchmarks.tiny import MIXTURE_TOML
from tests.support.launch import torchrun

RUN = f'name = "tiny"\n{MIXTURE_TOML}[training]\nsteps = 4\nbatch_sequences = 4\ndevice = "cpu"\n'


@pytest.mark.slow
@pytest.mark.process
def test_a_run_whose_process_is_killed_or_hangs_ends_as_an_uninterrupted_one(tmp_path):
    options = ("--kills", "1", "--hangs", "2", "--steps", "30", "--timeout", "20", "--grace", "60")
    module = "benchmarks.distributed.restarts"
    run = subprocess.run(
        [sys.executable, "-m", module, *options, "--json"],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert run.stdout, run.stderr
    results = json.loads(run.stdout)
    assert all(results["checks"].values()), results
    assert run.returncode == 0, run.stderr
    assert 0 < results["wasted_j"] < results["energy_j"]
    hangs = [end for end in results["ends"] if end["how"] != "killed"]
    assert {end["how"] for end in hangs} == {"stopped", "asleep"}
    assert all(end["named"] == end["rank"] for end in hangs)


@pytest.mark.process
def test_degrees_that_do_not_fit_are_one_line_of_the_first_process_and_all_end(tmp_path):
    (tmp_path / "run.toml").write_text(RUN)
    command = ("glam", "train", "--model", "run.toml", "--out", "out", "--expert-parallel", 3)
    run = torchrun(2, *command, cwd=tmp_path)
    assert run.returncode != 0
    (line,) = (line for line in run.stderr.splitlines() if line.startswith("error:"))
    assert "to be the 2 processes; got 3 x 1; choose --expert-parallel from 1, 2" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.process
def test_processes_that_do_not_meet_end_in_time_with_one_line(tmp_path, monkeypatch):
    (tmp_path / "run.toml").write_text(RUN)
    where = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "9"}
    for name, value in where.items():
        monkeypatch.setenv(name, value)
    arguments = ["train", "--model", "run.toml", "--out", "out", "--timeout", "2"]
    run = subprocess.run(
        [sys.executable, "-m", "glam", *arguments],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert run.returncode == 2, run.stderr
    (line,) = (line for line in run.stderr.splitlines() if line.startswith("error:"))
    assert "expected 2 processes to meet at 127.0.0.1:9 within 2 s" in line
    assert "Traceback" not in run.stderr


@pytest.mark.slow
@pytest.mark.process
def test_checkpoints_of_any_number_of_processes_are_read_by_others_and_survive_a_kill(tmp_path):
    module = "benchmarks.distributed.checkpoints"
    run = subprocess.run(
        [sys.executable, "-m", module, "--steps", "5", "--kills", "1", "--json"],
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert run.returncode == 0, run.stderr
    results = json.loads(run.stdout)
    assert [(row["written_by"], row["read_by"]) for row in results["readings"]] == [
        (4, 2),
        (2, 1),
        (1, 2),
        (2, 4),
    ]
    assert all(row["bit_equal"] and row["loss"] <= 1e-6 for row in results["readings"])
    assert all(kill["passed"] for kill in results["kills"])
