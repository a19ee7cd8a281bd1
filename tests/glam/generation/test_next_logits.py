"""Generation with kept keys and values: the logits of a pass over the window, and the same text."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glam.architecture import ARCHITECTURES
from glam.config import Dispatch
from glam.data.tokenizer import MOST_BYTES, StreamDecoder, train_tokenizer
from glam.generation.next_logits import NextLogits
from glam.model.decoder import Glam
from glam.model.key_values import window_start
from tests.support.small_models import CLOSE, TINY_MIXTURE

WINDOW = int(TINY_MIXTURE.seq_len)
GPT_SHAPE = replace(
    TINY_MIXTURE.dense(),
    position_rows=WINDOW,
    relative_buckets=0,
    ffn_matrices=2,
    norm_vectors=2,
)
MODELS = {
    **{
        f"{family} {kind}": Glam(
            TINY_MIXTURE, dispatch=Dispatch(kind=kind), architecture=ARCHITECTURES[family]
        )
        for family in ("glam", "plain")
        for kind in ("dropless", "glam")
    },
    "dense": Glam(TINY_MIXTURE.dense()),
    "gpt": Glam(GPT_SHAPE),
}
for model in MODELS.values():
    generator = torch.Generator().manual_seed(3)
    for weight in model.parameters():
        # Learned biases and norms begin alike for all distances and widths; these do not.
        torch.nn.init.normal_(weight, std=0.5, generator=generator)


def window_logits(model, ids):
    with torch.no_grad():
        return model.logits(torch.tensor([ids[window_start(len(ids), WINDOW) :]]))[0]


@pytest.mark.parametrize("name", MODELS)
@given(
    prompts=st.lists(
        st.lists(st.integers(0, 49), min_size=1, max_size=2 * WINDOW), min_size=1, max_size=3
    )
)
@settings(max_examples=5, deadline=None)
def test_kept_keys_and_values_give_the_logits_of_the_whole_window(name, prompts):
    model, texts = MODELS[name], [list(prompt) for prompt in prompts]
    next_logits = NextLogits(model, len(texts))
    for _ in range(WINDOW + 1):
        for text, logits in zip(texts, next_logits(texts), strict=True):
            torch.testing.assert_close(logits, window_logits(model, text), **CLOSE)
            text.append(int(logits.argmax()))


@pytest.mark.parametrize("name", MODELS)
def test_a_row_is_taken_over_and_rows_are_dropped_without_a_trace_in_the_others(name):
    model = MODELS[name]
    texts = {0: [1, 2, 3], 1: [4], 2: list(range(WINDOW))}
    next_logits = NextLogits(model, 3)
    next_logits(list(texts.values()))
    next_logits.end(1)
    texts[1] = [7, 8]  # as long as what the row would hold next
    torch.testing.assert_close(
        next_logits([texts[1]], [1])[0], window_logits(model, texts[1]), **CLOSE
    )
    next_logits.keep([2, 1])
    grown = [[*texts[2], 5], [*texts[1], 6]]
    for text, logits in zip(grown, next_logits(grown), strict=True):
        torch.testing.assert_close(logits, window_logits(model, text), **CLOSE)


def test_an_earlier_or_another_sequence_begins_anew():
    next_logits = NextLogits(MODELS["glam dropless"])
    first = next_logits([[3, 4, 5]])
    next_logits([[3, 4, 5, 6]])
    torch.testing.assert_close(next_logits([[3, 4, 5]]), first)


@given(tokens=st.integers(1, 10_000), window=st.integers(1, 2048))
def test_a_window_ends_at_the_newest_token_and_keeps_seven_eighths(tokens, window):
    start = window_start(tokens, window)
    kept = tokens - start
    assert 1 <= kept <= window
    assert start == 0 if tokens <= window else kept > window - max(1, window // 8)


@pytest.mark.parametrize(("tokens", "start"), [(256, 0), (257, 32), (288, 32), (289, 64)])
def test_the_worked_numbers_of_a_window_of_256(tokens, start):
    assert window_start(tokens, 256) == start


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["def f(x):\n    return x + 1  # plain text\n"] * 50, 300)


@given(
    text=st.text(max_size=40),
    noise=st.lists(st.integers(2, 299), max_size=20),
)
@settings(deadline=None)
def test_text_by_the_token_is_the_text_of_all_tokens(tokenizer, text, noise):
    ids = [*tokenizer.encode(text), *noise, *tokenizer.encode(text)]
    decoder = StreamDecoder(tokenizer)
    pieces = [decoder.add(token) for token in ids]
    assert "".join([*pieces, decoder.rest()]) == tokenizer.decode(ids)


def test_a_character_of_several_tokens_appears_whole_with_its_last_one(tokenizer):
    ids, decoder = tokenizer.encode("😀"), StreamDecoder(tokenizer)
    assert len(ids) == MOST_BYTES
    assert [decoder.add(token) for token in ids] == ["", "", "", "😀"]
