"""Token shards: documents are tokenized once, in parallel, into files written whole or not at all.

Where shards are cut depends on the text alone, not on the number of processes, so a tokenization
that was killed continues at its first missing shard and ends with the same bits.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from energy.errors import InputError
from energy.files import write_atomic
from glam.data.sealed import file_sha256, read_sealed, write_sealed
from glam.data.sources import Documents
from glam.data.survey import ContentHash, Survey, document_hashes
from glam.data.tokenizer import END, Tokenizer
from glam.progress import Stages

SHARD_BYTES = 16_000_000
"""Text per shard; a shard ends with the document that reaches this size."""


SPLITS = ("train", "validation")


@dataclass(frozen=True)
class Shard:
    """Description of one shard file, which holds training tokens, then validation tokens.

    Attributes:
        file: file name in the folder of the corpus.
        domain: domain of its documents.
        text_bytes: bytes of their text in UTF-8.
        tokens: number of tokens by split.
        documents: number of documents by split.
        sha256: SHA-256 of the file.
    """

    file: str
    domain: str
    text_bytes: int
    tokens: dict[str, int]
    documents: dict[str, int]
    sha256: str


@dataclass(frozen=True)
class Tokenization:
    """How a surveyed corpus is tokenized.

    Attributes:
        survey: survey of the corpus.
        domains: domains to tokenize.
        tokenizer: tokenizer to use.
        validation_fraction: fraction of the tokens used for validation in a domain that has only
            one text.
        folder: folder of the shards.
        workers: number of processes; 0 means one per available core.
        shard_bytes: text per shard.
    """

    survey: Survey
    domains: tuple[str, ...]
    tokenizer: Tokenizer
    validation_fraction: float
    folder: Path
    workers: int = 0
    shard_bytes: int = SHARD_BYTES


@dataclass(frozen=True)
class _Job:
    """The documents of one shard; `for_validation` is None if the end of their text is."""

    number: int
    domain: str
    texts: list[str]
    for_validation: list[bool] | None


def token_dtype(vocab_size: int) -> np.dtype[Any]:
    """Return the smallest unsigned little-endian integer type for a vocabulary."""
    return np.dtype("<u2" if vocab_size <= 2**16 else "<u4")


def tokenize_corpus(documents: Documents, plan: Tokenization) -> list[Shard]:
    """Write the missing shards of a corpus; valid ones that exist are left as they are.

    Args:
        documents: all documents, in the order they were surveyed in.
        plan: how to tokenize them.

    Returns:
        All shards in order.

    Raises:
        InputError: the text has changed since the survey, or a shard cannot be written.
    """
    size = sum(plan.survey.domains[name].kept_bytes for name in plan.domains)
    workers = min(plan.workers or len(os.sched_getaffinity(0)), -(-size // plan.shard_bytes))
    jobs = _jobs(documents, plan)
    results = _in_process(jobs, plan) if workers <= 1 else _in_pool(jobs, plan, workers)
    shards, done = [], 0
    with Stages("tokenizing") as stages:
        for shard in results:
            shards.append(shard)
            done += shard.text_bytes
            stages.show(f"{done / 1e6:,.0f} MB", done, size)
    return sorted(shards, key=lambda shard: shard.file)


def shards_of_manifest(rows: Iterable[Mapping[str, Any]]) -> list[Shard]:
    """Return the shards that the rows of a manifest describe."""
    return [Shard(**row) for row in rows]


def _jobs(documents: Documents, plan: Tokenization) -> Iterator[_Job]:
    """Yield the documents of each shard; shard and split depend on the text alone."""
    content, number = ContentHash(), 0
    buffers = {name: _ShardBuffer() for name in plan.domains}
    for domain, document in documents:
        split_hash, order_hash = document_hashes(document.text)
        content.add(domain, split_hash, order_hash)
        limits = plan.survey.domains.get(domain)
        if domain not in buffers or limits is None or order_hash >= limits.keep_below:
            continue
        buffers[domain].add(document.text, split_hash < (limits.validation_below or 0))
        if buffers[domain].size >= plan.shard_bytes:
            yield buffers[domain].job(number, domain, split=bool(limits.validation_below))
            buffers[domain] = _ShardBuffer()
            number += 1
    if content.digest() != plan.survey.content:
        raise InputError(
            "expected the corpus to stay unchanged while it is read",
            "different text on second reading",
            "start again when nothing writes to it",
        )
    for domain, buffer in buffers.items():
        if buffer.texts:
            split = bool(plan.survey.domains[domain].validation_below)
            yield buffer.job(number, domain, split=split)
            number += 1


class _ShardBuffer:
    """Documents of one domain, gathered until they fill a shard."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.for_validation: list[bool] = []
        self.size = 0

    def add(self, text: str, for_validation: bool) -> None:
        self.texts.append(text)
        self.for_validation.append(for_validation)
        self.size += len(text.encode())

    def job(self, number: int, domain: str, *, split: bool) -> _Job:
        """Return the job of a shard; `split` is whether documents belong to different splits."""
        return _Job(number, domain, self.texts, self.for_validation if split else None)


def _in_process(jobs: Iterator[_Job], plan: Tokenization) -> Iterator[Shard]:
    """Yield shards in order, tokenized in this process."""
    for job in jobs:
        yield _existing_shard(job, plan.folder) or _write_shard(
            job, plan.tokenizer, plan.validation_fraction, plan.folder
        )


def _in_pool(jobs: Iterator[_Job], plan: Tokenization, workers: int) -> Iterator[Shard]:
    """Yield shards as worker processes finish them.

    At most one job more than there are workers is in memory.
    """
    context = multiprocessing.get_context("spawn")
    pending: set[Future[Shard]] = set()
    with ProcessPoolExecutor(workers, context, _start_worker, (plan.tokenizer.model,)) as pool:
        for job in jobs:
            shard = _existing_shard(job, plan.folder)
            if shard is not None:
                yield shard
                continue
            if len(pending) > workers:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
            pending.add(pool.submit(_work, job, plan.validation_fraction, plan.folder))
        yield from (future.result() for future in pending)


def _write_shard(
    job: _Job, tokenizer: Tokenizer, validation_fraction: float, folder: Path
) -> Shard:
    """Tokenize and write a shard; its description is written last and marks it as complete."""
    dtype = token_dtype(len(tokenizer))
    documents: dict[str, list[np.ndarray[Any, Any]]] = {split: [] for split in SPLITS}
    for index, text in enumerate(job.texts):
        split = SPLITS[bool(job.for_validation and job.for_validation[index])]
        documents[split].append(np.array([*tokenizer.encode(text), END], dtype=dtype))
    tokens = {split: np.concatenate([*documents[split], np.empty(0, dtype)]) for split in SPLITS}
    if job.for_validation is None:
        # All documents of the domain have the same text: its end is used for validation.
        cut = max(1, int(len(tokens["train"]) * (1 - validation_fraction)))
        tokens = {"train": tokens["train"][:cut], "validation": tokens["train"][cut:]}
    data = b"".join(tokens[split].tobytes() for split in SPLITS)
    path = folder / f"shard-{job.number:08d}.u{8 * dtype.itemsize}"
    write_atomic(path, lambda file: file.write(data))
    shard = Shard(
        path.name,
        job.domain,
        sum(len(text.encode()) for text in job.texts),
        {split: len(tokens[split]) for split in SPLITS},
        {split: len(documents[split]) for split in SPLITS},
        hashlib.sha256(data).hexdigest(),
    )
    write_sealed(path.with_suffix(".json"), asdict(shard))
    return shard


def _existing_shard(job: _Job, folder: Path) -> Shard | None:
    """Return the shard of a job if an earlier attempt completed it and its checksum matches."""
    description = read_sealed(folder / f"shard-{job.number:08d}.json")
    if description is None:
        return None
    shard = Shard(**description)
    path = folder / shard.file
    if not path.is_file():
        return None
    try:
        valid = file_sha256(path) == shard.sha256
    except OSError:
        return None
    return shard if valid else None


_tokenizer: Tokenizer
"""The tokenizer of a worker process."""


def _start_worker(model: bytes) -> None:
    """Prepare a worker process; it ends with its parent and leaves Ctrl-C to it."""
    global _tokenizer
    _tokenizer = Tokenizer(model)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_with_parent, args=(parent.sentinel,), daemon=True).start()


def _exit_with_parent(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


def _work(job: _Job, validation_fraction: float, folder: Path) -> Shard:
    return _write_shard(job, _tokenizer, validation_fraction, folder)
