"""Processes that share a machine: what their probe says, and what follows for a step."""

from __future__ import annotations

from typing import Any

import pytest

from energy.errors import InputError
from simulator.fit.machine import load_machine, save_machine
from simulator.fit.probe import calibrate
from simulator.fit.shared_machine import HALVES, SharedMachine
from simulator.physics.collectives import group
from simulator.runs.predict import predict
from simulator.scenarios.scenario import check
from tests.simulator.fit.test_probe import probe

RATE, HOP_S = 2e9, 1e-3
SHARDED_RATE, SHARDED_HOP_S = 5e8, 2e-3
"""Of messages, and of those of layers of which the weights are sharded."""

SLOWER = {1: (1.0, 1.0, 1.0), 2: (1.25, 1.5, 1.1), 4: (2.25, 3.0, 2.5)}
"""Of products, memory and whole layers, by processes: two cores, which four share."""

SHAPE = {
    "n_layers": 4,
    "d_model": 256,
    "n_heads": 4,
    "n_kv_heads": 4,
    "d_head": 64,
    "d_ff": 1024,
    "ffn_matrices": 3,
    "vocab_size": 4096,
    "seq_len": 256,
    "n_moe_layers": 2,
    "n_experts": 8,
    "top_k": 2,
    "d_expert": 1024,
    "expert_matrices": 2,
}


def rows() -> list[dict[str, Any]]:
    together = [
        {"op": "together", "work": work, "processes": count, "seconds": 0.01 * slower}
        for count, each in SLOWER.items()
        for work, slower in zip(("product", "stream", "layers"), each, strict=True)
    ]
    sharded = [
        {
            "op": "sharded_layer",
            "processes": count,
            "bytes": size,
            "seconds": 3
            * (size * (count - 1) / count / SHARDED_RATE + (count - 1) * SHARDED_HOP_S),
        }
        for count in (2, 4)
        for size in (2**17, 2**19, 2**21)
    ]
    return (
        together
        + sharded
        + [
            {
                "op": "message",
                "kind": kind,
                "processes": count,
                "bytes": size,
                "seconds": halves * (size * (count - 1) / count / RATE + (count - 1) * HOP_S),
            }
            for count in (2, 4)
            for size in (2**12, 2**20, 2**23)
            for kind, halves in HALVES.items()
        ]
    )


def several() -> dict[str, Any]:
    alone = probe()
    return alone | {"rows": alone["rows"] + rows()}


@pytest.fixture
def machine(tmp_path):
    save_machine(calibrate(several()), tmp_path / "machine.toml")
    return tmp_path / "machine.toml"


def step(machine, count, **plan):
    hardware = {"machine": str(machine), "count": count}
    run = {"steps": 1, "batch_sequences": 8}
    model = {"shape": SHAPE}
    plan = {"micro_batch": 8 // count} | plan
    table = {"name": "s", "model": model, "run": run, "hardware": hardware, "plan": plan}
    return predict(check(table, "a scenario")).estimate.step


def test_slowdowns_and_the_speed_of_messages_are_recovered_from_a_probe():
    shared = SharedMachine.of_probe(several())
    assert shared is not None
    messages = (RATE, HOP_S, SHARDED_RATE, SHARDED_HOP_S)
    assert shared.counts == (
        pytest.approx((2, 1.25, 1.5, *messages), rel=1e-6),
        # Whole layers, which wait for the slowest process, are slower than their products.
        pytest.approx((4, 2.5, 3.0, *messages), rel=1e-6),
    )


def test_a_probe_and_a_machine_file_of_former_versions_have_one_kind_of_message():
    former = several()
    kept = [r for r in former["rows"] if r["op"] != "sharded_layer" and r.get("work") != "layers"]
    shared = SharedMachine.of_probe(former | {"rows": kept})
    assert shared.counts[1] == pytest.approx((4, 2.25, 3.0, RATE, HOP_S, RATE, HOP_S), rel=1e-6)
    assert SharedMachine.of([row[:5] for row in shared.counts]) == shared


def test_a_message_takes_as_long_as_the_probe_says():
    alone = calibrate(several())
    hardware, constants = alone.shared.at(4, alone.hardware, alone.constants)
    four = group(4, 1, hardware, constants)
    assert four.all_reduce_s(2**23) == pytest.approx(2 * (2**23 * 0.75 / RATE + 3 * HOP_S))
    assert four.all_to_all_s(2**23) == pytest.approx(2**23 * 0.75 / RATE + 3 * HOP_S)


def test_a_layer_of_sharded_weights_takes_as_long_as_the_probe_says():
    alone = calibrate(several())
    hardware, constants = alone.shared.at(4, alone.hardware, alone.constants, sharded=True)
    gathered_s = group(4, 1, hardware, constants).all_gather_s(2**21)
    assert 3 * gathered_s == pytest.approx(
        3 * (2**21 * 0.75 / SHARDED_RATE + 3 * SHARDED_HOP_S), rel=1e-6
    )


def test_processes_that_share_all_cores_compute_no_faster_than_fewer(machine):
    alone, two, four = (step(machine, count, zero=0) for count in (1, 2, 4))
    work = [sum(s.seconds[name] for name in ("dense_ffn", "experts")) for s in (alone, two, four)]
    assert work[1] == pytest.approx(work[0] / 2 * 1.25, rel=0.1)
    assert work[2] > 0.95 * work[1]


def test_each_layer_of_shards_waits_for_its_messages(machine):
    data, shards = (step(machine, 2, zero=zero).seconds["data_parallel"] for zero in (0, 3))
    assert shards > 3 * (SHAPE["n_layers"] + 1) * SHARDED_HOP_S
    assert shards > data


def test_memory_and_watts_of_a_machine_are_shared(machine):
    alone = load_machine(machine)
    hardware, _ = alone.shared.at(4, alone.hardware, alone.constants)
    assert hardware.memory_bytes == alone.hardware.memory_bytes / 4
    assert 4 * hardware.idle_w == alone.hardware.idle_w
    busy = alone.hardware.busy_w - alone.hardware.idle_w
    assert 4 * hardware.busy_w == pytest.approx(alone.hardware.idle_w + 4 / 2.5 * busy)


def test_more_processes_than_were_probed_are_refused_with_the_command(machine, tmp_path):
    with pytest.raises(InputError, match=r"at most the 4 processes.*--processes N.*N of 8"):
        step(machine, 8)
    save_machine(calibrate(probe()), tmp_path / "alone.toml")
    with pytest.raises(InputError, match="2 processes to be probed with several"):
        step(tmp_path / "alone.toml", 2)


@pytest.mark.parametrize("counts", [[[2, 1, 1, 1]], [[2, 1, 1, 1, -1]], "x", [[2, 1, 1, 1, 1]] * 2])
def test_damaged_rows_of_a_machine_file_are_refused(machine, counts):
    with pytest.raises(InputError, match="whole rows of several processes"):
        SharedMachine.of(counts)
    assert load_machine(machine).shared == calibrate(several()).shared


def test_a_probe_without_the_alone_row_is_refused():
    lacking = several()
    kept = [row for row in lacking["rows"] if row.get("processes") != 1]
    with pytest.raises(InputError, match="whole rows of several processes"):
        calibrate(lacking | {"rows": kept})
