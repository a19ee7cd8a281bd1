"""The generator of slips, and how many of them the rules notice."""

import pytest

from benchmarks.claims.recall import TABLES, recall, rows_of
from benchmarks.claims.slips import KINDS, planted

ROWS = rows_of(TABLES)


def test_twelve_kinds_are_planted_and_each_changes_a_row():
    slips = list(planted(ROWS))
    assert {slip.kind for slip in slips} == set(KINDS)
    assert len(KINDS) == 12
    assert all(slip.row != slip.before for slip in slips)


def test_the_same_seed_plants_the_same_slips():
    assert list(planted(ROWS)) == list(planted(ROWS))
    assert list(planted(ROWS)) != list(planted(ROWS, seed=1))


@pytest.mark.parametrize("seed", [24, 1, 2, 3])
def test_the_rules_notice_95_of_100_planted_slips(seed):
    counts = recall(ROWS, seed)
    noticed, total = (sum(pair[place] for pair in counts.values()) for place in (0, 1))
    assert total > 400
    assert noticed / total >= 0.95
