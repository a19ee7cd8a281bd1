"""The experiment: equal active parameters, honest arithmetic of equal loss, a page of all of it."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.shape import Shape, active_parameters, total
from experiments.equal_loss import page as experiment_page
from experiments.equal_loss.plan import EXPERTS, SIZES, runs
from experiments.equal_loss.results import (
    bootstrap,
    curve,
    decomposition,
    final_loss,
    gain,
    loss_at,
    plain,
    ratio,
    smooth,
    spent_at,
    summary,
)
from tests.support import ROOT


def made(experts, seed, scale=1.0, joules_a_token=2.0, floor=3.0):
    """A run whose loss falls as 1 / sqrt(tokens), `scale` as fast in tokens."""
    tokens = np.linspace(1e5, 2e6, 20)
    curve_ = [
        {
            "tokens": n,
            "loss": floor + 300 / np.sqrt(n * scale) + 0.01 * seed,
            "train_s": n / 1e4,
            "energy_j": joules_a_token * n,
        }
        for n in tokens
    ]
    name = f"small-{'dense' if experts == 1 else f'{experts}e'}"
    shares = np.full((2, experts), 1 / experts).tolist()
    return {
        "name": f"{name}-seed{seed}",
        "variant": name,
        "size": "small",
        "experts": experts,
        "seed": seed,
        "steps": 100,
        "tokens": 2e6,
        "params_active": 1.5e6,
        "params_total": 3e6,
        "flop_per_token": 1e7 * (1 + 0.01 * experts),
        "curve": curve_,
        "mfu": 0.6,
        "measured_s": [200.0] * 3,
        "predicted_s": [190.0, 150.0, 250.0],
        "measured_j": [4e6] * 3,
        "predicted_j": [4.2e6, 3e6, 6e6],
        "energy_shares": "modelled 100 %",
        "dropped_steps": 0,
        "load": [] if experts == 1 else [{"tokens": n, "load": shares} for n in (1e5, 2e6)],
    }


@pytest.mark.parametrize("run", runs(1.0), ids=lambda run: run.name)
def test_every_mixture_has_the_active_parameters_of_its_dense_model(run):
    active = float(total(active_parameters(Shape.from_dict(run.shape()))))
    (dense,) = (
        one for one in runs(1.0) if (one.size, one.experts, one.seed) == (run.size, 1, run.seed)
    )
    own = float(total(active_parameters(Shape.from_dict(dense.shape()))))
    assert active == pytest.approx(own, rel=0.01)


def test_the_plan_is_two_sizes_three_mixtures_and_three_seeds_of_one_size():
    planned = runs(1.0)
    assert {run.experts for run in planned} == set(EXPERTS) == {1, 4, 16, 32}
    assert [len(size.seeds) for size in SIZES] == [3, 1]
    assert len({run.name for run in planned}) == len(planned) == 16


@given(st.lists(st.floats(1.0, 10.0), min_size=1, max_size=30))
def test_smoothing_stays_between_the_extremes_and_keeps_the_length(losses):
    found = smooth(losses)
    assert len(found) == len(losses)
    assert min(losses) - 1e-9 <= found.min() <= found.max() <= max(losses) + 1e-9


@given(high=st.floats(3.3, 3.6), lower=st.floats(0.0, 0.08))
def test_a_lower_loss_never_costs_less(high, lower):
    points = made(1, 0)["curve"]
    for what in ("tokens", "train_s", "energy_j"):
        assert spent_at(points, high - lower, what) >= spent_at(points, high, what)


def test_a_loss_that_was_never_reached_cost_infinitely_much():
    assert spent_at(made(1, 0)["curve"], 0.1, "energy_j") == np.inf


def test_loss_at_what_a_loss_cost_is_that_loss():
    points = made(1, 0)["curve"]
    assert loss_at(points, spent_at(points, 3.4, "energy_j"), "energy_j") == pytest.approx(3.4)


def test_a_costlier_mixture_gains_less_at_equal_joules_than_at_equal_tokens():
    dense, sparse = [made(1, 0)], [made(16, 0, scale=2.0, joules_a_token=3.0)]
    assert gain(dense, dense) == pytest.approx([0.0])
    assert 0 < gain(dense, sparse)[0] < gain(dense, sparse, "tokens")[0]


def test_a_run_against_itself_spends_what_it_spent():
    dense = [made(1, seed) for seed in range(3)]
    assert ratio(dense, dense, "energy_j") == pytest.approx(1.0)


def test_twice_as_fast_a_learner_needs_half_and_costlier_tokens_cost_more():
    dense, sparse = [made(1, 0)], [made(16, 0, scale=2.0, joules_a_token=3.0)]
    parts = decomposition(dense, sparse)
    assert parts["quality"] == pytest.approx(0.5, rel=0.06)
    assert parts["quality"] * parts["flop"] * parts["efficiency"] == pytest.approx(
        parts["joules"], rel=1e-9
    )
    assert parts["joules"] == pytest.approx(parts["quality"] * 1.5, rel=1e-6)


@given(scales=st.tuples(*[st.floats(1.0, 3.0)] * 3))
def test_the_bootstrap_band_holds_the_ratio_of_the_middle_seed(scales):
    dense = [made(1, seed) for seed in range(3)]
    sparse = [made(16, seed, scale=scale) for seed, scale in enumerate(scales)]
    low, high = bootstrap(dense, sparse, "energy_j")
    each = sorted(ratio([a], [b], "energy_j") for a, b in zip(dense, sparse, strict=True))
    assert low - 1e-9 <= each[1] <= high + 1e-9
    assert each[0] - 1e-9 <= low <= high <= each[-1] + 1e-9


def test_a_curve_leaves_the_time_of_evaluations_out():
    lines = [
        {"tokens": 100.0 * i, "tokens_per_s": 10.0, "held_out_loss": 5.0 - i} for i in range(1, 4)
    ]
    found = curve(lines, evaluation_s=2.0, power_w=3.0)
    assert [point["train_s"] for point in found] == pytest.approx([8.0, 16.0, 24.0])
    assert [point["energy_j"] for point in found] == pytest.approx([24.0, 48.0, 72.0])


def told():
    return {
        "hours": 1.0,
        "created_utc": "2026-01-02T00:00:00+00:00",
        "machine": {"cpu": "a processor", "torch": "2", "threads": "1"},
        "runs": [
            made(experts, seed, scale=1 + experts / 50) for seed in range(3) for experts in EXPERTS
        ],
    }


def test_the_page_says_the_numbers_of_its_results_and_names_every_picture(tmp_path):
    page = experiment_page.write(told(), tmp_path).read_text()
    found = summary(told())
    for one in found["variants"].values():
        if "joules" in one:
            assert f"{one['joules']:.2f} x" in page
    pictures = {path.name for path in (tmp_path / "experiment").iterdir()}
    assert pictures == {"curves-small.png", "equal-loss.png", "predictions.png", "expert-load.png"}
    assert all(f"(experiment/{name})" in page for name in pictures)
    assert "modelled 100 %" in page
    assert "2 of 2 steps to more experts lower the final loss | yes" in page
    best = min(one.get("joules", 1.0) for one in found["variants"].values())
    assert f"{best:.2f} of the dense model's joules at best, on one machine | no" in page


def test_a_mixture_that_never_gets_there_is_said_so(tmp_path):
    worse = told()
    for run in worse["runs"]:
        if run["experts"] == 32:
            for point in run["curve"]:
                point["loss"] += 1.0
    page = experiment_page.write(worse, tmp_path).read_text()
    assert "not every seed comes down to that loss" in page
    assert "1 of 2 steps to more experts lower the final loss | in part" in page
    assert "2 of 3 mixtures reach the dense loss with fewer joules | in part" in page
    assert plain(summary(worse))["variants"]["small-32e"]["joules"] is None
    assert final_loss([run for run in worse["runs"] if run["experts"] == 32]) > 4


def test_the_page_is_written_again_from_its_results_and_refused_without(tmp_path):
    words = [
        sys.executable,
        "-m",
        "experiments.equal_loss",
        "--page",
        "--docs",
        str(tmp_path),
    ]
    run = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr.startswith("error: expected results at")
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "results.json").write_text(json.dumps(told()))
    run = subprocess.run([*words, "--json"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0
    assert set(json.loads(run.stdout)["variants"]) == {
        "small-dense",
        "small-4e",
        "small-16e",
        "small-32e",
    }
