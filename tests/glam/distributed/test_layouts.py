"""Every layout of two processes trains as one process does, and reads the others' checkpoints."""

import json

import pytest

from benchmarks.distributed.worker import MICRO_BATCHES, SEQUENCES, SHAPES
from simulator.physics.plan import Plan
from simulator.physics.traffic import slots, stage_parameters
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


def plan_of(row):
    """The plan of the simulator for a row of the benchmark."""
    expert, data = map(int, row["degrees"].split(" x "))
    return Plan(
        n_chips=row["ranks"],
        ep=expert,
        zero=3 if "FSDP2" in row["layout"] else 0,
        global_batch=SEQUENCES,
        micro_batch=SEQUENCES // MICRO_BATCHES // row["ranks"],
        activation_bytes=4,
        capacity_factor=1.25 if row["dispatch"] == "gshard" else 1.0,
    ), data


@pytest.mark.process
def test_the_bytes_of_every_message_are_those_of_the_simulators_table(rows):
    for row in rows:
        shape = SHAPES[row["model"]]
        plan, data = plan_of(row)
        experts, rest = (4 * parameters for parameters in stage_parameters(shape, plan))
        spread = rest + (experts if data > 1 else 0)
        layers, n_experts = int(shape.n_moe_layers), int(shape.n_experts) if experts else 0
        # Left out by the simulator: loads, losses and statistics, and the norm of gradients.
        small = 4 * (4 + layers * (6 + n_experts))
        if row["dispatch"] == "dropless":
            small += MICRO_BATCHES * layers * 4 * n_experts
        expected = {"all-reduce float32": small, "all-reduce float64": 8}
        if plan.zero == 0:
            expected["all-reduce float32"] += spread
        else:
            expected["all-gather float32"] = MICRO_BATCHES * 2 * spread
            expected["reduce-scatter float32"] = MICRO_BATCHES * spread
        if plan.ep > 1:
            sent = slots(shape, plan)
            expected["all-to-all float32"] = MICRO_BATCHES * sent.count * sent.bytes
        if plan.ep > 1 and row["dispatch"] == "dropless":
            expected["all-to-all int64"] = MICRO_BATCHES * layers * 8 * n_experts
        assert row["bytes_of_messages"] == expected, row
