"""Own rows move the published constants toward what they measured, and by nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from simulator.fit import refit
from simulator.fit.pool import published_pool
from simulator.fit.refit import fit_own
from simulator.fit.throughput import evaluate
from simulator.published.shipped import published_tables
from simulator.published.throughput import read_tables


@pytest.fixture(scope="module")
def published():
    return [row for row in read_tables(published_tables()).rows if row.measured]


def of(rows, framework, count):
    """The first rows of a framework that may be judged."""
    return [row for row in rows if row.framework == framework and row.tier != "C"][:count]


def as_predicted(rows, factor=1.0):
    """The rows as if the published constants, or a factor of their rates, had been measured."""
    rates = evaluate(rows, published_pool()).tokens_per_s
    return [
        replace(row, measured=float(rate) * factor) for row, rate in zip(rows, rates, strict=True)
    ]


@pytest.mark.parametrize(
    "own",
    [
        {"deepspeed zero": 3, "torchtitan": 2},
        {"llm-foundry": 26},
        {"nanotron": 5},
        {"nanotron": 60},
        {"megatron-bridge": 30, "maxtext": 4},
    ],
    ids=str,
)
def test_rows_that_agree_with_the_published_constants_change_no_prediction(published, own):
    rows = [row for name, count in own.items() for row in of(published, name, count)]
    others = [row for row in published if row.framework in own][::7]
    pool = fit_own(as_predicted(rows))
    before, after = (evaluate(others, each).tokens_per_s for each in (published_pool(), pool))
    assert np.abs(np.log(after / before)).max() < 1e-3
    assert pool.provenance["fit_median_abs_rel_error"] < 1e-3


@pytest.mark.parametrize("own", [{"deepspeed zero": 3, "torchtitan": 2}, {"nanotron": 40}], ids=str)
def test_the_error_that_a_fit_states_is_that_of_the_constants_it_writes(published, own):
    rows = [row for name, count in own.items() for row in of(published, name, count)]
    slower = as_predicted(rows, 0.8)
    pool = fit_own(slower)
    measured = np.array([row.measured for row in slower])
    off = np.abs(evaluate(slower, pool).tokens_per_s / measured - 1)
    assert pool.provenance["fit_median_abs_rel_error"] == pytest.approx(np.median(off), abs=0.002)
    assert np.median(off) < 0.2


def test_rows_beyond_those_that_count_for_everyone_still_count_for_their_framework(
    published, monkeypatch
):
    rows = of(published, "llm-foundry", 100)
    measured = np.array([row.measured for row in rows]) * np.linspace(0.7, 0.9, len(rows))
    own = [replace(row, measured=float(rate)) for row, rate in zip(rows, measured, strict=True)]
    errors = []
    for _ in range(2):
        errors.append(np.abs(np.log(evaluate(own, fit_own(own)).tokens_per_s / measured)))
        monkeypatch.setattr(refit, "of_large_frameworks", lambda *_: [])
    assert np.mean(errors[0] ** 2) < np.mean(errors[1] ** 2)
