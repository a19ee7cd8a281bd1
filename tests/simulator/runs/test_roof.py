"""No part of a predicted step is faster than the best product that its chip is known to do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulator.roofs import above_roof
from energy.facts import catalog
from energy.facts.roofs import by_maker, roof
from energy.quantity import Origin
from energy.shape import total
from simulator.physics.constants import PRIORS, Constants
from simulator.physics.hardware import Hardware
from simulator.physics.plan import Plan
from simulator.physics.step import step

FAST = Constants(**{name: prior.high for name, prior in PRIORS.items() if prior.unit == "1"})


@pytest.mark.slow
def test_no_model_on_any_chip_of_the_catalog_is_above_the_roof():
    # Each model on every fourth chip, in turn: all pairs and counts are a gate of the folds.
    predicted, above = above_roof(counts=(64,), every=4)
    assert predicted > 400
    assert above == []


@given(
    software=st.floats(0.3, 2.0),
    factor=st.floats(0.01, 3.0),
    model=st.sampled_from(["glam-8b-64e", "llama3-8b"]),
    chip=st.sampled_from(["a100", "h100", "mi300x", "tpu-v5p", "b300"]),
    flash=st.booleans(),
)
def test_no_constant_and_no_end_of_a_band_takes_a_part_past_its_roof(
    software, factor, model, chip, flash
):
    constants = replace(FAST, software=software)
    hardware = Hardware.from_chip(catalog.chip(chip), "bf16", constants)
    plan = Plan(n_chips=8, global_batch=64, micro_batch=2, flash=flash)
    taken = step(catalog.model(model).shape, plan, hardware, constants)
    limit = hardware.peak_flop_per_s * hardware.roof * (1 + 1e-9)
    for seconds in (taken.seconds, taken.seconds_at(factor)):
        for part, flop in taken.executed_flop.items():
            assert flop / seconds[part] <= limit, part


@given(factor=st.floats(0.01, 3.0))
def test_a_band_end_is_as_far_as_named_unless_every_product_is_at_its_roof(factor):
    constants = Constants()
    hardware = Hardware.from_chip(catalog.chip("h100"), "bf16", constants)
    plan = Plan(n_chips=8, global_batch=64, micro_batch=2, flash=True)
    taken = step(catalog.model("llama3-8b").shape, plan, hardware, constants)
    expected = max(taken.step_s * factor, total(taken.least_s))
    assert np.isclose(total(taken.seconds_at(factor)), expected, rtol=1e-9)


def test_a_measured_chip_has_its_own_roof_and_another_its_makers_as_an_assumption():
    h100 = roof(catalog.chip("h100"))
    assert h100.value == pytest.approx(794.5 / 989.4, rel=1e-3)
    assert h100.origin is Origin.MEASURED
    a800 = roof(catalog.chip("a800"))
    assert (a800.value, a800.origin) == (by_maker()["NVIDIA"].value, Origin.ASSUMED)


def test_a_makers_roof_is_its_largest_measured_share():
    shares: dict[str, float] = {}
    for chip in catalog.chips():
        measured, peak = chip.measured_matmul_bf16_flop_per_s, chip.peak_bf16_flop_per_s
        if measured and peak and chip.vendor:
            shares[chip.vendor] = max(shares.get(chip.vendor, 0.0), measured / peak)
    for vendor, share in shares.items():
        assert by_maker()[vendor].value == pytest.approx(share, abs=1e-4)
    assert by_maker()["Google"].value >= max(shares.values())
