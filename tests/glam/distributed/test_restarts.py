"""Killed and stopped processes: the run goes on, and what hangs is named; errors are one line."""

import json
import subprocess
import sys

import pytest


def benchmark(name, *options):
    """A benchmark of several processes, as one JSON object on stdout."""
    return subprocess.run(
        [sys.executable, "-m", f"benchmarks.distributed.{name}", *options, "--json"],
        capture_output=True,
        text=True,
        timeout=1200,
    )


@pytest.mark.slow
@pytest.mark.process
def test_a_run_whose_process_is_killed_or_hangs_ends_as_an_uninterrupted_one(tmp_path):
    options = ("--kills", "1", "--hangs", "2", "--steps", "30", "--timeout", "20", "--grace", "60")
    run = benchmark("restarts", *options)
    assert run.stdout, run.stderr
    results = json.loads(run.stdout)
    assert all(results["checks"].values()), results
    assert run.returncode == 0, run.stderr
    assert 0 < results["wasted_j"] < results["energy_j"]
    hangs = [end for end in results["ends"] if end["how"] != "killed"]
    assert {end["how"] for end in hangs} == {"stopped", "asleep"}
    assert all(end["named"] == end["rank"] for end in hangs)


@pytest.mark.process
@pytest.mark.parametrize(
    "mistake",
    [
        "degrees of other processes",
        "no text for rank 1",
        "another seed on rank 1",
        "a disk of its own for rank 1",
        "no process at the address",
    ],
)
def test_a_run_that_is_started_wrongly_is_one_line_of_one_process_and_all_end(mistake):
    run = benchmark("mistakes", "--only", mistake)
    (row,) = json.loads(run.stdout)
    assert row["passed"], row
    assert row["tracebacks"] == row["processes_left"] == run.returncode == 0


@pytest.mark.slow
@pytest.mark.process
def test_boards_that_processes_share_count_once_in_the_record_and_while_it_runs():
    run = benchmark("shared_boards", "--only", "4x2")
    (row,) = json.loads(run.stdout)
    assert row["passed"], row


@pytest.mark.slow
@pytest.mark.process
def test_checkpoints_of_any_number_of_processes_are_read_by_others_and_survive_a_kill(tmp_path):
    run = benchmark("checkpoints", "--steps", "5", "--kills", "1")
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
