"""Pooled constants: releases without rows, and bands that widen where nothing was fitted."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.facts.software import nearest_release
from simulator.fit.pool import Pool, published_pool
from simulator.runs.setup import Setup
from simulator.scenarios.scenario import load

KNOWN = ("megatron-bridge 25.09", "megatron-bridge 26.02", "megatron-bridge 26.02.01", "nemo 24.07")


@pytest.mark.parametrize(
    ("release", "nearest"),
    [
        ("megatron-bridge 26.09", "megatron-bridge 26.02.01"),
        ("megatron-bridge 25.01", "megatron-bridge 25.09"),
        ("megatron-bridge 26.02", "megatron-bridge 26.02"),
        ("megatron-bridge", "megatron-bridge"),
        ("maxtext 26.02", "maxtext 26.02"),
    ],
)
def test_a_release_without_rows_is_like_the_nearest_of_its_framework(release, nearest):
    assert nearest_release(release, KNOWN) == nearest


def test_a_new_release_has_the_constants_of_the_nearest_and_no_release_those_of_the_world():
    pool = Pool(deviations={"release": {"megatron-bridge 26.02": {"software": -0.5}}})
    releases = np.array(["megatron-bridge 26.09", "", "nemo 24.07"])
    constants = pool.resolve({"release": releases})
    assert np.asarray(constants.software) == pytest.approx(
        np.asarray(Pool().constants().software) * np.array([np.exp(-0.5), 1, 1])
    )


@pytest.mark.parametrize("kind", ["dense", "moe"])
def test_the_band_of_an_unknown_chip_contains_that_of_a_known_one_and_is_wider(kind):
    pool = published_pool()
    for framework in ("maxtext", "megatron-bridge", "a framework of tomorrow"):
        known = pool.band(kind, framework=framework, architecture="hopper")
        new = pool.band(kind, framework=framework, architecture="a chip of tomorrow")
        assert new[0] <= known[0] < 0 < known[1] <= new[1]
    assert new != known


def test_a_fitted_chip_stays_known_when_its_deviations_are_zero():
    pool = Pool(world={"software": 1.0}, deviations={"architecture": {"hopper": {"software": 0.0}}})
    assert Pool.from_dict(pool.as_dict()).has_seen(architecture="hopper")


def test_a_scenario_may_name_the_release_of_its_framework():
    chips = {"hardware.chip": "h100", "hardware.count": 1024}
    software = {}
    for framework in ("megatron-bridge 25.09", "megatron-bridge 26.08"):
        scenario = load("gpt3-175b", chips | {"hardware.framework": framework})
        software[framework] = Setup.of(scenario).constants.software
    assert software["megatron-bridge 26.08"] < software["megatron-bridge 25.09"]
