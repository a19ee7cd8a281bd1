"""One pass over the text of a corpus before it is tokenized: its size, and how it is split.

Memory stays bounded. Two hashes of its text alone decide whether a document is for validation,
and whether it is kept when `max_mb` limits the corpus. Documents of equal text are always in the
same split.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import logging
import sys
from array import array
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, Self

from energy.errors import InputError
from glam.config import Corpus
from glam.data.sources import FIX, Source, Tally, read_documents
from glam.data.tokenizer import SAMPLE_CHARACTERS, truncated
from glam.progress import Stages

FORMAT = "glam-survey-3"


STANDARD_LIBRARY_MB = 4.0
"""Limit on each domain of the standard library when max_mb is 0, in MB."""


HASH_RANGE = 2**64
"""Hashes of documents are below this."""


SHOW_CHARACTERS = 1_000_000
"""Characters read between two updates of the progress bar."""


SHOWN_FILES = 5
"""Files named in a warning; the manifest names all."""


logger = logging.getLogger("glam")


@dataclass(frozen=True)
class DomainSurvey:
    """Size and split of one domain.

    Attributes:
        documents: documents read, kept or not.
        text_bytes: bytes of their text in UTF-8.
        kept_bytes: bytes of the documents that are kept.
        keep_below: a document is kept if its order hash is below this.
        validation_below: a kept document is for validation if its split hash is below this; None
            if all have the same text, the end of which is then used for validation.
    """

    documents: int
    text_bytes: int
    kept_bytes: int
    keep_below: int
    validation_below: int | None


@dataclass(frozen=True)
class Survey:
    """The result of a survey.

    Attributes:
        content: SHA-256 over domain and text of every document, in order.
        domains: survey of each domain, in the order of their names.
        sample: texts to train a tokenizer on, from all domains in turn.
        tallies: what was read from each source, in their order.
    """

    content: str
    domains: dict[str, DomainSurvey]
    sample: tuple[str, ...]
    tallies: tuple[Tally, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the survey as plain values."""
        domains = {name: asdict(domain) for name, domain in self.domains.items()}
        fields = {"content": self.content, "domains": domains, "sample": self.sample}
        tallies = [asdict(tally) for tally in self.tallies]
        return {"format": FORMAT, **fields, "tallies": tallies}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Return the survey of `as_dict`."""
        domains = {name: DomainSurvey(**domain) for name, domain in value["domains"].items()}
        tallies = tuple(Tally(**tally) for tally in value["tallies"])
        return cls(value["content"], domains, tuple(value["sample"]), tallies)


def document_hashes(text: str) -> tuple[int, int]:
    """Return two independent 64-bit hashes of a text: one for the split, one for the order."""
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big")


class ContentHash:
    """A running SHA-256 of the documents read."""

    def __init__(self) -> None:
        self._running = hashlib.sha256()

    def add(self, domain: str, split_hash: int, order_hash: int) -> None:
        """Add one document by its domain and its hashes."""
        self._running.update(f"{domain}\0{split_hash:x} {order_hash:x}\n".encode())

    def digest(self) -> str:
        """Return the hash of all documents added so far."""
        return self._running.hexdigest()


class _DomainCounter:
    """Sizes, hashes and a sample of a domain, gathered while its documents are read.

    Args:
        max_bytes: limit on the text that is kept; infinite for no limit.
    """

    def __init__(self, max_bytes: float) -> None:
        self.documents = self.text_bytes = 0
        self.sample: list[tuple[int, str]] = []
        self._max_bytes = max_bytes
        self._sample_characters, self._sampled = int(min(SAMPLE_CHARACTERS, max_bytes)), 0
        self._lowest, self._highest = HASH_RANGE, 0
        # Order hash, split hash and size of each document, kept only if some may be left out.
        self._columns = (array("Q"), array("Q"), array("Q"))

    def add(self, text: str, split_hash: int, order_hash: int) -> None:
        """Add one document."""
        size = len(text.encode())
        self.documents += 1
        self.text_bytes += size
        self._lowest = min(self._lowest, split_hash)
        self._highest = max(self._highest, split_hash)
        if self._max_bytes < float("inf"):
            for column, value in zip(self._columns, (order_hash, split_hash, size), strict=True):
                column.append(value)
        heapq.heappush(self.sample, (-order_hash, text))
        self._sampled += len(text)
        while self._sampled - len(self.sample[0][1]) >= self._sample_characters:
            self._sampled -= len(heapq.heappop(self.sample)[1])

    def survey(self, validation_fraction: float) -> DomainSurvey:
        """Return sizes and split of the documents added."""
        keep_below, kept_bytes = HASH_RANGE, self.text_bytes
        lowest, highest = self._lowest, self._highest
        if self._max_bytes < self.text_bytes:
            keep_below, kept_bytes, lowest, highest = self._within_limit()
        below = validation_below(lowest, highest, validation_fraction)
        return DomainSurvey(self.documents, self.text_bytes, kept_bytes, keep_below, below)

    def _within_limit(self) -> tuple[int, int, int, int]:
        """Return the order hash at the limit, the bytes below it, and the range of split hashes."""
        keep_below, kept_bytes, last_order, splits = HASH_RANGE, 0, -1, []
        for order_hash, split_hash, size in sorted(zip(*self._columns, strict=True)):
            # Documents of equal text stay together, as their order hashes are equal.
            if kept_bytes >= self._max_bytes and order_hash != last_order:
                keep_below = order_hash
                break
            kept_bytes, last_order = kept_bytes + size, order_hash
            splits.append(split_hash)
        return keep_below, kept_bytes, min(splits), max(splits)


def validation_below(lowest: int, highest: int, fraction: float) -> int | None:
    """Return the split hash below which documents are for validation: about `fraction` of them.

    It depends on the fraction alone, so new documents do not move old ones, except that each
    split always gets at least one document. None if all documents have the same hash.
    """
    if lowest == highest:
        return None
    return min(max(int(fraction * HASH_RANGE), lowest + 1), highest)


def survey_corpus(config: Corpus, sources: list[Source]) -> Survey:
    """Read all documents of a corpus once.

    Args:
        config: the corpus.
        sources: its files.

    Raises:
        InputError: a source cannot be read, or there is no text at all.
    """
    max_bytes = _max_mb(config) * 1e6 or float("inf")
    counters: dict[str, _DomainCounter] = {}
    tallies = [Tally() for _ in sources]
    content, read, shown = ContentHash(), 0, 0
    size = sum(source.size_bytes for source in sources)
    with Stages("reading the corpus") as stages:
        for domain, document in read_documents(config, sources, tallies):
            counter = counters.setdefault(domain, _DomainCounter(max_bytes))
            split_hash, order_hash = document_hashes(document.text)
            content.add(domain, split_hash, order_hash)
            counter.add(document.text, split_hash, order_hash)
            read += len(document.text)
            if read - shown >= SHOW_CHARACTERS:
                shown = read
                stages.show(f"{read / 1e6:,.0f} MB", min(read, size), size)
    if not counters:
        where = ", ".join(config.paths) or "the Python standard library"
        raise InputError("expected text to train on", f"none in {where}", FIX)
    names = sorted(counters)
    domains = {name: counters[name].survey(config.validation_fraction) for name in names}
    sample = _interleaved_sample([counters[name] for name in names])
    return Survey(content.digest(), domains, sample, tuple(tallies))


def _interleaved_sample(counters: Iterable[_DomainCounter]) -> tuple[str, ...]:
    """Return a tokenizer's training sample, with texts of all domains in turn."""
    ordered = [[text for _, text in sorted(counter.sample, reverse=True)] for counter in counters]
    return tuple(truncated(text for row in zip_longest(*ordered) for text in row if text))


def warn_of_skipped_text(survey: Survey, config: Corpus, sources: list[Source]) -> None:
    """Log what is left out of a corpus: files, rows without text, and text beyond `max_mb`."""
    skipped = [
        f"{name} {(domain.text_bytes - domain.kept_bytes) / 1e6:.1f} MB"
        for name, domain in survey.domains.items()
        if domain.kept_bytes < domain.text_bytes
    ]
    if skipped:
        logger.warning(
            "max_mb %g leaves text out of the corpus: %s; raise [corpus] max_mb to train on it",
            _max_mb(config),
            ", ".join(skipped),
        )
    left_out: dict[str, list[Source]] = {}
    if config.paths:
        for source, tally in zip(sources, survey.tallies, strict=True):
            if tally.left_out:
                left_out.setdefault(tally.why, []).append(source)
    for why, files in left_out.items():
        logger.warning("left out of the corpus (%s): %s", why, _names(files))


def _names(files: list[Source]) -> str:
    """Names of files, the first few in full."""
    more = f" and {len(files) - SHOWN_FILES:,} more" if len(files) > SHOWN_FILES else ""
    return ", ".join(source.name for source in files[:SHOWN_FILES]) + more


def _max_mb(config: Corpus) -> float:
    return config.max_mb or (0.0 if config.paths else STANDARD_LIBRARY_MB)


def survey_path(config: Corpus, sources: list[Source], cache: Path) -> Path:
    """Return where the survey of these sources is cached, by names, sizes and times of files."""
    stamp = [[s.domain, s.name, s.size_bytes, s.modified_ns] for s in sources]
    key = [
        FORMAT,
        config.validation_fraction,
        config.max_mb,
        config.text_column,
        sys.version,
        stamp,
    ]
    return cache / f"survey-{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]}.json"
