"""The files in which glam and simulator meet; neither imports the other.

The format of records belongs to `energy.record`. Those of the probe and of the log of metrics stand
twice, where glam writes them and where simulator reads them, so these tests keep the two alike.
"""

import json
from dataclasses import replace

import numpy as np
import pytest

from energy.errors import InputError
from energy.record import Kind
from glam.precision import DTYPES
from glam.training.run import train
from simulator.fit.machine import load_machine
from simulator.fit.probe_rows import (
    OPERATIONS,
    OTHER_OPERATIONS,
    PRECISIONS,
    SCHEMA,
    WIDTHS,
    read_probe,
    timed,
)
from simulator.questions.calibrate.answer import calibrate
from simulator.questions.validate.records import STEP, agreement, pairs, read_records, step_time
from simulator.runs.predict import predict
from simulator.scenarios.expert_load import expert_load
from simulator.scenarios.scenario import check
from simulator.serving.on_machine import passes
from simulator.serving.request import shape_of
from tests.support.small_models import metrics_rows, small_run


def scenario(config, **more):
    """The scenario of a run of the trainer."""
    training = config.training
    run = {"steps": training.steps, "batch_sequences": training.batch_sequences}
    table = {"name": config.name, "model": {"shape": config.shape.as_dict()}, "run": run}
    return check(table | more, "a run of the trainer")


@pytest.fixture(scope="session")
def machine(probe):
    """The machine file that is fitted to the probe."""
    path = probe.with_name("machine.toml")
    calibrate(probe, out=path)
    return path


@pytest.fixture(scope="session")
def prediction(run, machine):
    """What the run would spend on that machine."""
    config, _ = run
    return predict(scenario(config, hardware={"machine": str(machine)}))


def test_every_row_of_a_probe_is_read_as_an_operation_and_every_operation_is_probed(probe):
    table = read_probe(probe)
    rows = timed(table)
    assert table["schema"] == SCHEMA
    others = [row for row in table["rows"] if row["op"] in OTHER_OPERATIONS]
    assert len(rows) + len(others) == len(table["rows"])
    assert {row.name for row in rows} == set(OPERATIONS)
    assert {row["op"] for row in others} == set(OTHER_OPERATIONS)


def test_a_step_of_two_processes_is_predicted_on_a_machine_probed_with_two(run, machine):
    config, _ = run
    plan = {"ep": 2, "micro_batch": 1}
    two = scenario(config, hardware={"machine": str(machine), "count": 2}, plan=plan)
    seconds = predict(two).estimate.step.seconds
    assert seconds["expert_parallel"] > 0
    assert seconds["data_parallel"] > 0
    three = scenario(config, hardware={"machine": str(machine), "count": 3})
    with pytest.raises(InputError, match="at most the 2 processes"):
        predict(three)


def test_answers_are_predicted_on_a_machine_that_was_probed(machine):
    shape = shape_of("glam-mini-16e")[1]
    times = load_machine(machine).answers
    result = passes(shape, times, batch=4, prompt=8, answer=16, spread=1.7)
    assert result.tokens_per_s > 0
    assert min(result.layers, result.weights, result.experts, result.cache) > 0


@pytest.mark.parametrize("name", DTYPES)
def test_the_precision_of_a_probe_is_known_to_the_simulator(name):
    assert WIDTHS[name] == DTYPES[name].itemsize
    assert name in PRECISIONS


def test_a_machine_file_has_the_machine_and_the_watts_of_its_probe(probe, machine):
    table, hardware = read_probe(probe), load_machine(machine).hardware
    assert hardware.name == table["machine"]["name"]
    assert hardware.memory_bytes == table["machine"]["memory_bytes"]
    assert hardware.idle_w == table["power"]["idle_w"]["value"]
    assert hardware.busy_w == table["power"]["busy_w"]["value"]


def test_a_record_of_the_trainer_and_its_prediction_count_the_same_work(run, prediction, tmp_path):
    config, out = run
    prediction.record.save(tmp_path / "record.json")
    ((predicted, measured),) = pairs(read_records([out, tmp_path]))
    assert (predicted.kind, measured.kind) == (Kind.PREDICTED, Kind.MEASURED)
    assert predicted.shape == measured.shape == config.shape.as_dict()
    rows = {row.name: row for row in agreement(predicted, measured).rows}
    for name in ("tokens", "parameters", "active parameters", "model FLOP", "executed FLOP"):
        assert rows[name].error == pytest.approx(0, abs=1e-12), name
    assert {"step time", "elapsed time", "mean power", "node energy"} <= set(rows)


def test_the_trainer_opens_the_windows_that_the_simulator_takes_for_steps(run):
    config, out = run
    (record,) = read_records([out])
    (steps,) = [window for window in record.windows if window.name == STEP]
    assert steps.count == config.training.steps
    assert step_time(record).value == pytest.approx(steps.elapsed_s.value / steps.count)


def test_the_load_of_experts_in_the_log_is_the_imbalance_of_a_scenario(run, machine):
    config, out = run
    load = expert_load(str(out))
    rows = [layer for row in metrics_rows(out) for layer in row["expert_load"]]
    layers = config.training.steps * config.shape.n_moe_layers
    assert load.table.shape == (layers, config.shape.n_experts)
    assert load.table == pytest.approx(np.array(rows))
    named = scenario(config, hardware={"machine": str(machine)}, plan={"expert_load": str(out)})
    assert predict(named).estimate.plan.expert_load.source == load.source


def test_a_log_of_a_dense_model_has_no_load(tmp_path):
    config = small_run(steps=1, checkpoint_every=0)
    dense = replace(config.shape, n_moe_layers=0, n_experts=1, top_k=1, d_expert=0)
    train(replace(config, shape=dense), tmp_path, peak_flop_per_s=1e12)
    with pytest.raises(InputError, match="mixture of experts"):
        expert_load(str(tmp_path))


def test_a_probe_of_another_schema_is_refused_with_the_command_that_writes_one(probe, tmp_path):
    other = tmp_path / "probe.json"
    other.write_text(json.dumps(read_probe(probe) | {"schema": "probe-0"}))
    with pytest.raises(InputError, match="glam probe --out"):
        read_probe(other)
