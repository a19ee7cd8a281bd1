"""Every layout of two processes trains as one process does, and reads the others' checkpoints."""

import json

import pytest

from benchmarks.distributed.messages import expected
from tests.support.launch import torchrun

TOLERANCE = 1e-6
LAYOUTS = {"data", "FSDP2", "expert", "expert + FSDP2"}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layouts")
    worker = "benchmarks.distributed.worker"
    run = torchrun(2, worker, "--steps", 4, "--recipes", "adafactor", "--out", "o", cwd=folder)
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]


@pytest.mark.process
def test_two_processes_have_loss_and_gradient_norm_of_one_in_every_layout(rows):
    cases = {(row["model"], row["dispatch"], row["layout"]) for row in rows}
    assert {layout for _, _, layout in cases} == LAYOUTS
    assert {("dense", "dropless", "FSDP2"), ("mixture", "gshard", "expert + FSDP2")} <= cases
    for row in rows:
        assert row["loss"] < TOLERANCE, row
        assert row["gradient_norm"] < TOLERANCE, row
        assert row["steps_with_other_experts"] == [], row


@pytest.mark.process
def test_a_checkpoint_is_bit_equal_once_another_layout_has_read_and_written_it(rows):
    assert all(row["rewritten_bit_equal"] for row in rows)


@pytest.mark.process
def test_the_bytes_of_every_message_are_those_of_the_simulators_formulas(rows):
    for row in rows:
        assert row["bytes_of_messages"] == expected(row), row
