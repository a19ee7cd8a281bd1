"""One pass over the text before a token is made: how much there is, and where it is divided.

Bounded memory: two hashes a document decide, by its text alone, whether it is held out and
whether it stays where `max_mb` leaves some out. Documents of equal text never cross the split.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import sys
from array import array
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Self

from energy.errors import InputError
from glam.config import Corpus
from glam.data.sources import FIX, Source, documents
from glam.data.tokenizer import SAMPLE_BYTES
from glam.progress import Stages

FORMAT = "glam-survey-1"


STANDARD_LIBRARY_MB = 4.0
"""Text of each domain of the standard library that is trained on where max_mb is 0."""


ALL = 2**64


SHOW_BYTES = 1_000_000
"""Text between two looks of the progress bar."""


@dataclass(frozen=True)
class Part:
    """One domain.

    Attributes:
        documents: that are there, before any are left out.
        text_bytes: of these, in UTF-8.
        kept_bytes: of these that stay.
        kept_below: documents stay whose place in the order of hashes is below this.
        held_below: those that stay are held out whose split hash is below this; None where all
            have one text, of which the end is held out.
    """

    documents: int
    text_bytes: int
    kept_bytes: int
    kept_below: int
    held_below: int | None


@dataclass(frozen=True)
class Survey:
    """What was found.

    Attributes:
        content: SHA-256 over domain and text of every document, in order.
        parts: by domain, in the order of their names.
        sample: texts that a tokenizer is trained on, all domains in turn.
    """

    content: str
    parts: dict[str, Part]
    sample: tuple[str, ...]

    def as_json(self) -> str:
        """All of it as one JSON object."""
        parts = {name: asdict(part) for name, part in self.parts.items()}
        return json.dumps(
            {"format": FORMAT, "content": self.content, "parts": parts, "sample": self.sample}
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of `as_json`."""
        value = json.loads(text)
        parts = {name: Part(**part) for name, part in value["parts"].items()}
        return cls(value["content"], parts, tuple(value["sample"]))


def digests(text: str) -> tuple[int, int]:
    """Two independent hashes of a text below 2^64: for the split, and for the order."""
    whole = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return int.from_bytes(whole[:8], "big"), int.from_bytes(whole[8:], "big")


class Content:
    """A running SHA-256 of what documents were read."""

    def __init__(self) -> None:
        self._running = hashlib.sha256()

    def add(self, domain: str, split: int, order: int) -> None:
        """Take up one document by its domain and its hashes."""
        self._running.update(f"{domain}\0{split:x} {order:x}\n".encode())

    def digest(self) -> str:
        """The digest so far."""
        return self._running.hexdigest()


class _Count:
    """What is remembered of a domain while its documents go by."""

    def __init__(self, sample_bytes: int) -> None:
        self.documents = self.text_bytes = 0
        self.sample: list[tuple[int, str]] = []
        self._sample_bytes, self._sampled = sample_bytes, 0
        self._lowest, self._highest = ALL, 0
        self._bounded = (array("Q"), array("Q"), array("Q"))

    def add(self, text: str, split: int, order: int, bounded: bool) -> None:
        """Take up one document; where some will be left out, remember which it is."""
        size = len(text.encode())
        self.documents += 1
        self.text_bytes += size
        self._lowest, self._highest = min(self._lowest, split), max(self._highest, split)
        if bounded:
            for values, value in zip(self._bounded, (order, split, size), strict=True):
                values.append(value)
        heapq.heappush(self.sample, (-order, text))
        self._sampled += len(text)
        while self._sampled - len(self.sample[0][1]) >= self._sample_bytes:
            self._sampled -= len(heapq.heappop(self.sample)[1])

    def part(self, held_out: float, max_bytes: float) -> Part:
        """Where to divide what was seen."""
        kept_below, kept = ALL, self.text_bytes
        lowest, highest = self._lowest, self._highest
        if max_bytes < self.text_bytes:
            kept, last, splits = 0, -1, []
            for order, split, size in sorted(zip(*self._bounded, strict=True)):
                # Documents of one text stay together, or the order would not tell them apart.
                if kept >= max_bytes and order != last:
                    kept_below = order
                    break
                kept, last = kept + size, order
                splits.append(split)
            lowest, highest = min(splits), max(splits)
        return Part(
            self.documents, self.text_bytes, kept, kept_below, held_below(lowest, highest, held_out)
        )


def held_below(lowest: int, highest: int, share: float) -> int | None:
    """The split hash below which documents are held out: about `share` of them.

    A function of the share but for the last resorts, that at least one is held out and one is
    not, so new documents move no old one. None where all have one hash.
    """
    if lowest == highest:
        return None
    return min(max(int(share * ALL), lowest + 1), highest)


def survey(config: Corpus, found: list[Source]) -> Survey:
    """Read everything once.

    Args:
        config: of the corpus.
        found: its sources.

    Raises:
        InputError: a source cannot be read, or there is no text at all.
    """
    max_bytes = _max_mb(config) * 1e6 or float("inf")
    counts: dict[str, _Count] = {}
    content, seen, shown = Content(), 0, 0
    size = sum(source.size_bytes for source in found)
    with Stages("reading the corpus") as stages:
        for domain, document in documents(config, found):
            count = counts.setdefault(domain, _Count(int(min(SAMPLE_BYTES, max_bytes))))
            split, order = digests(document.text)
            content.add(domain, split, order)
            count.add(document.text, split, order, max_bytes < float("inf"))
            seen += len(document.text)
            if seen - shown >= SHOW_BYTES:
                shown = seen
                stages.show(f"{seen / 1e6:,.0f} MB", min(seen, size), size)
    if not counts:
        where = ", ".join(config.paths) or "the Python standard library"
        raise InputError("expected text to train on", f"none in {where}", FIX)
    parts = {name: counts[name].part(config.held_out, max_bytes) for name in sorted(counts)}
    ordered = [[text for _, text in sorted(counts[name].sample, reverse=True)] for name in parts]
    sample = tuple(_bounded(text for row in zip_longest(*ordered) for text in row if text))
    return Survey(content.digest(), parts, sample)


def _bounded(texts: Iterator[str]) -> Iterator[str]:
    """Texts up to what a tokenizer takes."""
    left = SAMPLE_BYTES
    for text in texts:
        if left <= 0:
            return
        yield text[:left]
        left -= len(text)


def tell_what_is_left_out(found: Survey, config: Corpus) -> None:
    """Say on stderr which text a corpus does not take; nothing where it takes all."""
    left = [
        f"{name} {(part.text_bytes - part.kept_bytes) / 1e6:.1f} MB"
        for name, part in found.parts.items()
        if part.kept_bytes < part.text_bytes
    ]
    if left:
        print(
            f"left out of the corpus by max_mb {_max_mb(config):g}: {', '.join(left)};"
            " raise [corpus] max_mb to train on it",
            file=sys.stderr,
        )


def _max_mb(config: Corpus) -> float:
    return config.max_mb or (0.0 if config.paths else STANDARD_LIBRARY_MB)


def known_survey(config: Corpus, found: list[Source], cache: Path) -> Path:
    """Where the survey of these sources is kept: by names, sizes and times of the files."""
    stamp = [[s.domain, s.name, s.size_bytes, s.modified_ns] for s in found]
    asked = [FORMAT, config.held_out, config.max_mb, config.text_column, sys.version, stamp]
    return cache / f"survey-{hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]}.json"
