"""Calibration recovers the constants that made a probe, and names what no row shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from energy.errors import InputError
from simulator.fit.machine import load_machine, save_machine
from simulator.fit.probe import calibrate
from simulator.fit.probe_rows import OPERATIONS, read_probe, timed
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware

TRUTH = Constants(
    eff_max=0.9,
    m_half=20,
    n_half=40,
    k_half=60,
    grouped_efficiency=0.7,
    group_s=2e-6,
    batched_efficiency=0.6,
    memory_efficiency=0.7,
    loss_efficiency=0.5,
    adafactor_efficiency=0.2,
    adamw_efficiency=0.8,
    launch_s=4e-6,
)
WATTS = {
    name: {"value": value, "unit": "W", "origin": "measured", "source": "meter"}
    for name, value in (("idle_w", 20.0), ("busy_w", 90.0))
}


def rows() -> list[dict[str, Any]]:
    operations: list[dict[str, Any]] = [
        {"op": "matmul", "m": m, "n": n, "k": k}
        for m in (16, 64, 1024)
        for n in (16, 128, 1536)
        for k in (16, 128, 1024)
    ]
    operations += [
        {"op": "grouped_matmul", "groups": g, "m": m, "n": 512, "k": 256}
        for g in (4, 32)
        for m in (4, 64, 256)
    ]
    operations += [
        {"op": "attention", "batch": 8, "heads": 8, "seq": seq, "d_head": 64, "fused": False}
        for seq in (64, 256, 512)
    ]
    operations += [{"op": "elementwise", "bytes": 2**power} for power in (20, 23, 26)]
    operations += [
        {"op": "optimizer", "kind": kind, "parameters": 2**22, "tensors": 4}
        for kind in ("adafactor", "adamw")
    ]
    operations += [{"op": "cross_entropy", "tokens": 1024, "vocab": 8192, "d_model": 128}]
    return [*operations, {"op": "launch"}]


def probe(noise: float = 0.0) -> dict[str, Any]:
    """A probe of a machine whose constants are `TRUTH`."""
    table = {
        "schema": "probe-1",
        "dtype": "float32",
        "power": WATTS,
        "machine": {"name": "made up", "memory_bytes": 2**34},
    }
    machine = Hardware(
        name="made up",
        precision="fp32",
        peak_flop_per_s=1e12,
        memory_bytes=2**34,
        memory_bytes_per_s=5e10,
        idle_w=20,
        busy_w=90,
        limit_w=90,
        power_relative=(-0.1, 0.1),
        power_source="meter",
    )
    raw_rows = [{**row, "seconds": 1.0} for row in rows()]
    errors = np.random.default_rng(1).normal(0, noise, len(raw_rows))
    parsed = timed({**table, "rows": raw_rows})
    for raw, row, error in zip(raw_rows, parsed, errors, strict=True):
        true = sum(w.count * w.seconds(machine, TRUTH) for w in row.work)
        raw["seconds"] = float(true * np.exp(error))
    return {**table, "rows": raw_rows}


def test_constants_that_made_a_probe_are_recovered() -> None:
    machine = calibrate(probe())
    hardware, constants = machine.hardware, machine.constants
    # The best timed product stands in for the peak, so only the peak times eff_max is physical.
    rate = hardware.peak_flop_per_s * constants.eff_max
    assert rate == pytest.approx(1e12 * TRUTH.eff_max, rel=0.05)
    assert hardware.memory_bytes_per_s * constants.memory_efficiency == pytest.approx(
        5e10 * TRUTH.memory_efficiency, rel=0.05
    )
    for name in ("m_half", "n_half", "k_half", "grouped_efficiency", "launch_s"):
        assert getattr(constants, name) == pytest.approx(getattr(TRUTH, name), rel=0.15), name
    assert machine.provenance["median_abs_error"] < 0.01


def test_noise_widens_the_band_and_is_reported() -> None:
    quiet, noisy = calibrate(probe()), calibrate(probe(noise=0.8))
    assert quiet.provenance["quiet"] is True
    assert noisy.provenance["quiet"] is False
    assert noisy.hardware.time_relative[1] > 2 * quiet.hardware.time_relative[1]


def test_what_no_row_shows_keeps_its_prior_and_is_named() -> None:
    machine = calibrate(probe())
    assert machine.constants.attention_efficiency == Constants().attention_efficiency
    assert {"attention_efficiency", "step_s", "wait_share"} <= set(
        machine.provenance["not_identified"]
    )


def test_a_machine_file_reads_back_as_it_was_written(tmp_path: Path) -> None:
    machine = calibrate(probe())
    save_machine(machine, tmp_path / "machine.toml")
    assert load_machine(tmp_path / "machine.toml") == machine


def test_watts_of_the_probe_keep_their_origin() -> None:
    hardware = calibrate(probe()).hardware
    assert (hardware.idle_w, hardware.busy_w) == (20, 90)
    assert hardware.power_source.startswith("measured")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dtype": "int3"}, "dtype"),
        ({"rows": [{"op": "sort", "seconds": 1}]}, "operation"),
        ({"rows": [{"op": "matmul", "m": 1, "n": 1, "seconds": 1}]}, "whole matmul row"),
        ({"rows": [{"op": "launch", "seconds": -1}]}, "whole launch row"),
        ({"rows": [{"op": "launch", "seconds": 1e-6}]}, "matmul and elementwise rows"),
    ],
)
def test_an_invalid_probe_is_refused_with_a_reason(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        calibrate(probe() | change)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "probe-9"}'])
def test_a_file_that_is_not_a_probe_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "probe.json").write_text(text)
    with pytest.raises(InputError, match="probe"):
        read_probe(tmp_path / "probe.json")


def test_a_probe_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "probe.json").write_text(json.dumps(probe()))
    assert {row["op"] for row in read_probe(tmp_path / "probe.json")["rows"]} == set(OPERATIONS)
