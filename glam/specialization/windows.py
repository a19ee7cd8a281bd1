"""Windows of validation text with what is known of each token: domain, document, class, position.

Legend: N windows, S tokens of a window, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.errors import InputError
from glam.data.corpus import TokenCorpus
from glam.data.tokenizer import END

Ints = NDArray[np.int64]

CLASSES = (
    "word start",
    "continuation",
    "digit",
    "punctuation",
    "spaces",
    "line end",
    "other",
)
"""Classes of tokens; other are bytes of rare characters and ends of documents."""

WORD, DIGIT, PUNCTUATION, SPACES, LINE, OTHER = 0, 2, 3, 4, 5, 6

SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
"""What SentencePiece writes for a space."""


@dataclass(frozen=True)
class Windows:
    """Validation text in windows that do not overlap, as many from each domain, taken in turns.

    Attributes:
        tokens: token sequences (N, S + 1); the last of each is only predicted.
        domains: names of the domains.
        domain: domain of each window (N).
        document: number of the document that each window begins in (N).
        classes: class of each of the S tokens, as in `CLASSES` (N, S).
    """

    tokens: Ints
    domains: tuple[str, ...]
    domain: Ints
    document: Ints
    classes: Ints

    @property
    def size(self) -> tuple[int, int]:
        """N and S."""
        return len(self.tokens), self.tokens.shape[1] - 1

    def first(self, windows: int) -> Windows:
        """Return the first so many windows."""
        parts = (self.domain, self.document, self.classes)
        domain, document, classes = (part[:windows] for part in parts)
        return Windows(self.tokens[:windows], self.domains, domain, document, classes)

    def documents_by_domain(self) -> dict[str, int]:
        """Return how many documents the windows of each domain begin in."""
        return {
            name: len(np.unique(self.document[self.domain == index]))
            for index, name in enumerate(self.domains)
        }


def read_windows(corpus: TokenCorpus, tokens: int, length: int) -> Windows:
    """Return windows of a corpus' validation text, spread evenly over each domain's.

    Args:
        corpus: at least two domains.
        tokens: tokens in all; rounded up to whole windows of each domain.
        length: S.

    Raises:
        InputError: there is one domain alone, or a domain has too little validation text.
    """
    domains = corpus.domains
    if len(domains) < 2:
        raise InputError(
            "expected a corpus of two or more domains, which experts could share out",
            f"only {domains[0].name}",
            "name domains with --data NAME=PATH --data OTHER=PATH",
        )
    each = -(-tokens // (length * len(domains)))
    least = min(domains, key=lambda domain: len(domain.tokens["validation"]))
    room = (len(least.tokens["validation"]) - 1) // length
    if room < each:
        most = room * length * len(domains)
        fix = "name more text with --data"
        raise InputError(
            f"expected {each * length:,} validation tokens of each domain",
            f"{room * length:,} of {least.name}",
            f"{fix}, or --tokens {most}" if room else fix,
        )
    kinds = token_kinds(corpus.tokenizer.pieces())
    rows: list[list[Any]] = []
    for index, domain in enumerate(domains):
        stream = domain.tokens["validation"][:]
        document = np.cumsum(stream == END) - (stream == END)
        classes = token_classes(stream, kinds)
        starts = np.linspace(0, len(stream) - 1 - each * length, each).astype(np.int64)
        starts += np.arange(each) * length
        rows.append(
            [
                (
                    stream[s : s + length + 1],
                    index,
                    index * 2**32 + document[s],
                    classes[s : s + length],
                )
                for s in starts
            ]
        )
    turns = [row for turn in zip(*rows, strict=True) for row in turn]
    token_rows, domain_of, document_of, class_rows = zip(*turns, strict=True)
    _, documents = np.unique(np.array(document_of), return_inverse=True)
    return Windows(
        np.stack(token_rows).astype(np.int64),
        tuple(domain.name for domain in domains),
        np.array(domain_of),
        documents.astype(np.int64),
        np.stack(class_rows),
    )


@dataclass(frozen=True)
class Kinds:
    """What each piece of a vocabulary is.

    Attributes:
        kind: its class, with `WORD` for every piece that begins with a letter (V).
        opens: whether it begins with a space (V).
        ends_in_word: whether a word can go on after it (V).
    """

    kind: Ints
    opens: NDArray[np.bool_]
    ends_in_word: NDArray[np.bool_]


def token_kinds(pieces: Sequence[str]) -> Kinds:
    """Return what the pieces of a SentencePiece vocabulary are."""
    return Kinds(
        np.array([_kind(piece) for piece in pieces]),
        np.array([piece.startswith(SPACE) for piece in pieces]),
        np.array([_kind(piece) in (WORD, DIGIT) or piece.endswith("_") for piece in pieces]),
    )


def _kind(piece: str) -> int:
    text = piece.replace(SPACE, " ")
    bare = text.strip(" _")
    if piece in ("<unk>", "</s>") or (piece.startswith("<0x") and piece.endswith(">")):
        return OTHER
    if not text.strip(" "):
        return SPACES
    if not text.strip():
        return LINE
    if bare[:1].isalpha():
        return WORD
    return DIGIT if bare[:1].isdigit() else PUNCTUATION


def token_classes(stream: NDArray[Any], kinds: Kinds) -> Ints:
    """Return the class of each token of a stream, as in `CLASSES`.

    Letters without a space before them continue a word if a letter, a digit or an underscore
    stands before them.
    """
    classes = kinds.kind[stream].copy()
    inside = np.zeros(len(stream), np.bool_)
    inside[1:] = kinds.ends_in_word[stream[:-1]]
    continues = (classes == WORD) & inside & ~kinds.opens[stream]
    classes[continues] = CLASSES.index("continuation")
    return np.asarray(classes, np.int64)


def position_octaves(length: int) -> tuple[tuple[str, ...], Ints]:
    """Return names of the octaves of tokens before one, 0, 1, 2-3, ..., and that of each (S)."""
    before = np.arange(length)
    octaves = np.ceil(np.log2(before + 1)).astype(np.int64)
    ends = [min(2**octave - 1, length - 1) for octave in range(int(octaves[-1]) + 1)]
    begins = [0, *(end + 1 for end in ends[:-1])]
    names = [
        f"{begin}-{end}" if end > begin else f"{end}"
        for begin, end in zip(begins, ends, strict=True)
    ]
    return tuple(names), octaves
