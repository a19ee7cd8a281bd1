"""Windows of validation text: their classes of tokens, documents, and what is too little."""

import numpy as np
import pytest

from energy.errors import InputError
from glam.data.corpus import Domain, TokenCorpus
from glam.specialization.windows import (
    CLASSES,
    position_octaves,
    read_windows,
    token_classes,
    token_kinds,
)

PIECES = [
    *("</s>", "<unk>", "\n", "<0x41>", "\N{LOWER ONE EIGHTH BLOCK}" * 4),
    *("def", "\N{LOWER ONE EIGHTH BLOCK}f", "_", "name", "(", "7", "):"),
]


class Pieces:
    """A tokenizer of which nothing but the pieces is needed."""

    def pieces(self):
        return PIECES


def corpus(**streams):
    validation = {
        name: {"train": np.zeros(0, int), "validation": np.array(stream)}
        for name, stream in streams.items()
    }
    domains = [Domain(name, 1.0, stream) for name, stream in validation.items()]
    return TokenCorpus(Pieces(), tuple(domains))


def test_the_class_of_a_token_depends_on_what_stands_before_it():
    text = ["\n", *("def", "\N{LOWER ONE EIGHTH BLOCK}f", "_", "name", "(", "7", "):"), "<0x41>"]
    classes = token_classes(np.array([PIECES.index(piece) for piece in text]), token_kinds(PIECES))
    assert [CLASSES[kind] for kind in classes] == [
        *("line end", "word start", "word start", "punctuation", "continuation"),
        *("punctuation", "digit", "punctuation", "other"),
    ]
    spaces = token_classes(np.array([4, 5]), token_kinds(PIECES))
    assert [CLASSES[kind] for kind in spaces] == ["spaces", "word start"]


def test_windows_do_not_overlap_and_take_turns_over_the_domains_and_know_their_document():
    code = [5, 6, 7, 0, 8, 9, 10, 11, 5, 0, 6, 7, 8, 9]
    prose = [2, 2, 2, 2, 2, 2, 0, 5, 5, 5, 5, 5, 5, 5, 5, 5]
    windows = read_windows(corpus(code=code, prose=prose), 24, 4)
    assert windows.size == (6, 4)
    assert windows.domain.tolist() == [0, 1] * 3
    assert windows.tokens[0].tolist() == code[:5]
    assert windows.tokens[4].tolist() == code[9:14]
    # The first windows of both, of code also the token after its first end.
    assert windows.document.tolist() == [0, 2, 1, 2, 1, 3]
    assert windows.documents_by_domain() == {"code": 2, "prose": 2}
    assert windows.first(2).size == (2, 4)


@pytest.mark.parametrize("length", [1, 2, 3, 8, 100, 128])
def test_octaves_of_positions_double_and_end_with_the_window(length):
    names, octaves = position_octaves(length)
    assert len(octaves) == length
    assert octaves[-1] + 1 == len(names)
    for octave, name in enumerate(names):
        places = np.flatnonzero(octaves == octave)
        assert name in (f"{places[0]}", f"{places[0]}-{places[-1]}")


def test_one_domain_is_refused_with_what_to_do():
    with pytest.raises(InputError, match=r"two or more domains.*got only text; name domains"):
        read_windows(corpus(text=[5] * 50), 16, 4)


def test_too_few_tokens_are_refused_and_the_number_that_is_named_instead_works():
    few = corpus(code=[5] * 50, prose=[6] * 10)
    with pytest.raises(InputError, match=r"expected 40 .*got 8 of prose.* or --tokens 16$"):
        read_windows(few, 80, 4)
    assert read_windows(few, 16, 4).size == (4, 4)
