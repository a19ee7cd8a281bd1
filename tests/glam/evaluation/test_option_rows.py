"""Rows of options: every token to be predicted stands once, after its own beginning."""

from hypothesis import given
from hypothesis import strategies as st

from glam.evaluation.option_rows import in_batches, option_rows

WINDOW = 12
TOKENS = st.lists(st.integers(1, 3), min_size=1, max_size=20)
PAIRS = st.lists(st.tuples(TOKENS, TOKENS), min_size=1, max_size=8)


def beginnings(row):
    """The sequence that each token of a row ends, by its place."""
    stem, branches = row.lengths
    ends = {stem - 1: row.stem}
    begin = stem
    for length in branches:
        for done in range(1, length + 1):
            ends[begin + done - 1] = row.stem + row.tokens[begin : begin + done]
        begin += length
    return ends


@given(PAIRS)
def test_every_token_of_a_continuation_is_predicted_once_after_the_tokens_before_it(pairs):
    predicted = {number: [] for number in range(len(pairs))}
    for row in option_rows(pairs, WINDOW):
        ends = beginnings(row)
        for target in row.targets:
            predicted[target.request].append((ends[target.place], target.token))
    for number, (context, continuation) in enumerate(pairs):
        both = tuple(context + continuation)
        before = [both[: len(context) + place] for place in range(len(continuation))]
        assert sorted(token for _, token in predicted[number]) == sorted(continuation)
        for beginning, token in predicted[number]:
            assert len(beginning) <= WINDOW
            assert any(
                text[len(text) - len(beginning) :] == beginning and both[len(text)] == token
                for text in before
            )


@given(PAIRS, st.integers(1, 40))
def test_a_batch_has_no_more_tokens_than_its_limit_unless_it_is_one_row(pairs, most):
    rows = option_rows(pairs, WINDOW)
    batches = list(in_batches(rows, most))
    assert [row for batch in batches for row in batch] == rows
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(len(row.tokens) for row in batch) <= most
