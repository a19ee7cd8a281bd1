"""Where plans that ran stand among all that fit, and what a run takes whose plan nobody states."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator.fit.pool import Pool, published_pool
from simulator.fit.stated_plans import stated_plans
from simulator.fit.throughput import evaluate
from simulator.published.throughput import parse
from tests.support.tables import DENSE_ROW

ROW = DENSE_ROW | {
    "framework": "Megatron-LM (2022)",
    "chip": "h100-sxm5-80gb",
    "n_chips": "64",
    "global_batch_seqs": "512",
}
STATED = {"tp": "2", "pp": "1", "micro_batch": "2", "recompute": "none"}


def row(**cells):
    return parse([ROW | cells]).rows[0]


def test_a_plan_stands_lower_the_more_of_the_others_are_faster():
    pool = published_pool()
    good, bad = (
        stated_plans([row(**(STATED | cells))], pool)
        for cells in ({}, {"tp": "8", "pp": "8", "micro_batch": "1", "recompute": "full"})
    )
    assert 0 <= bad["standing"] < good["standing"] <= 1
    assert bad["of_fastest"] < good["of_fastest"] <= 1
    assert (good["rows"], good["publishers"]) == (1, 1)


def test_of_one_model_on_the_same_chips_the_fastest_row_tells_the_plan():
    slow = row(row_id="b", **(STATED | {"tp": "8", "tokens_per_s_per_chip": "100"}))
    pool = published_pool()
    assert stated_plans([row(**STATED), slow], pool) == stated_plans([row(**STATED)], pool)


@pytest.mark.parametrize(
    "cells",
    [{"micro_batch": ""}, {"tier": "C"}, {"tuned": "baseline"}, {"n_chips": "1", "tp": "1"}],
)
def test_a_row_that_tells_no_plan_or_was_not_searched_has_no_standing(cells):
    assert stated_plans([row(**(STATED | cells))], published_pool())["rows"] == 0


def test_the_rate_of_a_row_is_no_part_of_its_standing():
    pool = published_pool()
    rates = [stated_plans([replace(row(**STATED), measured=rate)], pool) for rate in (1.0, 1e6)]
    assert rates[0] == rates[1]


def test_a_plan_at_a_standing_is_as_fast_as_that_share_of_those_that_fit():
    rates = [evaluate([row()], published_pool(), standing=at).tokens_per_s[0] for at in (0, 0.9, 1)]
    assert rates[0] < rates[1] < rates[2]
    stated = [evaluate([row(**STATED)], published_pool(), standing=at) for at in (0.1, 1)]
    assert stated[0].tokens_per_s == stated[1].tokens_per_s
    assert np.all(evaluate([row()], published_pool(), standing=0).fits)


def test_constants_without_a_standing_take_the_fastest_plan():
    assert Pool().standing == 1
    assert replace(Pool(), newcomers={"stated_plans": {"standing": 0.9}}).standing == 0.9
