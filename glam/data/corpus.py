"""A corpus of tokens by domain, and batches that depend on nothing but (seed, step).

Text becomes tokens once, in memory-mapped shards; a document is wholly trained on or wholly held
out. Packed as in GLaM: documents one after another with an end between, cut into sequences.
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

from energy.files import write_text_atomic
from glam.config import Corpus
from glam.data.mixtures import domain_weights
from glam.data.shards import SHARD_BYTES, SPLITS, Shard, as_shards, token_dtype, tokenised
from glam.data.sources import Source, documents, sources
from glam.data.survey import Survey, known_survey, survey, tell_what_is_left_out
from glam.data.tokenizer import Tokenizer, cache_folder, cached_tokenizer

FORMAT = "glam-corpus-1"


class Stream:
    """The tokens of one split of a domain, of all its shards, as if they were one array.

    Args:
        parts: arrays of tokens, one after another.
    """

    def __init__(self, parts: list[NDArray[Any]]) -> None:
        self._parts = [part for part in parts if len(part)]
        self._ends = np.cumsum([len(part) for part in self._parts], dtype=np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1]) if self._parts else 0

    def __getitem__(self, place: slice) -> NDArray[Any]:
        """The tokens of a slice without a step, copied from the pages that hold them."""
        start, stop, _ = place.indices(len(self))
        found = [np.empty(0, np.int64)]
        index = int(np.searchsorted(self._ends, start, side="right"))
        while start < stop:
            before = int(self._ends[index]) - len(self._parts[index])
            found.append(self._parts[index][start - before : stop - before])
            start, index = int(self._ends[index]), index + 1
        return np.concatenate(found)


@dataclass(frozen=True)
class Domain:
    """The tokens of one kind of text.

    Attributes:
        name: prose, code, books, text, ...
        weight: share of the training tokens that come from here.
        tokens: one stream of tokens by split.
    """

    name: str
    weight: float
    tokens: Mapping[str, Stream | NDArray[Any]]


@dataclass(frozen=True)
class TokenCorpus:
    """Domains of tokens with their tokenizer."""

    tokenizer: Tokenizer
    domains: tuple[Domain, ...]

    def batch(
        self, seed: int, step: int, *, sequences: int, length: int, split: str = "train"
    ) -> NDArray[np.int64]:
        """The batch of a step, (sequences, length); a pure function of its arguments.

        Each sequence begins anywhere in the stream of a domain drawn by weight. A resumed run
        therefore sees what the uninterrupted one would have seen.
        """
        key = (SPLITS.index(split) << 62) | seed
        draw = np.random.Generator(np.random.Philox(key=[key, step]))
        weights = np.array([domain.weight for domain in self.domains])
        chosen = draw.choice(len(self.domains), size=sequences, p=weights / weights.sum())
        rows = []
        for index in chosen:
            stream = self.domains[index].tokens[split]
            start = int(draw.integers(0, max(1, len(stream) - length + 1)))
            rows.append(np.resize(stream[start : start + length], length))
        return np.stack(rows).astype(np.int64)

    def count(self, split: str = "train") -> int:
        """Tokens in a split, all domains."""
        return sum(len(domain.tokens[split]) for domain in self.domains)


def load_corpus(
    config: Corpus,
    vocab_size: int,
    folder: Path | None = None,
    *,
    workers: int = 0,
    shard_bytes: int = SHARD_BYTES,
) -> TokenCorpus:
    """Read the text, train or find the tokenizer, and map the tokens.

    Each of the three is done once and kept in the cache: the survey by names, sizes and times of
    the files, tokenizer and shards by the text itself.

    Args:
        config: which text.
        vocab_size: of the tokenizer.
        folder: cache of tokenizers and tokens; the user's cache folder by default.
        workers: processes that tokenise; 0 is one for each core.
        shard_bytes: text of a shard.

    Raises:
        InputError: a path is absent, unreadable, empty or not text, a weight names no domain,
            there is too little text for the vocabulary, or the disk is full.
    """
    folder = folder or cache_folder()
    files = sources(config, folder)
    found = _surveyed(config, files, folder)
    tell_what_is_left_out(found, config)
    weights = domain_weights(config, list(found.parts))
    domains = tuple(name for name, weight in weights.items() if weight)
    tokenizer = cached_tokenizer(found.sample, vocab_size, folder)
    divided = {name: asdict(found.parts[name]) for name in domains}
    key = json.dumps(
        [FORMAT, tokenizer.fingerprint, found.content, config.held_out, divided, shard_bytes]
    )
    base = folder / f"corpus-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    shards = _finished(base, tokenizer)
    if shards is None:
        shards = tokenised(
            documents(config, files),
            found,
            tokenizer,
            config.held_out,
            base,
            domains=domains,
            workers=workers,
            shard_bytes=shard_bytes,
        )
        _write_manifest(base, files, found, tokenizer, config, shards)
    streams = _mapped(base, shards, token_dtype(len(tokenizer)))
    return TokenCorpus(
        tokenizer, tuple(Domain(name, weights[name], streams[name]) for name in domains)
    )


def _surveyed(config: Corpus, files: list[Source], folder: Path) -> Survey:
    """The survey of these files, from the cache or made now."""
    path = known_survey(config, files, folder)
    try:
        return Survey.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        found = survey(config, files)
        write_text_atomic(path, found.as_json())
        return found


def _finished(base: Path, tokenizer: Tokenizer) -> list[Shard] | None:
    """The shards of a manifest, where it is there and each file has its size."""
    try:
        manifest = json.loads((base / "manifest.json").read_text())
        shards = as_shards(manifest["shards"])
        item = token_dtype(len(tokenizer)).itemsize
        whole = all(
            (base / shard.file).stat().st_size == item * sum(shard.tokens.values())
            for shard in shards
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return shards if whole else None


def _write_manifest(
    base: Path,
    files: list[Source],
    found: Survey,
    tokenizer: Tokenizer,
    config: Corpus,
    shards: list[Shard],
) -> None:
    """Write manifest.json, last: without it the corpus is not whole."""
    domains = {
        name: {
            **asdict(part),
            **{
                what: {
                    split: sum(
                        getattr(shard, what)[split] for shard in shards if shard.domain == name
                    )
                    for split in SPLITS
                }
                for what in ("documents", "tokens")
            },
            "documents_found": part.documents,
        }
        for name, part in found.parts.items()
    }
    manifest = {
        "format": FORMAT,
        "content_sha256": found.content,
        "held_out": config.held_out,
        "tokenizer_sha256": hashlib.sha256(tokenizer.model).hexdigest(),
        "vocab_size": len(tokenizer),
        "dtype": str(token_dtype(len(tokenizer))),
        "sources": [{"path": str(s.path), "bytes": s.size_bytes} for s in files],
        "domains": domains,
        "shards": [asdict(shard) for shard in shards],
    }
    write_text_atomic(base / "manifest.json", json.dumps(manifest, indent=1) + "\n")


def _mapped(base: Path, shards: list[Shard], dtype: np.dtype[Any]) -> dict[str, dict[str, Stream]]:
    """The streams of each domain by split, over the shards' files."""
    parts: dict[str, dict[str, list[NDArray[Any]]]] = {}
    for shard in shards:
        own = parts.setdefault(shard.domain, {split: [] for split in SPLITS})
        if sum(shard.tokens.values()):
            whole = np.memmap(base / shard.file, dtype=dtype, mode="r")
            own["train"].append(whole[: shard.tokens["train"]])
            own["held_out"].append(whole[shard.tokens["train"] :])
    return {name: {split: Stream(own[split]) for split in SPLITS} for name, own in parts.items()}
