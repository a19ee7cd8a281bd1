"""Continuations as rows of a pass: those of one prompt share a row, and the prompt is read once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class Target:
    """A token to be predicted.

    Attributes:
        request: number of the continuation that it is of.
        place: of the token before it, in its row.
        token: the token.
    """

    request: int
    place: int
    token: int


@dataclass
class OptionRow:
    """A prompt and the continuations that are scored after it.

    Attributes:
        stem: tokens of the prompt.
        branches: tokens of each continuation but its last, which is predicted and not read.
        targets: all tokens to be predicted.
    """

    stem: Tokens
    branches: list[Tokens] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)

    @cached_property
    def tokens(self) -> Tokens:
        """The stem, and all branches after it."""
        return sum(self.branches, self.stem)

    @property
    def lengths(self) -> tuple[int, list[int]]:
        """Tokens of the stem, and of each branch."""
        return len(self.stem), [len(branch) for branch in self.branches]

    def add(self, continuations: Sequence[tuple[int, Sequence[int]]]) -> None:
        """Add continuations that differ in no more than their last token, with their numbers."""
        begin = len(self.stem) + sum(map(len, self.branches))
        branch = tuple(continuations[0][1][:-1])
        if branch:
            self.branches.append(branch)
        for number, tokens in continuations:
            places = [len(self.stem) - 1, *range(begin, begin + len(branch))]
            self.targets += map(Target, [number] * len(tokens), places, tokens)


def option_rows(pairs: Sequence[tuple[list[int], list[int]]], window: int) -> list[OptionRow]:
    """Return the rows that score continuations after their contexts, the longest first.

    A row is at most a window long, or twice as long as its stem: with no more tokens in its
    branches than in its stem, its square of scores is no more work than those of the sequences
    alone. A continuation that is longer than the window is scored in pieces, each after the
    tokens before it.

    Args:
        pairs: tokens of context and continuation.
        window: most tokens of a sequence.
    """
    followers: dict[Tokens, dict[Tokens, list[tuple[int, list[int]]]]]
    followers = defaultdict(lambda: defaultdict(list))
    for number, (context, continuation) in enumerate(pairs):
        for stem, tokens in _pieces(context, continuation, window):
            followers[stem][tuple(tokens[:-1])].append((number, tokens))
    rows = []
    for stem, branches in followers.items():
        row, room = OptionRow(stem), max(window - len(stem), len(stem))
        for branch in sorted(branches, key=len):
            if row.branches and sum(map(len, row.branches)) + len(branch) > room:
                rows.append(row)
                row = OptionRow(stem)
            row.add(branches[branch])
        rows.append(row)
    return sorted(rows, key=lambda row: len(row.tokens), reverse=True)


def in_batches(rows: Sequence[OptionRow], most: int) -> Iterator[list[OptionRow]]:
    """Yield rows of about one length together, with at most so many tokens, padding included."""
    batch: list[OptionRow] = []
    for row in rows:
        if batch and (len(batch) + 1) * len(batch[0].tokens) > most:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _pieces(
    context: list[int], continuation: list[int], window: int
) -> Iterator[tuple[Tokens, list[int]]]:
    """Yield stems and the tokens after them, which with a stem are at most a window and one.

    One piece, with the beginning of the context cut if need be; several where the continuation
    alone is longer than the window.
    """
    both = [*context, *continuation]
    most = window if len(continuation) <= window else max(1, window // 2)
    for end in range(len(both), len(context), -most):
        begin = max(len(context), end - most)
        yield tuple(both[max(0, end - 1 - window) : begin]), both[begin:end]
