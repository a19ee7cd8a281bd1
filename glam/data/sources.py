"""What a corpus is read from: files, folders, JSON lines, Parquet, Hugging Face datasets.

A path is a file or a folder; `NAME=PATH` gives its documents the domain NAME; `hf:NAME` is a
dataset of the Hugging Face hub, or a local one for its builders. Documents are read one at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from energy.errors import InputError, reason
from glam.config import Corpus
from glam.data.parquet import arrow_documents, is_arrow_dataset, parquet_documents, spooled
from glam.data.standard_library import Document, standard_library, standard_library_files

FIX = "name files, folders, JSON lines, Parquet or hf:NAME"


PIECE_BYTES = 8_000_000
"""A text file is one document; a longer one is read as several, cut at ends of lines."""


Documents = Iterator[tuple[str, Document]]


@dataclass(frozen=True)
class Source:
    """One file of a corpus, as found on disk.

    Attributes:
        domain: of its documents, unless a row names its own.
        path: where it is.
        name: from the named folder on, so that a corpus that moves stays the same.
        strict: whether it was named itself; in a folder what is no text is passed over.
        size_bytes: of the file, or of the files of a dataset's folder.
        modified_ns: when it last changed.
    """

    domain: str
    path: Path
    name: str
    strict: bool
    size_bytes: int
    modified_ns: int


def sources(config: Corpus, cache: Path) -> list[Source]:
    """The files of a corpus, in an order that depends on their names only.

    Args:
        config: which paths; without any, the standard library's files.
        cache: where text of a network is kept.

    Raises:
        InputError: a path does not exist, or a dataset cannot be had.
    """
    if not config.paths:
        return [_source("", path, path.name, False) for path in standard_library_files()]
    found = []
    for named in config.paths:
        domain, place = _domain_and_place(named)
        if place.startswith("hf:"):
            path = spooled(place[3:], config.text_column, config.max_mb, cache)
            found.append(_source(domain, path, place, True))
            continue
        path = Path(place)
        if not path.exists():
            raise InputError(f"expected text at {path}", "no such file or folder", FIX)
        if not path.is_dir() or is_arrow_dataset(path):
            found.append(_source(domain, path, path.name, True))
            continue
        inner = sorted(
            item
            for item in path.rglob("*")
            if item.is_file()
            and not any(part.startswith(".") for part in item.relative_to(path).parts)
        )
        found += [_source(domain, item, str(item.relative_to(path)), False) for item in inner]
    return found


def documents(config: Corpus, found: list[Source]) -> Documents:
    """The documents of sources by domain, one at a time.

    Raises:
        InputError: a source cannot be read, or holds something else; the message says where.
    """
    if not config.paths:
        yield from standard_library()
        return
    for source in found:
        empty = True
        for domain, document in _documents(source, config.text_column):
            empty = False
            yield domain, document
        if empty and source.strict:
            whose = f" for domain {source.domain}" if source.domain != "text" else ""
            what = "an empty file" if source.path.is_file() else "none"
            raise InputError(f"expected text in {source.path}{whose}", what, "name another file")


def _domain_and_place(named: str) -> tuple[str, str]:
    domain, equals, place = named.partition("=")
    plain = equals and "/" not in domain and not Path(named).exists()
    return (domain, place) if plain else ("text", named)


def _source(domain: str, path: Path, name: str, strict: bool) -> Source:
    inner = [item.stat() for item in path.rglob("*")] if path.is_dir() else [path.stat()]
    return Source(
        domain,
        path,
        name,
        strict,
        sum(item.st_size for item in inner),
        max(item.st_mtime_ns for item in inner),
    )


def _documents(source: Source, column: str) -> Documents:
    path = source.path
    if path.is_dir():
        yield from arrow_documents(path, source.domain, source.name, column)
    elif path.suffix == ".parquet":
        yield from parquet_documents(path, source.domain, source.name, column)
    elif path.suffix in (".jsonl", ".ndjson"):
        yield from _lines(source, column)
    else:
        yield from _text(source)


def _lines(source: Source, column: str) -> Documents:
    """JSON lines: {"text": ..., "domain": ...}; blank lines are passed over."""
    number = 0
    try:
        with source.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                value = json.loads(line)
                text = value[column]
                if not isinstance(text, str):
                    raise TypeError(f"{column} is no string")
                if text.strip():
                    # JSON can write half of a pair of surrogates, which is no text in any encoding.
                    text = text.encode("utf-8", "replace").decode()
                    domain = str(value.get("domain", source.domain))
                    yield domain, Document(f"{source.name}:{number}", text)
    except OSError as error:
        raise unreadable(source.path, error) from error
    except (ValueError, KeyError, TypeError) as error:
        if number == 1 and isinstance(error, UnicodeDecodeError):
            raise _no_text(source.path) from error
        raise InputError(
            f'expected {{"{column}": ...}} in every line of {source.path}',
            f"line {number}: {error}",
        ) from error


def _text(source: Source) -> Documents:
    """A text file: one document, or several where it is long."""
    number = 0
    try:
        with source.path.open("rb") as file:
            while lines := file.readlines(PIECE_BYTES):
                number += 1
                text = b"".join(lines).decode()
                if "\0" in text:
                    raise ValueError("NUL")
                if text.strip():
                    name = source.name if number == 1 else f"{source.name} part {number}"
                    yield source.domain, Document(name, text)
    except OSError as error:
        raise unreadable(source.path, error) from error
    except ValueError as error:
        if source.strict or number > 1:
            raise _no_text(source.path) from error


def _no_text(path: Path) -> InputError:
    return InputError(f"expected UTF-8 text in {path}", "something else", "name another file")


def unreadable(path: Path, error: OSError) -> InputError:
    """Say in the user's words why a file of the corpus cannot be read."""
    return InputError(
        f"expected to read {path}", reason(error), "make it readable, or leave it out of the corpus"
    )
