"""Whole runs: the share of its steady rate that a run keeps, and famous runs within their bands."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.fit.pool import published_pool
from simulator.published.runs import read_runs
from simulator.published.shipped import runs_of
from simulator.questions.validate.runs import KEPT, kept_share, whole_runs

RATIOS = [(f"lab{i}", float(np.log(share))) for i, share in enumerate(np.linspace(0.4, 1.1, 12))]


@pytest.fixture(scope="module")
def runs():
    answer = whole_runs(read_runs(runs_of("published")), published_pool())
    return {run.row.run_id: run for run in answer.runs}


def test_the_own_runs_of_a_developer_are_left_out():
    own = [("lab3", -5.0)] * 4
    assert kept_share("lab3", RATIOS + own) == kept_share("lab3", RATIOS)


def test_a_developer_with_many_similar_runs_counts_once():
    often = RATIOS + [RATIOS[0]] * 30
    assert kept_share("new", often) == pytest.approx(kept_share("new", RATIOS), rel=0.06)


def test_fewer_developers_give_a_wider_band():
    few, many = RATIOS[::2] * 2, RATIOS * 4
    few = [(f"{name}", ratio) for name, ratio in few]
    many = [(f"{name}-{i}", ratio) for i, (name, ratio) in enumerate(many)]
    widths = [high / low for low, _, high in (kept_share("new", ratios) for ratios in (few, many))]
    assert widths[0] > widths[1]


def test_too_few_published_runs_give_the_default_share():
    assert kept_share("new", RATIOS[:3]) == KEPT


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.floats(-1, 0.2)), min_size=8))
def test_the_middle_is_within_the_band(ratios):
    low, middle, high = kept_share("new", ratios)
    assert low <= middle <= high


@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("gpt3-175b", "chip_hours_blind"),  # arXiv:2104.10350: 10,000 V100, 14.8 days
        ("gpt3-175b", "energy_blind"),  # 1,287 MWh
        ("gpt3-175b", "energy_conditional"),
        ("glam-64b64e-280b", "chip_hours_blind"),  # arXiv:2112.06905: 574 h on 1,024 TPU v4
        ("glam-64b64e-280b", "energy_blind"),  # 213 MWh
        ("glam-64b64e-280b", "energy_conditional"),
        ("glam-64b64e-600b", "energy_blind"),  # 456 MWh
        ("t5-11b", "energy_conditional"),
        ("meena-2.6b", "energy_conditional"),
        ("switch-1.5t", "energy_conditional"),
        ("lamda-137b", "chip_hours_blind"),
        ("bloom-176b", "chip_hours_blind"),
        ("olmo2-7b", "energy_blind"),
        ("llama2-70b", "chip_hours_blind"),
    ],
)
def test_published_figures_of_famous_runs_are_within_their_bands(runs, name, figure):
    assert getattr(runs[name], figure).in_band


def test_four_fifths_of_published_chip_hours_are_within_their_bands(runs):
    in_band = [run.chip_hours_blind.in_band for run in runs.values() if run.row.chip_hours]
    assert np.mean(in_band) >= 0.8


def test_energy_that_was_computed_from_hours_is_not_judged(runs):
    assert runs["bloom-176b"].energy_blind.reported is None
    assert runs["llama1-65b"].energy_blind.reported is None
