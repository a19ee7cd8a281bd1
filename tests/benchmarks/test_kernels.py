"""Metered kernels: how many readings their watts are of; a fit finds the law that they follow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulator.kernel_tables import (
    BYTES_PER_S,
    TABLES,
    Kernels,
    read_kernels,
    readings_of,
)
from benchmarks.simulator.kernels import START, Fit, assumed, fitted
from energy.errors import InputError

milliwatts = st.integers(40_000, 1_100_000)


@given(st.lists(milliwatts, min_size=1, max_size=30))
def test_the_readings_of_a_mean_are_no_more_than_it_was_made_of_and_give_whole_milliwatts(read):
    mean = sum(read) / len(read) * 1e-3
    count = int(readings_of(np.array([mean]))[0])
    assert count <= len(read)
    assert mean * 1e3 * count == pytest.approx(round(mean * 1e3 * count), abs=1e-3)


def test_means_of_one_two_and_seven_readings_are_told_apart():
    watts = np.array([278.744, 936.0845, 3477.617 / 7])
    assert readings_of(watts).tolist() == [1, 2, 7]


def kernels(law, seed=0):
    rng = np.random.default_rng(seed)
    count = 3000
    drawn = Kernels(
        kind=rng.choice(list(TABLES), count),
        rate=BYTES_PER_S * rng.uniform(0, 1, count),
        share=rng.uniform(0, 1, count) ** 3,
        watts=np.ones(count),
        readings=np.full(count, 9),
        fitted=rng.uniform(0, 1, count) < 0.5,
    )
    watts = law.watts(drawn) * np.exp(rng.normal(0, 0.02, count))
    return Kernels(**(vars(drawn) | {"watts": watts}))


def test_a_fit_of_half_of_the_kernels_finds_the_law_of_the_other_half():
    law = Fit(np.log([0.9, 0.95, 0.45, 0.2, 0.4, 0.6, 0.5]))
    drawn = kernels(law)
    fit = fitted(drawn.where(drawn.fitted))
    assert fit.shares == pytest.approx(law.shares, abs=0.03)
    judged = drawn.where(~drawn.fitted)
    assert np.median(fit.errors(judged)) < 0.02
    before = assumed(drawn.where(drawn.fitted))
    assert before.x[:3] == pytest.approx(START[:3])
    assert np.median(before.errors(judged)) > 3 * np.median(fit.errors(judged))


def test_a_folder_without_the_tables_is_told_what_to_download(tmp_path):
    with pytest.raises(InputError, match="pip download"):
        read_kernels(tmp_path)
