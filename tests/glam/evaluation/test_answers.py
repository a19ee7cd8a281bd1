"""Generated answers and likelihoods are scored by the rules of their data sets."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glam.evaluation import answers, scores
from glam.evaluation.rows.reading import CANNOT_ANSWER, NO_ANSWER


def item(*references):
    return {"references": list(references)}


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("the Beatles", 1.0),
        ("BEATLES!", 1.0),
        ("‘beatles’", 1.0),
        ("the_beatles", 1.0),
        ("beatles a the an", 1.0),
        ("the beat les", 0.0),
        ("theBeatles", 0.0),
        ("", 0.0),
    ],
)
def test_triviaqa_counts_neither_case_nor_marks_nor_articles(text, exact):
    assert answers.triviaqa(item("Beatles"), [text])["em"] == exact


@pytest.mark.parametrize(
    ("references", "text", "f1", "counts"),
    [
        # One reference: F1 with it. Words: old mill and mill.
        (["the old mill"], "mill", 2 / 3, 1.0),
        # The best over the others for each that is left out: "mill" out: 2/3; "old mill" out: 1.
        (["mill", "old mill"], "mill", (2 / 3 + 1) / 2, 1.0),
        # As many cannot answer as can, so that is the answer.
        ([CANNOT_ANSWER, "mill"], CANNOT_ANSWER, 1.0, 1.0),
        ([CANNOT_ANSWER, "mill"], "mill", 0.0, 1.0),
        # The majority can answer; the other reference is left out. People have F1 2/3.
        ([CANNOT_ANSWER, "mill", "old mill"], "old mill", (1 + 2 / 3) / 2, 1.0),
        # People have no word in common: F1 0 is below 0.4.
        (["mill", "river"], "mill", 0.5, 0.0),
    ],
)
def test_quac_is_scored_as_people_are_where_people_agree(references, text, f1, counts):
    scored = answers.quac(item(*references), [text])
    assert scored["f1"] == pytest.approx(f1)
    assert scored["counts"] == counts


def test_squad_2_wants_no_answer_where_there_is_none():
    assert answers.squadv2(item(NO_ANSWER), ["Unanswerable."])["f1"] == 1
    assert answers.squadv2(item(NO_ANSWER), ["the cave"])["f1"] == 0
    assert answers.squadv2(item("the cave"), ["unanswerable"])["f1"] == 0
    assert answers.squadv2(item("the cave"), ["cave"]) == {"em": 1.0, "f1": 1.0}


def test_drop_wants_the_number_and_shares_f1_among_spans():
    assert answers.drop({"references": [["12"]]}, ["12.0"]) == {"em": 1.0, "f1": 1.0}
    assert answers.drop({"references": [["12 goals"]]}, ["13 goals"])["f1"] == 0
    assert answers.drop({"references": [["Mira", "Jon"]]}, ["Jon"]) == {"em": 0.0, "f1": 0.5}


scored_options = st.lists(st.tuples(st.floats(-100, 0), st.integers(1, 20)), min_size=2, max_size=6)


@given(scored_options)
def test_shares_of_a_choice_sum_to_one_and_go_to_the_best_score_by_length(options):
    likelihoods, lengths = zip(*options, strict=True)
    shares = scores.chosen(likelihoods, lengths)
    assert sum(shares) == pytest.approx(1)
    best = max(range(len(options)), key=lambda i: likelihoods[i] / lengths[i])
    assert shares[best] == max(shares)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=2, max_size=40))
def test_the_standard_error_of_independent_items_is_that_of_a_mean(values):
    rows = [scores.Answer(v, 1.0, v, 0.5, 1.0, str(i)) for i, v in enumerate(values)]
    value = scores.total(rows)
    n, mean = len(values), sum(values) / len(values)
    variance = sum((v - mean) ** 2 for v in values) / (n - 1)
    assert value.value == pytest.approx(mean)
    assert value.stderr == pytest.approx(math.sqrt(variance / n), abs=1e-12)
    assert value.chance == 0.5


def test_items_of_one_dialogue_count_as_one():
    alone = [scores.Answer(v, 1.0, v, 0.0, 1.0, str(i)) for i, v in enumerate((1, 1, 0, 0))]
    twice = [scores.Answer(v, 1.0, v, 0.0, 1.0, str(v)) for v in (1, 1, 0, 0)]
    assert scores.total(twice).stderr > scores.total(alone).stderr
    assert math.isnan(scores.total(twice[:2]).stderr)
