"""What a row of throughput leaves open is what its software, or whoever measured it, would do."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.facts.software import software_of
from simulator.physics.constants import Constants
from simulator.published.candidates import candidates, plans_of
from simulator.published.shipped import published_tables
from simulator.published.throughput import parse, read_tables
from tests.support.tables import DENSE_ROW

ROW = DENSE_ROW | {
    "framework": "Megatron-Core MoE (2025)",
    "chip": "h100-sxm5-80gb",
    "n_chips": "16",
    "global_batch_seqs": "256",
}
MIXTURE = {"moe_experts": "8", "moe_top_k": "2", "moe_d_ff_expert": "11008"}


def values(name, **cells):
    (row,) = parse([ROW | cells]).rows
    return {plan[name] for plan in plans_of(row)}


def test_a_baseline_whose_micro_batch_nobody_states_trains_one_sequence_at_a_time():
    assert len(values("micro_batch", tuned="own system")) > 1
    assert values("micro_batch", tuned="baseline") == {1.0}
    assert values("micro_batch", tuned="first implementation") == {1.0}
    assert values("micro_batch", tuned="baseline", micro_batch="4") == {4.0}


def test_modules_are_tried_where_the_framework_recomputes_by_module_and_the_row_is_silent():
    by_module = {"norms,activations,up_projections", "norms,activations,up_projections,mlp"}
    assert by_module < values("recompute")
    assert not by_module & values("recompute", framework="Megatron-LM (2022)")
    assert values("recompute", recompute="full") == {"full"}


@pytest.mark.parametrize(("framework", "width"), [("Megatron-Bridge 26.02", 2), ("Megatron-LM", 4)])
def test_gradients_are_as_wide_as_the_recipes_of_a_framework_sum_them(framework, width):
    assert values("gradient_bytes", framework=framework) == {width}


@pytest.mark.parametrize(
    ("framework", "dispatch", "expected"),
    [
        ("MaxText (2024)", "capacity-limited", ("one-hot", 4096)),
        ("MaxText (2024)", "dropless", ("sort", 1024)),
        ("GShard (2020)", "", ("one-hot", 1024)),
        ("Megatron-Bridge 25.09", "token drop (capacity limited)", ("sort", 4096)),
    ],
)
def test_only_some_software_multiplies_by_masks_of_the_tokens(framework, dispatch, expected):
    cells = {"framework": framework, "moe_dispatch": dispatch} | MIXTURE
    assert (values("dispatch", **cells), values("dispatch_group", **cells)) == (
        {expected[0]},
        {expected[1]},
    )


def test_a_dense_model_has_no_masks():
    assert values("dispatch", framework="GShard (2020)") == {"sort"}
    assert software_of("GShard (2020)").one_hot == "all"


def test_the_cluster_of_bloom_has_half_the_links_of_the_usual_node():
    # huggingface.co/bigscience/bloomz: 8 GPUs a node, 4 OmniPath links.
    rows = [row for row in read_tables(published_tables()).rows if row.publisher == "BigScience"]
    assert {row.network_bytes_per_s for row in rows} == {4 * 100e9 / 8 / 8}


def test_the_plans_of_some_rows_are_those_that_they_have_alone():
    rows = read_tables(published_tables()).rows[:12]
    index = np.array([3, 7, 8])
    some = candidates(rows, Constants()).of_rows(index)
    alone = candidates([rows[place] for place in index], Constants())
    assert np.array_equal(some.row, alone.row)
    assert some.searched == alone.searched
    assert np.array_equal(some.plan.micro_batch, alone.plan.micro_batch)
    assert all(np.array_equal(some.groups[name], alone.groups[name]) for name in alone.groups)
