"""Node watts are chip watts and a host that draws the same whatever the chips do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.facts import catalog
from energy.quantity import Boundary
from simulator.runs.hosts import host_ratio
from simulator.runs.predict import predict
from simulator.scenarios.scenario import load

KNOWN = [chip.id for chip in catalog.chips() if chip.host_w is not None]


@given(st.sampled_from(KNOWN), st.floats(20, 1500))
def test_the_host_of_a_chip_draws_the_same_at_any_watts(name, chip_w):
    chip = catalog.chip(name)
    ratios = host_ratio(chip, chip_w).numbers()
    assert [(ratio - 1) * chip_w for ratio in ratios] == pytest.approx(
        [chip.host_w, chip.host_low_w, chip.host_high_w]
    )
    assert chip.host_low_w <= chip.host_w <= chip.host_high_w


def test_an_h100_at_its_mean_of_training_has_a_node_of_1_38():
    ratio = host_ratio(catalog.chip("h100-sxm5-80gb"), 562)
    assert ratio.numbers() == pytest.approx((1.379, 1.331, 1.429), abs=1e-3)


def test_host_of_h100_is_what_idle_nodes_draw_beside_idle_chips():
    # MLPerf Training 4.0 and 4.1: lowest readings of two makers' nodes of 8
    chip = catalog.chip("h100-sxm5-80gb")
    nodes = [catalog.chip(name).idle_w for name in ("node-hgx-h100-immersion", "node-hgx-h100-air")]
    assert [node / 8 - chip.idle_w for node in nodes] == pytest.approx(
        [chip.host_low_w, chip.host_high_w], abs=1
    )


def node_over_chip(name, **settings):
    """Joules of the node over those of the chips, and the source of that ratio."""
    whole = predict(load(name, {key.replace("__", "."): value for key, value in settings.items()}))
    totals = whole.record.totals
    ratio = totals[Boundary.NODE].value / totals[Boundary.CHIP].value
    return ratio, whole.record.factors["node_over_chip"].source


def test_a_prediction_adds_the_host_to_the_chips():
    ratio, source = node_over_chip("gpt3-175b")
    assert ratio > 1.5  # waiting V100s beside a host that does not wait
    assert "DGX-1" in source


def test_a_ratio_that_a_scenario_gives_is_taken_as_given():
    assert node_over_chip("gpt3-175b", site__node_over_chip=1.2)[0] == pytest.approx(1.2)


def test_a_chip_whose_host_nobody_measured_takes_the_ratio_of_its_site():
    assert node_over_chip("glam-64b-64e", hardware__chip="tpu-v3")[0] == pytest.approx(1.3)


def test_a_host_of_tpu_v4_is_that_of_tpu_v3_with_half_of_its_chips():
    # arXiv:2304.01433 Table 4: 8 chips a host, and 4. v3's: system less mean chip, 63 W a chip.
    old, new = catalog.chip("tpu-v3"), catalog.chip("tpu-v4")
    assert new.host_w == pytest.approx(2 * (old.system_w - old.mean_w))
    assert node_over_chip("glam-64b-64e")[0] == pytest.approx(1.7, abs=0.05)
