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
from simulator.physics.plan import AXES, Plan, plan_at
from simulator.physics.power import chip_watts
from simulator.physics.step import step
from simulator.plans import grid
from simulator.plans.block import Fastest, Shortlist
from simulator.plans.evaluate import evaluate, evaluate_all
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


questions = st.fixed_dictionaries(
    {
        "model": st.sampled_from(MODELS),
        "chip": st.sampled_from(CHIPS),
        "chips": st.integers(1, 96),
        "batch": st.floats(1.0, 300.0),
        "base": bases,
        "choices": choices,
        "fine": st.booleans(),
        "room": st.sampled_from([0.2, 1.0, 4.0]),
    }
)


class Case:
    """A space of plans, and each of its plans by itself."""

    def __init__(self, model, chip, chips, batch, base, choices, fine, room):
        self.shape = catalog.model(model).shape
        hardware = Hardware.from_chip(catalog.chip(chip), "bf16", PRIORS)
        self.hardware = replace(hardware, memory_bytes=float(hardware.memory_bytes) * room)
        try:
            self.space = space(self.shape, chips, batch, base, choices, fine=fine)
        except InfeasibleError:
            assume(False)
        self.every = every_plan(self.space)
        assume(len(self.every.zero) < 50_000)
        self.use = memory(self.shape, self.every, self.hardware)
        self.seconds = step(self.shape, self.every, self.hardware, PRIORS)

    def evaluated(self, **options):
        """What the product says of the space."""
        together = evaluate(self.shape, self.space, self.hardware, PRIORS, **options)
        return together.in_order()

    def check(self, together):
        """Every bit of it."""
        fits, total = self.use.fits, self.use.total_bytes
        watts = np.broadcast_to(chip_watts(self.seconds, self.hardware, PRIORS), fits.shape)
        assert (together.considered, together.fitting) == (len(fits), fits.sum())
        assert np.array_equal(together.step_s, self.seconds.step_s[fits])
        assert np.array_equal(together.chip_w, watts[fits], equal_nan=True)
        assert np.array_equal(together.needs_bytes, total[fits])
        assert together.too_large == largest_parts(self.shape, self.every, self.hardware)
        assert together.leanest_bytes == total.min()
        for name in AXES:
            column = getattr(self.every, name)
            assert (column is None) == (getattr(together.plans, name) is None)
            if column is not None:
                assert np.array_equal(getattr(together.plans, name), column[fits])
                assert getattr(together.leanest, name) == column[np.argmin(total)]


@settings(max_examples=25)
@given(question=questions, sizes=st.sampled_from([(500, 0), (20_000, 5_000), (20_000, 50_000)]))
def test_axes_that_broadcast_give_the_bits_of_every_plan_by_itself(question, sizes):
    case = Case(**question)
    original = grid.CELLS, grid.APART
    grid.CELLS, grid.APART = sizes
    try:
        together = case.evaluated()
    finally:
        grid.CELLS, grid.APART = original
    case.check(together)


@settings(max_examples=6)
@given(question=questions, more=st.lists(st.tuples(st.integers(1, 64), st.floats(1.0, 100.0))))
def test_spaces_that_are_evaluated_together_are_as_each_alone(question, more):
    cases = [Case(**question)]
    cases += [Case(**question | {"chips": chips, "batch": batch}) for chips, batch in more[:3]]
    first, spaces = cases[0], [case.space for case in cases]
    for case, together in zip(
        cases, evaluate_all(first.shape, spaces, first.hardware, PRIORS), strict=True
    ):
        case.check(together.in_order())


@settings(max_examples=10)
@given(question=questions)
def test_a_shortlist_has_the_first_best_of_all_of_each_row_and_of_each_value(question):
    case = Case(**question)
    plans, fits = case.every, case.use.fits
    assume(fits.any())
    steps = np.where(fits, case.seconds.step_s, np.inf)
    short = case.evaluated(keep=Shortlist(lambda block: block.step_s, 0.05))
    assert short.fitting == fits.sum()
    assert (short.step_s <= 1.05 * steps.min()).sum() == (steps <= 1.05 * steps.min()).sum()
    for name in ("tp", "pp", "vp", "cp", "ep", "etp", "zero", "micro_batch", "recompute"):
        column, kept = getattr(plans, name), getattr(short.plans, name)
        for value in np.unique(column[fits]):
            index = int(np.argmin(np.where(column == value, steps, np.inf)))
            first = int(np.argmin(np.where(kept == value, short.step_s, np.inf)))
            assert short.plan(first) == plan_at(plans, index)
    fastest = case.evaluated(keep=Fastest())
    best = fastest.plan(int(np.argmin(fastest.step_s)))
    assert best == short.plan(int(np.argmin(short.step_s)))
