"""Whole runs: what a run keeps of its steady rate, and the famous runs inside their bands."""

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
    found = whole_runs(read_runs(runs_of("published")), published_pool()).runs
    return {run.row.run_id: run for run in found}


def test_a_developer_s_own_runs_never_judge_it():
    own = [("lab3", -5.0)] * 4
    assert kept_share("lab3", RATIOS + own) == kept_share("lab3", RATIOS)


def test_a_developer_with_many_like_runs_counts_once():
    often = RATIOS + [RATIOS[0]] * 30
    assert kept_share("new", often) == pytest.approx(kept_share("new", RATIOS), rel=0.06)


def test_few_developers_make_a_wide_band():
    few, many = RATIOS[::2] * 2, RATIOS * 4
    few = [(f"{name}", ratio) for name, ratio in few]
    many = [(f"{name}-{i}", ratio) for i, (name, ratio) in enumerate(many)]
    widths = [high / low for low, _, high in (kept_share("new", one) for one in (few, many))]
    assert widths[0] > widths[1]


def test_with_too_few_published_runs_the_stated_guess_is_used():
    assert kept_share("new", RATIOS[:3]) == KEPT


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.floats(-1, 0.2)), min_size=8))
def test_the_middle_lies_in_the_band(ratios):
    low, middle, high = kept_share("new", ratios)
    assert low <= middle <= high


@pytest.mark.parametrize(
    ("name", "question"),
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
def test_published_figures_of_famous_runs_lie_in_their_bands(runs, name, question):
    assert getattr(runs[name], question).in_band


def test_four_fifths_of_published_chip_hours_lie_in_their_bands(runs):
    held = [run.chip_hours_blind.in_band for run in runs.values() if run.row.chip_hours]
    assert np.mean(held) >= 0.8


def test_no_energy_is_judged_that_was_hours_times_a_constant(runs):
    assert runs["bloom-176b"].energy_blind.reported is None
    assert runs["llama1-65b"].energy_blind.reported is None
