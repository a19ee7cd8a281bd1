"""What the experts tell of a label: against values by hand, and against chance."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glam.specialization import measure

THREE_QUARTERS = np.array([[3, 1], [1, 3]])


def drawn(seed, shape, high):
    return np.random.default_rng(seed).integers(0, high, size=shape)


def test_the_worked_example_of_two_experts_has_the_divergence_and_score_of_its_docstring():
    assert measure.divergences(THREE_QUARTERS) == pytest.approx([0.1308, 0.1308], abs=5e-5)
    assert measure.uncertainty_coefficient(THREE_QUARTERS) == pytest.approx(0.1887, abs=5e-5)


def test_experts_that_each_have_a_label_of_their_own_remove_all_of_its_entropy():
    assert measure.uncertainty_coefficient(np.eye(4) * 7) == pytest.approx(1)
    assert measure.mutual_information(np.eye(4)) == pytest.approx(math.log(4))


@given(st.lists(st.lists(st.integers(0, 50), min_size=3, max_size=3), min_size=2, max_size=5))
def test_scores_are_shares_and_no_less_than_those_of_merged_experts(rows):
    counts = np.array(rows)
    score = float(measure.uncertainty_coefficient(counts))
    merged = np.vstack([counts[:1] + counts[1:2], counts[2:]])
    assert -1e-12 <= score <= 1 + 1e-12
    # Data processing inequality: knowing less of the expert tells no more.
    assert measure.mutual_information(merged) <= measure.mutual_information(counts) + 1e-12


def test_a_domain_that_the_token_alone_tells_leaves_experts_nothing_to_tell():
    """Experts that follow the token, whose domain is fixed, look specialized until it is known."""
    counts = np.zeros((2, 2, 2))
    counts[0, 0, 0] = counts[1, 1, 1] = 10
    assert measure.uncertainty_coefficient(counts.sum(1)) == pytest.approx(1)
    assert measure.conditional_coefficient(counts) == 0
    # Of one token in both domains, experts that follow the domain remove all of its entropy.
    same = np.zeros((2, 1, 2))
    same[0, 0, 0] = same[1, 0, 1] = 10
    assert measure.conditional_coefficient(same) == pytest.approx(1)


def test_every_shift_is_that_of_its_window():
    experts, labels = drawn(0, (5, 6, 2), 3), drawn(1, (5, 6), 4)
    shifts = np.random.default_rng(9).integers(0, 6, size=(7, 5))
    tables = measure.shifted_within_windows(experts, labels, 3, 4, 7, 9)
    for shift, table in zip(shifts, tables, strict=True):
        moved = np.stack([np.roll(row, -s) for row, s in zip(labels, shift, strict=True)])
        assert (table == measure.table(experts, moved, 3, 4)).all()


def test_windows_are_counted_in_parts_without_a_difference(monkeypatch):
    experts, labels = drawn(0, (5, 6, 2), 3), drawn(1, (5, 6), 4)
    whole = measure.shifted_within_windows(experts, labels, 3, 4, 20, 9)
    monkeypatch.setattr(measure, "TABLE_BYTES", 4 * 6 * 12 * 2)
    assert (measure.shifted_within_windows(experts, labels, 3, 4, 20, 9) == whole).all()


def test_permuted_documents_keep_their_experts_and_the_number_of_documents_of_each_label():
    by_document, labels = drawn(0, (6, 3), 9), np.array([0, 0, 0, 0, 1, 1])
    (tables,) = measure.permuted_over_documents(by_document, labels, 2, 30, 0)
    assert (tables.sum(2) == by_document.sum(0)).all()
    pairs = {
        tuple(by_document[[first, second]].sum(0))
        for first in range(6)
        for second in range(first + 1, 6)
    }
    assert {tuple(table[:, 1].astype(int)) for table in tables} <= pairs


def test_runs_of_alike_tokens_do_not_make_chance_significant():
    """Experts and labels that are both constant over long stretches, independently."""
    p = []
    for seed in range(40):
        generator = np.random.default_rng(seed)
        labels, experts = (
            np.repeat(generator.integers(0, 2, size=(20, 4)), 16, axis=1) for _ in range(2)
        )
        counts = measure.table(experts[..., None], labels, 2, 2)
        permuted = measure.shifted_within_windows(experts[..., None], labels, 2, 2, 99, seed)
        score = measure.uncertainty_coefficient(counts)
        p.append(
            measure.score_of(
                float(score), measure.uncertainty_coefficient(permuted), np.array([])
            ).p
        )
    # 40 draws of a level of 0.1: more than 10 have a probability of 0.1 %.
    assert sum(value <= 0.1 for value in p) <= 10
    # A chi-squared test of the same counts, as if tokens were independent, nearly always rejects.
    assert np.median(p) > 0.2


def test_p_counts_the_value_itself_among_the_permutations():
    score = measure.score_of(0.5, np.array([0.1, 0.5, 0.2]), np.array([0.1, 0.3]))
    assert score.p == pytest.approx(2 / 4)
    assert (score.random, score.random_p, score.effect) == pytest.approx((0.2, 1 / 3, 0.3))


def test_holm_multiplies_as_in_its_worked_example_and_is_never_above_one():
    assert measure.holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])
    assert measure.holm(np.array([0.6, 0.7])) == pytest.approx([1, 1])
