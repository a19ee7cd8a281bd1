"""Narrow formats: what they cost before they gain, and what stays in 16 bits."""

from dataclasses import replace

import numpy as np
import pytest

from energy.facts import catalog
from simulator.facts.software import NARROW_BYTES, named_software
from simulator.physics import compute
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.operations import linear, quantization
from simulator.physics.plan import Plan
from simulator.physics.step import step
from simulator.physics.update import loss

SHAPE = catalog.model("glam-8b-64e").shape
PRIORS = Constants()


def plan(precision: str) -> Plan:
    return Plan(global_batch=4, **named_software("megatron").formats(precision))


def chip(precision: str) -> Hardware:
    return Hardware.from_chip(catalog.chip("gb200-nvl72"), precision, PRIORS)


def test_values_in_8_bits_are_read_once_and_written_by_row_and_by_column():
    assert quantization(1000, plan("fp8")).bytes == 4000
    assert quantization(1000, plan("fp4")).bytes == pytest.approx(1000 * (2 * 2 + 2 * 0.5625))
    assert quantization(1000, plan("bf16")).bytes == 0


def test_a_linear_map_quantizes_its_input_and_its_gradient_and_again_where_it_is_recomputed():
    once, twice = (linear((512, 256, 128), plan("fp8"), again)[3:] for again in (0, 1))
    assert [float(op.bytes) for op in once] == [4 * 512 * 128, 4 * 512 * 256]
    assert [float(op.count) for op in twice] == [2, 1]
    assert len(linear((512, 256, 128), plan("bf16"), 0)) == 3


def test_router_and_logits_stay_in_16_bits():
    narrow, wide = (
        loss(SHAPE, plan(precision))[0].compute_seconds(chip(precision), PRIORS)
        for precision in ("fp8", "bf16")
    )
    assert narrow == wide
    assert all(op.wide for op in compute.routing(SHAPE, plan("fp8"), 1024)["router"] if op.dims)


def test_a_narrower_format_is_faster_but_by_less_than_its_peak():
    bf16, fp8, fp4 = (
        float(np.asarray(step(SHAPE, plan(word), chip(word), PRIORS).step_s))
        for word in ("bf16", "fp8", "fp4")
    )
    assert 1 < bf16 / fp8 < 2
    assert 1 < fp8 / fp4 < 2


def test_a_16_percent_share_of_the_layers_keeps_4_bit_training_in_16_bits():
    rows = catalog.chip("gb200-nvl72")
    narrow, wide = rows.peak_flop_per_s("fp4"), rows.peak_flop_per_s("bf16")
    assert 1 / float(chip("fp4").peak_flop_per_s) == pytest.approx(0.84 / narrow + 0.16 / wide)


def test_formats_that_are_not_narrow_move_no_more_than_before():
    assert set(NARROW_BYTES) == {"fp8", "int8", "fp4"}
    same = replace(plan("bf16"), product_bytes=4)
    both = [step(SHAPE, layout, chip("bf16"), PRIORS).step_s for layout in (plan("bf16"), same)]
    assert both[0] == both[1]
