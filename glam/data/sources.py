"""Sources of a corpus: files, folders, JSON, Parquet and Hugging Face datasets.

A path is a file or a folder; `NAME=PATH` puts its documents in the domain NAME; `hf:NAME` is a
dataset of the Hugging Face hub, or a local folder in a format it reads. Files may be compressed.
Documents are read one at a time, and what is left out is counted with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from energy.errors import InputError, reason
from glam.config import Corpus
from glam.data import json_text
from glam.data.compressed import DAMAGED, inner_suffix, is_archive, open_bytes
from glam.data.parquet import cached_stream, is_saved_dataset, parquet_documents, saved_documents
from glam.data.standard_library import Document, standard_library, standard_library_files

FIX = "name files, folders, JSON, Parquet or hf:NAME"

ABOUT_DATA = (
    *("readme", "license", "licence", "notice", "citation", "dataset_info", "dataset_infos"),
    *("urls", "checksum", "checksums", "md5sums", "sha256sums"),
)
"""Names, without suffix, of files that describe the data beside them, as on hubs."""

DATA = (*json_text.SUFFIXES, ".parquet")
"""Suffixes of files with many documents."""


PART_BYTES = 8_000_000
"""A text file is one document; a longer file is split at line ends into parts of this size."""


Documents = Iterator[tuple[str, Document]]
"""Documents, each with its domain."""


@dataclass(frozen=True)
class Source:
    """One file of a corpus.

    Attributes:
        domain: domain of its documents, unless a row names its own.
        path: location of the file.
        name: path relative to the folder the user named, so that a corpus can be moved.
        explicit: whether the user named the file itself; in a folder, files that are not text are
            skipped.
        size_bytes: size of the file, or of all files of a dataset's folder.
        modified_ns: time of the last change.
    """

    domain: str
    path: Path
    name: str
    explicit: bool
    size_bytes: int
    modified_ns: int


@dataclass
class Tally:
    """What was read from one source.

    Attributes:
        documents: documents.
        left_out: rows without text, and files that were not read.
        why: why they were left out; empty if nothing was.
    """

    documents: int = 0
    left_out: int = 0
    why: str = ""

    def leave_out(self, why: str) -> None:
        """Count a row or a file that is left out."""
        self.left_out, self.why = self.left_out + 1, why


def list_sources(config: Corpus, cache: Path) -> list[Source]:
    """List the files of a corpus, in an order that depends only on their names.

    Args:
        config: the corpus; without paths, the standard library.
        cache: folder where the text of streamed datasets is stored.

    Raises:
        InputError: a path does not exist, or a dataset cannot be loaded.
    """
    if not config.paths:
        return [_source("", path, path.name, explicit=False) for path in standard_library_files()]
    return [source for path in config.paths for source in _sources_of_path(path, config, cache)]


def read_documents(
    config: Corpus, sources: list[Source], tallies: list[Tally] | None = None
) -> Documents:
    """Yield the documents of sources with their domains, one at a time.

    Args:
        config: the corpus.
        sources: its files.
        tallies: one for each source, to count what is read from it and what is left out.

    Raises:
        InputError: a source cannot be read or is not what its name says; the message says where.
    """
    if not config.paths:
        yield from standard_library()
        return
    described = {source.path.parent for source in sources if inner_suffix(source.path) in DATA}
    for source, tally in zip(sources, tallies or [Tally() for _ in sources], strict=True):
        if _describes_data(source, described):
            tally.leave_out("it describes the data beside it")
            continue
        for domain, document in _documents(source, config.text_column, tally):
            tally.documents += 1
            yield domain, document
        if not tally.documents and source.explicit:
            suffix = f" for domain {source.domain}" if source.domain != "text" else ""
            what = "an empty file" if source.path.is_file() else "none"
            raise InputError(f"expected text in {source.path}{suffix}", what, "name another file")
        if not tally.documents and not tally.left_out:
            tally.leave_out("an empty file")


def _sources_of_path(named: str, config: Corpus, cache: Path) -> list[Source]:
    """List the files of one path of the configuration."""
    domain, location = _domain_and_location(named)
    if location.startswith("hf:"):
        path = cached_stream(location[3:], config.text_column, config.max_mb, cache)
        return [_source(domain, path, location, explicit=True)]
    path = Path(location)
    if not path.is_file() and not path.is_dir():
        seen = "a device or a pipe" if path.exists() else "no such file or folder"
        raise InputError(f"expected text at {path}", seen, FIX)
    if not path.is_dir() or is_saved_dataset(path):
        return [_source(domain, path, path.name, explicit=True)]
    return [
        _source(domain, file, str(file.relative_to(path)), explicit=False)
        for file in _visible_files(path)
    ]


def _domain_and_location(named: str) -> tuple[str, str]:
    """Split DOMAIN=PATH; a path that merely contains "=" is left whole."""
    domain, equals, location = named.partition("=")
    has_domain = equals and "/" not in domain and not Path(named).exists()
    return (domain, location) if has_domain else ("text", named)


def _visible_files(folder: Path) -> list[Path]:
    """List the files below a folder by name, without hidden ones."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _source(domain: str, path: Path, name: str, *, explicit: bool) -> Source:
    stats = [item.stat() for item in path.rglob("*")] if path.is_dir() else [path.stat()]
    return Source(
        domain,
        path,
        name,
        explicit,
        sum(item.st_size for item in stats),
        max(item.st_mtime_ns for item in stats),
    )


def _describes_data(source: Source, folders: set[Path]) -> bool:
    """Whether a file within a folder is about data in it or below it, and is no data itself."""
    if source.explicit or source.path.stem.lower() not in ABOUT_DATA:
        return False
    return any(source.path.parent in (folder, *folder.parents) for folder in folders)


def _documents(source: Source, column: str, tally: Tally) -> Documents:
    """Yield the documents of a source; what is left out of it is counted."""
    path, kind = source.path, inner_suffix(source.path)
    try:
        if path.is_dir():
            rows: json_text.Rows = saved_documents(path, source.domain, source.name, column)
        elif kind == ".parquet":
            rows = parquet_documents(path, source.domain, source.name, column)
        elif kind in json_text.SUFFIXES:
            rows = _json(source, column)
        else:
            rows = _text_file(source)
        for domain, document in rows:
            if document is None:
                tally.leave_out("no text in the row")
            else:
                yield domain, document
    except _NotReadError as error:
        tally.leave_out(str(error))
    except (OSError, *DAMAGED) as error:
        raise InputError(
            f"expected to read {path}",
            reason(error) if isinstance(error, OSError) else f"damaged: {error}",
            "make it readable, or leave it out of the corpus",
        ) from error


class _NotReadError(Exception):
    """A file within a folder that is not read, with the reason."""


def _json(source: Source, column: str) -> json_text.Rows:
    """Yield the documents of a JSON file; within a folder, settings and the like are plain text."""
    try:
        yield from json_text.json_documents(source.path, source.domain, source.name, column)
    except json_text.OtherJsonError as error:
        if source.explicit:
            raise InputError(
                f"expected JSON with text under the key {column} in {source.path}",
                "other JSON, or none",
                "set [corpus] text_column to the key of the text",
            ) from error
        yield from _text_file(source)


def _text_file(source: Source) -> json_text.Rows:
    """Yield a text file as one document, or as several parts if it is long."""
    if is_archive(source.path):
        if source.explicit:
            raise InputError(
                f"expected text in {source.path}", "an archive", "unpack it and name its folder"
            )
        raise _NotReadError("an archive: unpack it to read it")
    number = 0
    with open_bytes(source.path) as file:
        while lines := file.readlines(PART_BYTES):
            number += 1
            try:
                text = b"".join(lines).decode()
                if "\0" in text:
                    raise ValueError("NUL")
            except ValueError as error:
                if source.explicit or number > 1:
                    raise json_text.not_text(source.path) from error
                raise _NotReadError("not UTF-8 text") from error
            if text.strip():
                name = source.name if number == 1 else f"{source.name} part {number}"
                yield source.domain, Document(name, text)
