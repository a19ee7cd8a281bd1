"""Laws of a step on one device that are true whatever the constants are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import flops
from energy.errors import InfeasibleError, InputError, MissingDataError
from energy.facts import catalog
from energy.quantity import Boundary
from energy.shape import Shape, parameters, total
from simulator.physics.constants import Constants
from simulator.physics.formats import Formats
from simulator.physics.hardware import Hardware
from simulator.physics.memory import memory, state_bytes
from simulator.physics.plan import Plan
from simulator.physics.power import chip_watts, watts_of
from simulator.physics.step import step

PRIORS = Constants()
H100 = Hardware.from_chip(catalog.chip("h100"), "bf16", PRIORS)
MOE = catalog.model("glam-0.1b-64e").shape
DENSE = catalog.model("glam-0.1b").shape

EXECUTIONS = [
    {},
    {"recompute": "full"},
    {"recompute": "selective"},
    {"flash": True},
    {"flash": True, "recompute": "full"},
    {"dispatch": "one-hot", "capacity_factor": 1.25},
    {"dispatch": "one-hot", "recompute": "full", "dispatch_group": 512},
    {"micro_batch": 2},
]


@pytest.mark.parametrize("name", ["glam-0.1b", "glam-0.1b-64e", "glam-64b-64e", "gpt3-175b"])
@pytest.mark.parametrize("execution", EXECUTIONS)
def test_a_step_executes_the_flop_that_energy_counts(name: str, execution: dict) -> None:
    shape, plan = catalog.model(name).shape, Plan(global_batch=8, **execution)
    convention = "causal" if plan.flash else "full"
    counted = flops.executed_flop(shape, plan.flop_execution(), convention)
    executed = step(shape, plan, H100, PRIORS).executed_flop
    for part, per_token in counted.items():
        assert executed.get(part, 0) == pytest.approx(per_token * 8 * shape.seq_len, rel=1e-9), part


@given(
    field=st.sampled_from(["peak_flop_per_s", "memory_bytes_per_s"]),
    factor=st.floats(1.0, 100.0),
    batch=st.integers(1, 64),
    moe=st.booleans(),
)
def test_a_faster_chip_is_never_slower(field: str, factor: float, batch: int, moe: bool) -> None:
    faster = replace(H100, **{field: getattr(H100, field) * factor})
    shape, plan = (MOE if moe else DENSE), Plan(global_batch=batch)
    before, after = (step(shape, plan, chip, PRIORS) for chip in (H100, faster))
    assert after.step_s <= before.step_s * (1 + 1e-12)


@given(batch=st.integers(1, 64), more=st.integers(1, 64))
def test_more_sequences_never_take_less_time(batch: int, more: int) -> None:
    times = [step(MOE, Plan(global_batch=b), H100, PRIORS).step_s for b in (batch, batch + more)]
    assert times[0] < times[1]


@given(batches=st.lists(st.integers(1, 64), min_size=1, max_size=8))
def test_an_array_of_plans_gives_each_plan_its_own_step(batches: list[int]) -> None:
    together = step(MOE, Plan(global_batch=np.array(batches)), H100, PRIORS)
    alone = [step(MOE, Plan(global_batch=batch), H100, PRIORS) for batch in batches]
    np.testing.assert_allclose(together.step_s, [single.step_s for single in alone], rtol=1e-12)
    np.testing.assert_allclose(
        np.broadcast_to(chip_watts(together, H100, PRIORS), len(batches)),
        [chip_watts(single, H100, PRIORS) for single in alone],
        rtol=1e-12,
    )


def test_shapes_and_choices_broadcast_together() -> None:
    shape = replace(MOE, n_experts=np.array([[8], [64]]))
    plan = Plan(global_batch=8, recompute=np.array(["none", "selective", "full"]))
    step_s = step(shape, plan, H100, PRIORS).step_s
    assert np.shape(step_s) == (2, 3)
    assert np.all(np.diff(step_s, axis=1) > 0)


def test_one_expert_that_is_always_chosen_takes_as_long_as_a_dense_layer() -> None:
    dense = replace(DENSE, ffn_matrices=2)
    single = replace(dense, n_moe_layers=6, n_experts=1, top_k=1, d_expert=dense.d_ff)
    free = replace(PRIORS, grouped_efficiency=1.0, group_s=1e-9)
    a, b = (step(shape, Plan(global_batch=8), H100, free) for shape in (dense, single))
    assert b.seconds["permutation"] == 0
    assert b.seconds["router"] == 0
    assert a.step_s == pytest.approx(b.step_s, rel=1e-5)


def test_many_experts_of_few_rows_run_at_a_lower_rate() -> None:
    plan = Plan(global_batch=1)
    few, many = (replace(MOE, n_experts=count) for count in (4, 64))
    a, b = (step(shape, plan, H100, PRIORS) for shape in (few, many))
    assert a.executed_flop["experts"] == b.executed_flop["experts"]
    assert a.seconds["experts"] < b.seconds["experts"]


def test_micro_batches_share_one_optimizer_step() -> None:
    whole, cut = (step(MOE, Plan(global_batch=8, micro_batch=m), H100, PRIORS) for m in (8, 2))
    assert whole.seconds["optimizer"] == cut.seconds["optimizer"]
    assert whole.seconds["experts"] < cut.seconds["experts"]


@given(c=st.floats(0, 1), m=st.floats(0, 1), link=st.floats(0, 1))
def test_watts_are_between_idle_and_the_limit(c: float, m: float, link: float) -> None:
    assert H100.idle_w <= watts_of(c, m, link, H100, PRIORS) <= H100.limit_w


def test_watts_of_the_worked_example() -> None:
    chip = replace(H100, idle_w=70, busy_w=700, limit_w=700)
    assert watts_of(0.6, 0, 0, chip, PRIORS) == pytest.approx(523.6)


def test_weights_of_the_largest_glam_do_not_fit_one_chip_and_it_says_why() -> None:
    shape = catalog.model("glam-64b-64e").shape
    needed = memory(shape, Plan(global_batch=1), H100)
    assert needed.bytes["weights"] == 4 * total(parameters(shape))
    assert not needed.fits
    assert "too many" in needed.reason()
    assert memory(DENSE, Plan(global_batch=1), H100).reason() == ""


@pytest.mark.parametrize("saving", [{"recompute": "full"}, {"flash": True}, {"micro_batch": 1}])
def test_recomputation_flash_attention_and_micro_batches_save_memory(saving: dict) -> None:
    before, after = (memory(MOE, Plan(global_batch=8, **w), H100) for w in ({}, saving))
    assert after.total_bytes < before.total_bytes


@pytest.mark.parametrize(
    ("degrees", "reason"),
    [
        ({"n_chips": 3, "tp": 2}, "multiple of tp"),
        ({"n_chips": 8, "global_batch": 4}, "dp seq"),
        ({"global_batch": 4, "micro_batch": 5}, "micro_batch"),
        ({"n_chips": 5, "tp": 5}, "n_heads"),
        ({"n_chips": 16, "pp": 16, "global_batch": 16}, "n_layers"),
        ({"ep": 3}, "ep"),
        ({"n_chips": 4, "ep": 8, "global_batch": 8}, "ep . etp"),
    ],
)
def test_an_impossible_plan_is_infeasible_with_a_reason(degrees: dict, reason: str) -> None:
    with pytest.raises(InfeasibleError, match=reason):
        Plan(**degrees).require_possible(MOE)


@pytest.mark.parametrize(
    "fields",
    [{"recompute": "half"}, {"global_batch": 0}, {"capacity_factor": 0.5}, {"tp": 0}],
)
def test_a_plan_with_an_invalid_field_is_refused(fields: dict) -> None:
    with pytest.raises(InputError, match="expected plan"):
        Plan(**fields)


def test_a_chip_without_watts_or_bandwidth_is_missing_data_not_zero() -> None:
    v5e = Hardware.from_chip(catalog.chip("tpu-v5e"), "bf16", PRIORS)
    watts = v5e.watts(float(chip_watts(step(MOE, Plan(), v5e, PRIORS), v5e, PRIORS)))
    assert watts.value is None
    with pytest.raises(MissingDataError, match="watts"):
        v5e.require_watts()
    with pytest.raises(MissingDataError):
        Hardware.from_chip(catalog.chip("epyc-7543"), "bf16", PRIORS)
    assert H100.power_boundary is Boundary.CHIP


def test_attention_in_windows_is_faster() -> None:
    windowed: Shape = replace(DENSE, window=128, n_window_layers=6)
    plan = Plan(global_batch=8, flash=True)
    a, b = (step(shape, plan, H100, PRIORS) for shape in (DENSE, windowed))
    assert b.seconds["attention_scores"] < a.seconds["attention_scores"]


def test_the_state_of_an_optimizer_is_its_moments_and_a_wide_copy():
    bytes_of = {
        word: float(np.asarray(state_bytes(DENSE, Formats(optimizer=word, weight_bytes=2))))
        for word in ("adamw", "adamw-bf16", "adamw-8bit", "muon")
    }
    assert bytes_of == {"adamw": 12, "adamw-bf16": 8, "adamw-8bit": 6, "muon": 8}


def test_muon_takes_as_much_longer_as_twins_of_one_run_measured():
    # Marin speedruns on TPU v5p: 27,509 to 26,192 and 71,423 to 67,512 tokens/s a chip
    layout = Plan(global_batch=256, micro_batch=8, flash=True)
    adamw, muon = (
        float(np.asarray(step(DENSE, replace(layout, optimizer=word), H100, PRIORS).step_s))
        for word in ("adamw", "muon")
    )
    assert muon / adamw == pytest.approx((27509 / 26192 + 71423 / 67512) / 2, abs=0.01)
