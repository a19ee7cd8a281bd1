"""The paired test of two evaluations."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.errors import InputError
from glam.evaluation.paired import FILE, difference, differences, load, p_value
from glam.evaluation.scores import Answer


def answer(right, group):
    return Answer(right, 1.0, right, 0.0, 1.0, group)


def pairs(*rights):
    return [(answer(a, str(i)), answer(b, str(i))) for i, (a, b) in enumerate(rights)]


@pytest.mark.parametrize(
    ("sums", "p"), [([1, 1, 1, 1], 2 / 16), ([1, -1], 1.0), ([], 1.0), ([0, 0], 1.0), ([2, 1], 0.5)]
)
def test_few_groups_have_the_exact_p_value(sums, p):
    assert p_value(sums) == p


@settings(deadline=None, max_examples=20)
@given(st.lists(st.sampled_from([-1, 1]), min_size=15, max_size=24))
def test_many_groups_have_the_p_value_of_the_binomial_law(signs):
    """Of n differences of one size, as many swaps are as far apart as of n coins."""
    count, far = len(signs), abs(sum(signs))
    exact = sum(
        math.comb(count, heads) for heads in range(count + 1) if abs(2 * heads - count) >= far
    )
    exact /= 2**count
    assert p_value(signs) == pytest.approx(exact, abs=0.02)


def test_a_difference_has_both_shares_and_the_error_of_its_mean():
    row = difference("t", pairs((0, 1), (0, 1), (1, 1), (1, 0)))
    assert (row.items, row.first, row.second) == (4, 0.5, 0.75)
    # Differences 1, 1, 0, -1: variance 11/12, of their mean a fourth of it.
    assert row.stderr == pytest.approx(math.sqrt(11 / 12 / 4))


def test_items_of_one_group_count_once():
    both = [(answer(0.0, "one"), answer(1.0, "one")) for _ in range(50)]
    assert difference("t", both).p == 1.0
    assert math.isnan(difference("t", both).stderr)


def test_only_items_that_both_have_are_compared():
    first = {"t": {"a": answer(1.0, "a"), "b": answer(0.0, "b")}}
    second = {"t": {"b": answer(1.0, "b"), "c": answer(1.0, "c")}, "u": {"a": answer(1.0, "a")}}
    (row,) = differences(first, second)
    assert (row.task, row.items, row.first, row.second) == ("t", 1, 0.0, 1.0)
    with pytest.raises(InputError, match="items in common"):
        differences(first, {"u": second["u"]})


@pytest.mark.parametrize("line", ["[1]", "{", '{"task": "t", "item": "a", "right": "x"}'])
def test_a_broken_line_of_answers_is_named(tmp_path, line):
    good = json.dumps({"task": "t", "item": "a", "right": 1.0, "group": "g"})
    (tmp_path / FILE).write_text(f"{good}\n{line}\n")
    with pytest.raises(InputError, match="line 2 of"):
        load(tmp_path)


def test_a_folder_without_answers_says_what_to_name(tmp_path):
    with pytest.raises(InputError, match="--out folder of glam eval"):
        load(tmp_path)
