"""Sources of a corpus: files, folders, JSON lines, Parquet and Hugging Face datasets.

A path is a file or a folder; `NAME=PATH` puts its documents in the domain NAME; `hf:NAME` is a
dataset of the Hugging Face hub, or a local folder in a format it reads. Documents are read one at
a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from energy.errors import InputError, reason
from glam.config import Corpus
from glam.data.parquet import cached_stream, is_saved_dataset, parquet_documents, saved_documents
from glam.data.standard_library import Document, standard_library, standard_library_files

FIX = "name files, folders, JSON lines, Parquet or hf:NAME"


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


def read_documents(config: Corpus, sources: list[Source]) -> Documents:
    """Yield the documents of sources with their domains, one at a time.

    Raises:
        InputError: a source cannot be read or is not what its name says; the message says where.
    """
    if not config.paths:
        yield from standard_library()
        return
    for source in sources:
        empty = True
        for domain, document in _documents(source, config.text_column):
            empty = False
            yield domain, document
        if empty and source.explicit:
            suffix = f" for domain {source.domain}" if source.domain != "text" else ""
            what = "an empty file" if source.path.is_file() else "none"
            raise InputError(f"expected text in {source.path}{suffix}", what, "name another file")


def _sources_of_path(named: str, config: Corpus, cache: Path) -> list[Source]:
    """List the files of one path of the configuration."""
    domain, location = _domain_and_location(named)
    if location.startswith("hf:"):
        path = cached_stream(location[3:], config.text_column, config.max_mb, cache)
        return [_source(domain, path, location, explicit=True)]
    path = Path(location)
    if not path.exists():
        raise InputError(f"expected text at {path}", "no such file or folder", FIX)
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


def _documents(source: Source, column: str) -> Documents:
    path = source.path
    if path.is_dir():
        yield from saved_documents(path, source.domain, source.name, column)
    elif path.suffix == ".parquet":
        yield from parquet_documents(path, source.domain, source.name, column)
    elif path.suffix in (".jsonl", ".ndjson"):
        yield from _json_lines(source, column)
    else:
        yield from _text_file(source)


def _json_lines(source: Source, column: str) -> Documents:
    """Yield the documents of JSON lines {"text": ..., "domain": ...}; blank lines are skipped."""
    number = 0
    try:
        with source.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                row = json.loads(line)
                text = row[column]
                if not isinstance(text, str):
                    raise TypeError(f"{column} is not a string")
                if text.strip():
                    # JSON can hold an unpaired surrogate, which no encoding can represent.
                    text = text.encode("utf-8", "replace").decode()
                    domain = str(row.get("domain", source.domain))
                    yield domain, Document(f"{source.name}:{number}", text)
    except OSError as error:
        raise _unreadable(source.path, error) from error
    except (ValueError, KeyError, TypeError) as error:
        if number == 1 and isinstance(error, UnicodeDecodeError):
            raise _not_text(source.path) from error
        raise InputError(
            f'expected {{"{column}": ...}} in every line of {source.path}',
            f"line {number}: {error}",
        ) from error


def _text_file(source: Source) -> Documents:
    """Yield a text file as one document, or as several parts if it is long."""
    number = 0
    try:
        with source.path.open("rb") as file:
            while lines := file.readlines(PART_BYTES):
                number += 1
                text = b"".join(lines).decode()
                if "\0" in text:
                    raise ValueError("NUL")
                if text.strip():
                    name = source.name if number == 1 else f"{source.name} part {number}"
                    yield source.domain, Document(name, text)
    except OSError as error:
        raise _unreadable(source.path, error) from error
    except ValueError as error:
        if source.explicit or number > 1:
            raise _not_text(source.path) from error


def _not_text(path: Path) -> InputError:
    return InputError(f"expected UTF-8 text in {path}", "other bytes", "name another file")


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"expected to read {path}", reason(error), "make it readable, or leave it out of the corpus"
    )
