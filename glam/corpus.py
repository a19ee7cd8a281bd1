"""Documents by domain, and batches of tokens that depend on nothing but (seed, step).

Text becomes tokens once, in memory-mapped files; a document is wholly trained on or wholly held
out. Packed as in GLaM: documents one after another with an end between, cut into sequences.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from energy.errors import InputError
from energy.files import write_atomic, write_text_atomic
from glam.config import Corpus
from glam.documents import WEIGHTS, Document, documents
from glam.tokenizer import END, Tokenizer, cache_folder, cached_tokenizer

SPLITS = ("train", "held_out")


@dataclass(frozen=True)
class Domain:
    """The tokens of one kind of text.

    Attributes:
        name: prose, code, tests, tables or text.
        weight: share of the training tokens that come from here.
        tokens: one memory-mapped stream of tokens by split.
    """

    name: str
    weight: float
    tokens: dict[str, NDArray[np.uint32]]


@dataclass(frozen=True)
class TokenCorpus:
    """Domains of tokens with their tokenizer."""

    tokenizer: Tokenizer
    domains: tuple[Domain, ...]

    def batch(self, seed: int, step: int, *, sequences: int, length: int,
              split: str = "train") -> NDArray[np.int64]:  # fmt: skip
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


def load_corpus(config: Corpus, vocab_size: int, folder: Path | None = None) -> TokenCorpus:
    """Read the documents, train or find the tokenizer, and map the tokens.

    Args:
        config: which text.
        vocab_size: of the tokenizer.
        folder: cache of tokenizers and tokens; the user's cache folder by default.

    Raises:
        InputError: a path is absent, empty or not text, a weight names no domain, or there is
            too little text for the vocabulary.
    """
    folder = folder or cache_folder()
    by_domain = documents(config)
    weights = domain_weights(config, list(by_domain))
    # Round-robin, so that the tokenizer's sample holds every domain.
    tokenizer = cached_tokenizer(_interleaved(list(by_domain.values())), vocab_size, folder)
    domains = []
    for name, found in by_domain.items():
        if weights[name] == 0:
            continue
        tokens = _tokens(found, tokenizer, config.held_out, folder)
        domains.append(Domain(name, weights[name], tokens))
    return TokenCorpus(tokenizer, tuple(domains))


def domain_weights(config: Corpus, names: Sequence[str]) -> dict[str, float]:
    """Weight of each domain: as configured, else the domain's own; they sum to 1."""
    unknown = sorted(set(config.weights) - set(names))
    if unknown:
        raise InputError(
            "expected weights of domains that the corpus has", ", ".join(unknown),
            f"domains: {', '.join(names)}",
        )  # fmt: skip
    raw = {
        name: config.weights.get(name, 0.0) if config.weights else WEIGHTS.get(name, 1.0)
        for name in names
    }
    if sum(raw.values()) <= 0:
        raise InputError("expected a weight above 0 in [corpus] weights", str(config.weights))
    return {name: weight / sum(raw.values()) for name, weight in raw.items()}


def held_out_documents(names: Sequence[str], share: float) -> set[int]:
    """Which documents are held out: by a hash of their names, so new ones move no old one.

    About `share` of them, but at least one, and never all.
    """
    hashes = [hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names]
    below = sum(int.from_bytes(digest, "big") < share * 2**64 for digest in hashes)
    lowest_first = sorted(range(len(names)), key=lambda index: hashes[index])
    return set(lowest_first[: min(max(1, below), len(names) - 1)])


def _tokens(
    found: Sequence[Document], tokenizer: Tokenizer, held_out: float, folder: Path
) -> dict[str, NDArray[np.uint32]]:
    """Streams of tokens by split, encoded once and mapped from the cache."""
    key = hashlib.sha256(json.dumps(["tokens-2", tokenizer.fingerprint, held_out]).encode())
    for document in found:
        key.update(hashlib.sha256(f"{document.name}\0{document.text}".encode()).digest())
    base = folder / f"tokens-{key.hexdigest()[:16]}"
    paths = {split: base / f"{split}.u32" for split in SPLITS}
    if not (base / "complete").exists():
        streams: dict[str, list[int]] = {split: [] for split in SPLITS}
        away = held_out_documents([document.name for document in found], held_out)
        for index, document in enumerate(found):
            split = "held_out" if index in away else "train"
            streams[split] += [*tokenizer.encode(document.text), END]
        if not away:
            # A single document: its end is held out.
            cut = max(1, int(len(streams["train"]) * (1 - held_out)))
            streams["held_out"] = streams["train"][cut:]
            del streams["train"][cut:]
        for split, path in paths.items():
            data = np.array(streams[split], dtype="<u4").tobytes()
            write_atomic(path, lambda file, data=data: file.write(data))
        # Written last: without it the folder is half-made and is made again.
        write_text_atomic(base / "complete", f"{len(found)} documents\n")
    return {split: np.memmap(path, dtype="<u4", mode="r") for split, path in paths.items()}


def _interleaved(groups: list[list[Document]]) -> Iterator[str]:
    longest = max(len(group) for group in groups)
    for index in range(longest):
        for group in groups:
            if index < len(group):
                yield group[index].text
