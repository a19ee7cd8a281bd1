"""The experiment: equal active parameters, the arithmetic of equal loss, and its page."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.tiny import DENSE_TOML, MIXTURE_TOML
from energy.shape import Shape, active_parameters, total
from experiments.equal_loss import page
from experiments.equal_loss.plan import EXPERTS, SIZES, runs
from experiments.equal_loss.results import (
    bootstrap,
    curve,
    decomposition,
    final_loss,
    gain,
    loss_at,
    mixtures,
    ratio,
    smooth,
    spent_at,
    summary,
    without_infinities,
)
from glam.training.run import train
from tests.support import ROOT


def result_of(experts, seed, scale=1.0, joules_per_token=2.0, floor=3.0):
    """The result of a run whose loss falls as 1 / sqrt(tokens * scale)."""
    tokens = np.linspace(1e5, 2e6, 20)
    points = [
        {
            "tokens": n,
            "loss": floor + 300 / np.sqrt(n * scale) + 0.01 * seed,
            "train_s": n / 1e4,
            "energy_j": joules_per_token * n,
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
        "curve": points,
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
    (twin,) = (
        other
        for other in runs(1.0)
        if (other.size, other.family, other.experts, other.seed)
        == (run.size, run.family, 1, run.seed)
    )
    dense = float(total(active_parameters(Shape.from_dict(twin.shape()))))
    assert active == pytest.approx(dense, rel=0.01)


def test_the_plan_is_two_sizes_three_mixtures_and_in_one_size_three_seeds_and_both_families():
    planned = runs(1.0)
    assert {(run.size.name, run.family) for run in planned} == {
        ("small", "glam"),
        ("small", "plain"),
        ("large", "glam"),
    }
    assert {run.experts for run in planned} == set(EXPERTS) == {1, 4, 16, 32}
    assert [len(size.seeds) for size in SIZES] == [3, 1]
    assert len({run.name for run in planned}) == len(planned) == 28


@given(st.lists(st.floats(1.0, 10.0), min_size=1, max_size=30))
def test_smoothing_stays_between_the_extremes_and_keeps_the_length(losses):
    smoothed = smooth(losses)
    assert len(smoothed) == len(losses)
    assert min(losses) - 1e-9 <= smoothed.min() <= smoothed.max() <= max(losses) + 1e-9


@given(high=st.floats(3.3, 3.6), lower=st.floats(0.0, 0.08))
def test_a_lower_loss_never_costs_less(high, lower):
    points = result_of(1, 0)["curve"]
    for what in ("tokens", "train_s", "energy_j"):
        assert spent_at(points, high - lower, what) >= spent_at(points, high, what)


def test_a_loss_that_is_never_reached_costs_infinitely_much():
    assert spent_at(result_of(1, 0)["curve"], 0.1, "energy_j") == np.inf


def test_the_loss_at_the_cost_of_a_loss_is_that_loss():
    points = result_of(1, 0)["curve"]
    assert loss_at(points, spent_at(points, 3.4, "energy_j"), "energy_j") == pytest.approx(3.4)


def test_a_costlier_mixture_gains_less_at_equal_joules_than_at_equal_tokens():
    dense, sparse = [result_of(1, 0)], [result_of(16, 0, scale=2.0, joules_per_token=3.0)]
    assert gain(dense, dense) == pytest.approx([0.0])
    assert 0 < gain(dense, sparse)[0] < gain(dense, sparse, "tokens")[0]


def test_the_ratio_of_a_model_to_itself_is_one():
    dense = [result_of(1, seed) for seed in range(3)]
    assert ratio(dense, dense, "energy_j") == pytest.approx(1.0)


def test_learning_twice_as_fast_halves_the_tokens_and_costlier_tokens_raise_the_joules():
    dense, sparse = [result_of(1, 0)], [result_of(16, 0, scale=2.0, joules_per_token=3.0)]
    parts = decomposition(dense, sparse)
    assert parts["quality"] == pytest.approx(0.5, rel=0.06)
    assert parts["quality"] * parts["flop"] * parts["efficiency"] == pytest.approx(
        parts["joules"], rel=1e-9
    )
    assert parts["joules"] == pytest.approx(parts["quality"] * 1.5, rel=1e-6)


@given(scales=st.tuples(*[st.floats(1.0, 3.0)] * 3))
def test_the_bootstrap_band_contains_the_ratio_of_the_middle_seed(scales):
    dense = [result_of(1, seed) for seed in range(3)]
    sparse = [result_of(16, seed, scale=scale) for seed, scale in enumerate(scales)]
    low, high = bootstrap(dense, sparse, "energy_j")
    each = sorted(ratio([a], [b], "energy_j") for a, b in zip(dense, sparse, strict=True))
    assert low - 1e-9 <= each[1] <= high + 1e-9
    assert each[0] - 1e-9 <= low <= high <= each[-1] + 1e-9


def test_a_curve_has_the_evaluations_at_the_cost_of_their_tokens():
    lines = [
        {"tokens": 100.0 * i, "validation_loss": 5.0 - i if i % 2 else None} for i in (1, 2, 3)
    ]
    points = curve(lines, {"train_s": 0.1, "energy_j": 0.5})
    assert [point["tokens"] for point in points] == [100.0, 300.0]
    assert [point["train_s"] for point in points] == pytest.approx([10.0, 30.0])
    assert [point["energy_j"] for point in points] == pytest.approx([50.0, 150.0])


def stored_results():
    return {
        "hours": 1.0,
        "created_utc": "2026-01-02T00:00:00+00:00",
        "machine": {"cpu": "a processor", "torch": "2", "threads": "1"},
        "runs": [
            result_of(experts, seed, scale=1 + experts / 50)
            for seed in range(3)
            for experts in EXPERTS
        ],
    }


def test_the_page_shows_the_figures_of_its_results_and_every_picture(tmp_path):
    text = page.write(stored_results(), tmp_path).read_text()
    sparse = mixtures(stored_results())
    assert all(f"{variant['joules']:.2f} x" in text for variant in sparse.values())
    pictures = {path.name for path in (tmp_path / "experiment").iterdir()}
    assert pictures == {
        "curves-small-plain.png",
        "equal-loss.png",
        "predictions.png",
        "expert-load.png",
    }
    assert all(f"(experiment/{name})" in text for name in pictures)
    assert "modelled 100 %" in text
    assert "2 of 2 steps to more experts lower the final loss | yes" in text
    best = min(variant["joules"] for variant in sparse.values())
    assert f"{best:.2f} of the dense model's joules at best, on one machine | no" in text


def test_mixtures_of_both_families_are_compared_each_with_the_dense_model_of_its_own(tmp_path):
    results = stored_results()
    authors = [
        run | {"family": "glam", "variant": f"authors-{run['variant']}"} for run in results["runs"]
    ]
    for run in authors:
        run["curve"] = [point | {"loss": point["loss"] - 0.5} for point in run["curve"]]
    both = results | {"runs": results["runs"] + authors}
    text = page.write(both, tmp_path).read_text()
    assert "4 of 4 steps to more experts lower the final loss | yes" in text
    variants = summary(both)["variants"]
    assert variants["authors-small-4e"]["joules"] == pytest.approx(variants["small-4e"]["joules"])


def test_the_page_names_a_mixture_that_does_not_reach_the_dense_loss(tmp_path):
    worse = stored_results()
    for run in worse["runs"]:
        if run["experts"] == 32:
            for point in run["curve"]:
                point["loss"] += 1.0
    text = page.write(worse, tmp_path).read_text()
    assert "not every seed reaches that loss" in text
    assert "1 of 2 steps to more experts lower the final loss | in part" in text
    assert "2 of 3 mixtures reach the dense loss with fewer joules | in part" in text
    assert without_infinities(summary(worse))["variants"]["small-32e"]["joules"] is None
    assert final_loss([run for run in worse["runs"] if run["experts"] == 32]) > 4


def test_the_page_can_be_written_from_stored_results_only(tmp_path):
    command = [sys.executable, "-m", "experiments.equal_loss", "--page", "--docs", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr.startswith("error: expected results at")
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "results.json").write_text(json.dumps(stored_results()))
    run = subprocess.run([*command, "--json"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0
    assert set(json.loads(run.stdout)["variants"]) == {
        "small-dense",
        "small-4e",
        "small-16e",
        "small-32e",
    }


def test_what_a_step_costs_is_metered_in_turns_with_trained_models_and_refused_without(
    tmp_path, monkeypatch
):
    command = [sys.executable, "-m", "experiments.equal_loss.costs", str(tmp_path), "--rounds", "1"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr.startswith(f"error: expected trained runs in {tmp_path}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "text.txt").write_text(Path(page.__file__).read_text() * 4)
    for name, shape in (("small-dense", DENSE_TOML), ("small-4e", MIXTURE_TOML)):
        corpus = f"[corpus]\npaths = ['{tmp_path / 'text.txt'}']\nvalidation_fraction = 0.3\n"
        recipe = "[training]\nsteps = 1\nbatch_sequences = 2\nthreads = 1\n"
        (tmp_path / f"{name}.toml").write_text(f"{shape}{recipe}{corpus}")
        train(tmp_path / f"{name}.toml", tmp_path / f"{name}-seed0" / "run", peak_flop_per_s=1e12)
    subprocess.run([*command, "--meter", "cpu_tree"], cwd=ROOT, check=True)
    costs = json.loads((tmp_path / "costs.json").read_text())
    assert set(costs) == {"small-dense", "small-4e"}
    assert all(cost["energy_j"] > 0 and cost["train_s"] > 0 for cost in costs.values())
