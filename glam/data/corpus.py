"""A corpus of tokens by domain, and batches that depend only on seed and step.

Text is tokenized once into memory-mapped shards; a document is either for training or for
validation. Packed as in GLaM: documents one after another with an end token between them, cut into
sequences.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glam.config import Corpus
from glam.data.mixtures import domain_weights
from glam.data.sealed import file_sha256, read_sealed, write_sealed
from glam.data.shards import (
    SHARD_BYTES,
    SPLITS,
    Shard,
    Tokenization,
    shards_of_manifest,
    token_dtype,
    tokenize_corpus,
)
from glam.data.sources import Source, list_sources, read_documents
from glam.data.survey import Survey, survey_corpus, survey_path, warn_of_skipped_text
from glam.data.tokenizer import Tokenizer, cache_folder, cached_tokenizer

FORMAT = "glam-corpus-2"


class Stream:
    """The tokens of one split of a domain, over all shards, as one array.

    Args:
        parts: arrays of tokens, one after another.
    """

    def __init__(self, parts: list[NDArray[Any]]) -> None:
        self._parts = [part for part in parts if len(part)]
        self._ends = np.cumsum([len(part) for part in self._parts], dtype=np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1]) if self._parts else 0

    def __getitem__(self, key: slice) -> NDArray[Any]:
        """Return a copy of the tokens of a slice without a step."""
        start, stop, _ = key.indices(len(self))
        pieces = [np.empty(0, np.int64)]
        index = int(np.searchsorted(self._ends, start, side="right"))
        while start < stop:
            offset = int(self._ends[index]) - len(self._parts[index])
            pieces.append(self._parts[index][start - offset : stop - offset])
            start, index = int(self._ends[index]), index + 1
        return np.concatenate(pieces)


@dataclass(frozen=True)
class Domain:
    """The tokens of one kind of text.

    Attributes:
        name: prose, code, books, text, ...
        weight: fraction of the training tokens drawn from here.
        tokens: one stream of tokens per split.
    """

    name: str
    weight: float
    tokens: Mapping[str, Stream | NDArray[Any]]


@dataclass(frozen=True)
class TokenCorpus:
    """Domains of tokens with their tokenizer.

    Attributes:
        tokenizer: tokenizer of the text.
        domains: tokens by domain.
    """

    tokenizer: Tokenizer
    domains: tuple[Domain, ...]

    def batch(
        self, seed: int, step: int, *, sequences: int, length: int, split: str = "train"
    ) -> NDArray[np.int64]:
        """Return the batch of a step (sequences, length), a pure function of the arguments.

        Each sequence starts at a random token of a domain drawn by weight. A resumed run
        therefore sees the same batches as an uninterrupted one.

        Args:
            seed: seed of the random draws.
            step: number of the batch.
            sequences: sequences in the batch.
            length: tokens per sequence.
            split: "train" or "validation".
        """
        key = (SPLITS.index(split) << 62) | seed
        generator = np.random.Generator(np.random.Philox(key=[key, step]))
        weights = np.array([domain.weight for domain in self.domains])
        choices = generator.choice(len(self.domains), size=sequences, p=weights / weights.sum())
        rows = []
        for index in choices:
            stream = self.domains[index].tokens[split]
            start = int(generator.integers(0, max(1, len(stream) - length + 1)))
            rows.append(np.resize(stream[start : start + length], length))
        return np.stack(rows).astype(np.int64)

    def count(self, split: str = "train") -> int:
        """Return the number of tokens in a split, over all domains."""
        return sum(len(domain.tokens[split]) for domain in self.domains)

    def counts(self) -> dict[str, int]:
        """Return the number of tokens of each domain in each split ("stories, train")."""
        return {
            f"{domain.name}, {split}": len(tokens)
            for domain in self.domains
            for split, tokens in domain.tokens.items()
        }


def load_corpus(
    config: Corpus,
    vocab_size: int,
    folder: Path | None = None,
    *,
    tokenizer: Tokenizer | None = None,
    workers: int = 0,
    shard_bytes: int = SHARD_BYTES,
) -> TokenCorpus:
    """Read the text of a corpus, train its tokenizer and tokenize it; all three are cached.

    The survey of the text is cached by names, sizes and times of the files, tokenizer and shards
    by the text itself.

    Args:
        config: text of the corpus.
        vocab_size: vocabulary size of the tokenizer.
        folder: cache of tokenizers and tokens; the user's cache folder by default.
        tokenizer: that of a trained model, in place of one trained on this text.
        workers: number of tokenizing processes; 0 means one per available core.
        shard_bytes: text per shard.

    Raises:
        InputError: a path does not exist, or is unreadable, empty or not text; a weight names no
            domain; there is too little text for the vocabulary; or the disk is full.
    """
    folder = folder or cache_folder()
    sources = list_sources(config, folder)
    survey = cached_survey(config, sources, folder)
    warn_of_skipped_text(survey, config, sources)
    weights = domain_weights(config, list(survey.domains))
    names = tuple(name for name, weight in weights.items() if weight)
    tokenizer = tokenizer or cached_tokenizer(survey.sample, vocab_size, folder)
    base = folder / _corpus_name(config, survey, names, tokenizer, shard_bytes)
    shards = _existing_shards(base, tokenizer)
    if shards is None:
        plan = Tokenization(
            survey, names, tokenizer, config.validation_fraction, base, workers, shard_bytes
        )
        shards = tokenize_corpus(read_documents(config, sources), plan)
        _write_manifest(sources, plan, shards)
    streams = _map_streams(base, shards, token_dtype(len(tokenizer)))
    return TokenCorpus(
        tokenizer, tuple(Domain(name, weights[name], streams[name]) for name in names)
    )


def cached_survey(config: Corpus, sources: list[Source], folder: Path) -> Survey:
    """Return the survey of these files from the cache; make and cache it if it is new.

    Raises:
        InputError: a file cannot be read, or there is no text.
    """
    path = survey_path(config, sources, folder)
    if cached := read_sealed(path):
        return Survey.from_dict(cached)
    survey = survey_corpus(config, sources)
    write_sealed(path, survey.as_dict())
    return survey


def _corpus_name(
    config: Corpus,
    survey: Survey,
    domains: tuple[str, ...],
    tokenizer: Tokenizer,
    shard_bytes: int,
) -> str:
    """Return the name of a corpus' folder, a hash of all that its shards depend on."""
    limits = {name: asdict(survey.domains[name]) for name in domains}
    key = [
        FORMAT,
        tokenizer.fingerprint,
        survey.content,
        config.validation_fraction,
        limits,
        shard_bytes,
    ]
    return f"corpus-{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]}"


def _existing_shards(base: Path, tokenizer: Tokenizer) -> list[Shard] | None:
    """Return the shards of a manifest if there is one and every file is whole.

    Files of another size or another checksum are written again.
    """
    manifest = read_sealed(base / "manifest.json")
    if manifest is None:
        return None
    shards = shards_of_manifest(manifest["shards"])
    item = token_dtype(len(tokenizer)).itemsize
    try:
        complete = all(
            (base / shard.file).stat().st_size == item * sum(shard.tokens.values())
            and file_sha256(base / shard.file) == shard.sha256
            for shard in shards
        )
    except OSError:
        return None
    return shards if complete else None


def _write_manifest(sources: list[Source], plan: Tokenization, shards: list[Shard]) -> None:
    """Write manifest.json; it is written last and marks the corpus as complete."""

    def by_split(domain: str, what: str) -> dict[str, int]:
        return {
            split: sum(getattr(shard, what)[split] for shard in shards if shard.domain == domain)
            for split in SPLITS
        }

    tokenizer = plan.tokenizer
    manifest = {
        "format": FORMAT,
        "content_sha256": plan.survey.content,
        "validation_fraction": plan.validation_fraction,
        "tokenizer_sha256": hashlib.sha256(tokenizer.model).hexdigest(),
        "vocab_size": len(tokenizer),
        "dtype": str(token_dtype(len(tokenizer))),
        "sources": [
            {"path": str(source.path), "bytes": source.size_bytes, **asdict(tally)}
            for source, tally in zip(sources, plan.survey.tallies, strict=True)
        ],
        "domains": {
            name: {
                **asdict(domain),
                "documents": by_split(name, "documents"),
                "tokens": by_split(name, "tokens"),
                "documents_read": domain.documents,
            }
            for name, domain in plan.survey.domains.items()
        },
        "shards": [asdict(shard) for shard in shards],
    }
    write_sealed(plan.folder / "manifest.json", manifest)


def _map_streams(
    base: Path, shards: list[Shard], dtype: np.dtype[Any]
) -> dict[str, dict[str, Stream]]:
    """Return the streams of each domain by split, memory-mapped from the shards' files."""
    parts: dict[str, dict[str, list[NDArray[Any]]]] = {}
    for shard in shards:
        splits = parts.setdefault(shard.domain, {split: [] for split in SPLITS})
        if sum(shard.tokens.values()):
            tokens = np.memmap(base / shard.file, dtype=dtype, mode="r")
            splits["train"].append(tokens[: shard.tokens["train"]])
            splits["validation"].append(tokens[shard.tokens["train"] :])
    return {
        name: {split: Stream(arrays) for split, arrays in splits.items()}
        for name, splits in parts.items()
    }
