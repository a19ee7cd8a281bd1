"""New ground: publishers that no fit saw, how tuned software is, and what one row is worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies
from hypothesis import settings as examples

from energy.errors import MissingDataError
from simulator.fit import newcomers as newcomers_module
from simulator.fit.newcomers import Unseen, newcomers, publishers_left_out, quantiles_of_new
from simulator.fit.own import scale
from simulator.fit.pool import Pool, published_pool
from simulator.published.shipped import shipped
from simulator.published.throughput import read_throughput
from simulator.runs.setup import Setup
from simulator.scenarios.scenario import load

EXPECTED = published_pool().newcomers


@pytest.fixture(scope="module")
def rows():
    return read_throughput(shipped("throughput.csv")).rows


@given(
    strategies.floats(-1, 1), strategies.integers(1, 30), strategies.sampled_from(["dense", "moe"])
)
@examples(max_examples=60)
def test_rows_move_a_cluster_toward_what_they_measured_and_never_beyond(error, count, kind):
    own = scale({kind: [error] * count}, EXPECTED)[kind]
    assert 0 <= own["ln"] * np.sign(error) <= abs(error)
    first = scale({kind: [error]}, EXPECTED)[kind]
    assert abs(own["ln"]) >= abs(first["ln"]) - 1e-12
    assert own["high"] - own["low"] <= first["high"] - first["low"] + 1e-12


def test_a_row_of_one_kind_scales_the_other_by_no_more():
    own = scale({"dense": [0.3]}, EXPECTED)
    assert abs(own["moe"]["ln"]) <= abs(own["dense"]["ln"])
    assert own["moe"]["rows"] == 0


def test_constants_without_spreads_refuse_to_scale():
    with pytest.raises(MissingDataError, match="spreads"):
        scale({"dense": [0.1]}, {})


def test_a_publisher_of_many_rows_counts_as_one_in_a_band():
    values = [0.0] * 1000 + [1.0, -1.0]
    names = ["large"] * 1000 + ["b", "c"]
    low, middle, high = quantiles_of_new(values, names)
    assert (low, middle, high) == (-1.0, 0.0, 1.0)


def test_a_fold_refits_without_the_publisher_from_the_priors(rows, monkeypatch):
    chosen = [row for row in rows if row.publisher in ("Dao-AILab", "Google Research", "DeepSeek")]
    fitted_on = []
    whole = newcomers_module.fit_published

    def watched(kept, plans):
        fitted_on.append({row.publisher for row in kept})
        return whole(kept, plans=plans)

    monkeypatch.setattr(newcomers_module, "fit_published", watched)
    unseen = publishers_left_out(chosen)
    names = {row.publisher for row in chosen}
    assert fitted_on == [names - {name} for name in sorted(names)]
    assert np.isfinite(unseen.errors).all()


def test_the_slowdown_of_unknown_frameworks_counts_each_publisher_and_no_slowdown_once(rows):
    judged = [row for row in rows if row.tier != "C" and row.measured][:40]
    apart = tuple(
        replace(row, tuned="", publisher=name) for row, name in zip(judged, "aaabb", strict=False)
    )
    known = np.zeros(5, bool)
    errors = np.array([0.1, 0.2, 9.0, 0.3, 0.5])
    open_rows = Unseen(tuple(judged), np.full(40, 0.05), np.ones(40, bool))
    mixtures = [row for row in rows if row.kind == "moe" and row.tier != "C" and row.measured][:9]
    both = open_rows.joined(Unseen(tuple(mixtures), np.full(9, 0.1), np.ones(9, bool)))
    slower = newcomers(both, Unseen(apart, errors, known))["dense"]["slower"]["own system"]
    # Medians of 0.2 and 0.4, and none: a third of 0.6.
    assert (slower["ln"], slower["rows"], slower["publishers"]) == (0.2, 5, 2)
    # Rows on a chip of another generation say as much of that chip as of their framework.
    other = replace(apart[0].chip, architecture="of tomorrow")
    mixed = (*apart[:2], *(replace(row, chip=other) for row in apart[2:]))
    slower = newcomers(both, Unseen(mixed, errors, known))["dense"]["slower"]["own system"]
    assert slower["ln"] == pytest.approx(0.075)
    # No unknown framework is taken to be faster than the tables of vendors.
    slower = newcomers(both, Unseen(apart, -errors, known))["dense"]["slower"]["own system"]
    assert slower["ln"] == 0


@pytest.mark.parametrize("kind", ["dense", "moe"])
def test_less_tuned_software_is_slower_and_less_certain(kind):
    pool = published_pool()
    words = ("vendor-tuned", "own system", "baseline", "first implementation")
    slower = [pool.slowdown(kind, framework="of tomorrow", tuned=word) for word in words]
    assert slower[0] == 0
    assert slower == sorted(slower)
    bands = [
        pool.unseen_band(kind, framework="of tomorrow", architecture="hopper", tuned=word)
        for word in words
    ]
    widths = [high - low for low, high in bands]
    assert widths == sorted(widths)
    assert widths[-1] > widths[0]


def test_a_framework_whose_rows_were_a_baseline_is_not_slowed_twice():
    pool = published_pool()
    word = next(name for name in pool.newcomers["measured_as"] if pool.has_seen(framework=name))
    assert pool.slowdown("moe", framework=word, tuned="baseline") == 0
    assert pool.slowdown("moe", framework=word, tuned="vendor-tuned") < 0


def test_a_scenario_names_how_tuned_its_software_is_and_says_so():
    chips = {"hardware.chip": "h100", "hardware.count": 1024}
    vendor = Setup.of(load("gpt3-175b", chips))
    first = Setup.of(load("gpt3-175b", chips | {"hardware.tuned": "first implementation"}))
    # 13 dense rows of one first implementation (ScaleTorch) took 2.2 times, the prior says 4.
    assert first.constants.software > 2 * vendor.constants.software
    assert any("taken as vendor-tuned" in note for note in vendor.notes)
    assert any("first implementation" in note for note in first.notes)


def test_a_framework_that_is_not_known_is_said_beside_the_nearest():
    chips = {"hardware.chip": "h100", "hardware.count": 1024}
    setup = Setup.of(
        load("gpt3-175b", chips | {"hardware.framework": "Megatron-Core of ours 2026"})
    )
    assert any("framework not known; nearest: megatron-core" in note for note in setup.notes)


OWN = {"a-chip": {"dense": {"ln": 0.1, "low": -0.1, "high": 0.3}}}


def test_own_rows_and_newcomers_survive_a_file():
    pool = replace(published_pool(), own=OWN)
    assert Pool.from_dict(pool.as_dict()).own == pool.own
    assert Pool.from_dict(pool.as_dict()).newcomers == pool.newcomers


def test_the_note_counts_the_rows_of_this_kind_of_model_on_this_chip():
    mixture = Setup.of(load("glam-64b-64e", {"hardware.chip": "a100-sxm4-80gb"}))
    dense = Setup.of(load("gpt3-175b", {"hardware.chip": "a100-sxm4-80gb"}))
    assert "none of them of mixtures on a100-sxm4-80gb" in mixture.notes[0]
    assert "of them of dense models on a100-sxm4-80gb" in dense.notes[0]
    assert "none of them" not in dense.notes[0]
