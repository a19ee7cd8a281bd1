"""Documents become tokens once: in parallel, in shards that are whole or absent.

Shards are cut where the text says, whatever the number of processes, so that a tokenising that
was killed goes on at its first missing shard and ends in the same bits.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from energy.errors import InputError
from energy.files import write_atomic, write_text_atomic
from glam.data.sources import Documents
from glam.data.survey import Content, Part, Survey, digests
from glam.data.tokenizer import END, Tokenizer
from glam.progress import Stages

SHARD_BYTES = 16_000_000
"""Text of a shard; a document is never cut, so the last one reaches over."""


SPLITS = ("train", "held_out")


@dataclass(frozen=True)
class Shard:
    """What one shard holds: its training tokens, then its held-out ones.

    Attributes:
        file: name in the folder of the corpus.
        domain: of its documents.
        text_bytes: of its documents.
        tokens: by split.
        documents: by split.
        sha256: of the file.
    """

    file: str
    domain: str
    text_bytes: int
    tokens: dict[str, int]
    documents: dict[str, int]
    sha256: str


@dataclass(frozen=True)
class _Job:
    """The documents of one shard, and which of them are held out; None where an end of all is."""

    number: int
    domain: str
    texts: list[str]
    held: list[bool] | None


def token_dtype(vocab_size: int) -> np.dtype[Any]:
    """The smallest unsigned integers that hold a vocabulary, little-endian."""
    return np.dtype("<u2" if vocab_size <= 2**16 else "<u4")


def tokenised(
    documents: Documents,
    found: Survey,
    tokenizer: Tokenizer,
    held_out: float,
    folder: Path,
    *,
    domains: tuple[str, ...],
    workers: int = 0,
    shard_bytes: int = SHARD_BYTES,
) -> list[Shard]:
    """Write the missing shards of a corpus.

    Args:
        documents: all of them, as they were surveyed.
        found: the survey.
        tokenizer: of the tokens.
        held_out: share of the tokens held out where a domain has one document.
        folder: of the shards; those that are there and sound stay as they are.
        domains: which are tokenised.
        workers: processes; 0 is one for each core of this process.
        shard_bytes: text of a shard.

    Returns:
        The shards in order.

    Raises:
        InputError: the text is not what was surveyed, or a shard cannot be written.
    """
    workers = workers or len(os.sched_getaffinity(0))
    size = sum(found.parts[name].kept_bytes for name in domains)
    shards: dict[int, Shard] = {}
    with Stages("tokenising") as stages:
        for shard in _made(
            _jobs(documents, found, domains, shard_bytes),
            tokenizer,
            held_out,
            folder,
            min(workers, -(-size // shard_bytes)),
        ):
            shards[int(shard.file[6:14])] = shard
            done = sum(one.text_bytes for one in shards.values())
            stages.show(f"{done / 1e6:,.0f} MB", done, size)
    return [shards[number] for number in sorted(shards)]


def _made(
    jobs: Iterator[_Job], tokenizer: Tokenizer, held_out: float, folder: Path, workers: int
) -> Iterator[Shard]:
    """Shards as they are finished; no more jobs stand in memory than processes work on, and one."""
    if workers <= 1:
        for job in jobs:
            yield _kept(job, folder) or _write(job, tokenizer, held_out, folder)
        return
    context = multiprocessing.get_context("spawn")
    pending: set[Future[Shard]] = set()
    with ProcessPoolExecutor(workers, context, _prepare, (tokenizer.model,)) as pool:
        for job in jobs:
            kept = _kept(job, folder)
            if kept is not None:
                yield kept
                continue
            if len(pending) > workers:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
            pending.add(pool.submit(_write_here, job, held_out, folder))
        yield from (future.result() for future in pending)


def _jobs(
    documents: Documents, found: Survey, domains: tuple[str, ...], shard_bytes: int
) -> Iterator[_Job]:
    """Documents of one domain in shards; which shard, and which split, is the text's own doing."""
    content, number = Content(), 0
    texts: dict[str, list[str]] = {name: [] for name in domains}
    held: dict[str, list[bool]] = {name: [] for name in domains}
    sizes = dict.fromkeys(domains, 0)

    def job(domain: str, part: Part) -> _Job:
        nonlocal number
        made = _Job(number, domain, texts[domain], held[domain] if part.held_below else None)
        number += 1
        texts[domain], held[domain], sizes[domain] = [], [], 0
        return made

    for domain, document in documents:
        split, order = digests(document.text)
        content.add(domain, split, order)
        part = found.parts.get(domain)
        if domain not in texts or part is None or order >= part.kept_below:
            continue
        texts[domain].append(document.text)
        held[domain].append(split < (part.held_below or 0))
        sizes[domain] += len(document.text.encode())
        if sizes[domain] >= shard_bytes:
            yield job(domain, part)
    if content.digest() != found.content:
        raise InputError(
            "expected the corpus as it was read a moment ago",
            "another text",
            "start again when nobody writes to it",
        )
    for domain in domains:
        if texts[domain]:
            yield job(domain, found.parts[domain])


def _write(job: _Job, tokenizer: Tokenizer, held_out: float, folder: Path) -> Shard:
    """Tokenise a shard and write it; its description goes last and says that it is whole."""
    dtype = token_dtype(len(tokenizer))
    tokens: dict[str, list[np.ndarray[Any, Any]]] = {split: [] for split in SPLITS}
    for index, text in enumerate(job.texts):
        split = SPLITS[bool(job.held and job.held[index])]
        tokens[split].append(np.array([*tokenizer.encode(text), END], dtype=dtype))
    whole = {split: np.concatenate([*tokens[split], np.empty(0, dtype)]) for split in SPLITS}
    if job.held is None:
        # All documents of the domain are one text: its end is held out.
        cut = max(1, int(len(whole["train"]) * (1 - held_out)))
        whole = {"train": whole["train"][:cut], "held_out": whole["train"][cut:]}
    data = b"".join(whole[split].tobytes() for split in SPLITS)
    path = folder / f"shard-{job.number:08d}.u{8 * dtype.itemsize}"
    write_atomic(path, lambda file: file.write(data))
    shard = Shard(
        path.name,
        job.domain,
        sum(len(text.encode()) for text in job.texts),
        {split: len(whole[split]) for split in SPLITS},
        {split: len(tokens[split]) for split in SPLITS},
        hashlib.sha256(data).hexdigest(),
    )
    write_text_atomic(path.with_suffix(".json"), json.dumps(asdict(shard)) + "\n")
    return shard


def _kept(job: _Job, folder: Path) -> Shard | None:
    """The shard of a job, where an earlier attempt finished it and every byte is as it was."""
    try:
        said = (folder / f"shard-{job.number:08d}.json").read_text()
        shard = Shard(**json.loads(said))
        sound = hashlib.sha256((folder / shard.file).read_bytes()).hexdigest() == shard.sha256
    except (OSError, ValueError, TypeError):
        return None
    return shard if sound else None


_tokenizer: Tokenizer
"""Of a worker process."""


def _prepare(model: bytes) -> None:
    """Make a process ready to tokenise; it ends with its parent, and leaves Ctrl-C to it."""
    global _tokenizer
    _tokenizer = Tokenizer(model)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()


def _follow(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


def _write_here(job: _Job, held_out: float, folder: Path) -> Shard:
    return _write(job, _tokenizer, held_out, folder)


def as_shards(rows: list[Mapping[str, Any]]) -> list[Shard]:
    """Shards of the rows of a manifest."""
    return [Shard(**row) for row in rows]
