"""Plans as axes against each plan by itself: seconds, watts, bytes and verdicts bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from energy.errors import InfeasibleError
from energy.facts import catalog
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.memory import memory
from simulator.physics.plan import AXES, Plan
from simulator.physics.power import chip_watts
from simulator.physics.step import step
from simulator.plans import grid
from simulator.plans.evaluate import evaluate
from simulator.plans.space import space
from tests.oracles.flat_plans import every_plan, largest_parts

MODELS = (
    "glam-8b-64e",
    "glam-8b",
    "deepseek-v2-lite",
    "kimi-linear-48b-a3b",
    "granite-4.0-h-small",
)
CHIPS = ("h100", "tpu-v4", "a100-40gb", "b200")
PRIORS = Constants()

bases = st.builds(
    Plan,
    activation_bytes=st.just(2),
    product_bytes=st.sampled_from([1, 2]),
    weight_bytes=st.sampled_from([2, 4]),
    bucket_bytes=st.sampled_from([0, 2]),
    optimizer=st.sampled_from(["adafactor", "adamw", "muon"]),
    flash=st.booleans(),
    capacity_factor=st.sampled_from([1.0, 1.25]),
    dispatch=st.sampled_from(["sort", "one-hot"]),
    expert_messages=st.sampled_from(["all-to-all", "by-node"]),
    expert_overlap=st.booleans(),
    stages_by_work=st.booleans(),
    gathers_again=st.booleans(),
)

choices = st.fixed_dictionaries(
    {},
    optional={
        "cp": st.just([1]),
        "micro_batch": st.sampled_from([[2.0], [1.0, 4.0]]),
        "zero": st.sampled_from([[1], [0, 3]]),
        "shard": st.sampled_from([[2], [4, 2]]),
        "recompute": st.sampled_from([["full"], ["selective", "none"]]),
        "sequence_parallel": st.sampled_from([[False], [False, True]]),
    },
)


@settings(max_examples=40)
@given(
    model=st.sampled_from(MODELS),
    chip=st.sampled_from(CHIPS),
    chips=st.integers(1, 96),
    batch=st.floats(1.0, 300.0),
    base=bases,
    choices=choices,
    fine=st.booleans(),
    room=st.sampled_from([0.2, 1.0, 4.0]),
    cells=st.sampled_from([500, 20_000]),
)
def test_axes_that_broadcast_give_the_bits_of_every_plan_by_itself(
    model, chip, chips, batch, base, choices, fine, room, cells
):
    shape = catalog.model(model).shape
    hardware = Hardware.from_chip(catalog.chip(chip), "bf16", PRIORS)
    hardware = replace(hardware, memory_bytes=float(hardware.memory_bytes) * room)
    try:
        plans = space(shape, chips, batch, base, choices, fine=fine)
    except InfeasibleError:
        assume(False)
    every = every_plan(plans)
    assume(len(every.zero))
    assume(len(every.zero) < 50_000)

    use = memory(shape, every, hardware)
    seconds = step(shape, every, hardware, PRIORS)
    watts = np.broadcast_to(chip_watts(seconds, hardware, PRIORS), use.fits.shape)
    original, grid.CELLS = grid.CELLS, cells
    try:
        together = evaluate(shape, plans, hardware, PRIORS)
    finally:
        grid.CELLS = original

    assert together.considered == len(use.fits)
    assert np.array_equal(together.step_s, seconds.step_s[use.fits])
    assert np.array_equal(together.chip_w, watts[use.fits], equal_nan=True)
    assert np.array_equal(together.needs_bytes, use.total_bytes[use.fits])
    assert together.too_large == largest_parts(shape, every, hardware)
    assert together.leanest_bytes == use.total_bytes.min()
    least = int(np.argmin(use.total_bytes))
    for name in AXES:
        column = getattr(every, name)
        assert (column is None) == (getattr(together.plans, name) is None)
        if column is not None:
            assert np.array_equal(getattr(together.plans, name), column[use.fits])
            assert getattr(together.leanest, name) == column[least]
