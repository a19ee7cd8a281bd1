"""Text in columns: Parquet files, saved Arrow datasets, and datasets of the Hugging Face hub.

pyarrow and datasets are an optional extra: `pip install 'glam-energy[corpus]'`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import repeat
from pathlib import Path
from typing import IO, Any

from energy.errors import InputError, reason
from energy.files import write_atomic
from energy.outside import attempt
from glam.data.standard_library import Document

BATCH_ROWS = 1000
"""Rows in memory at the same time."""


INSTALL = "pip install 'glam-energy[corpus]'"


def parquet_documents(
    path: Path, domain: str, name: str, column: str
) -> Iterator[tuple[str, Document | None]]:
    """Yield the rows of a Parquet file; a column "domain" overrides the domain of each.

    Memory is bounded by one text, not by a batch of them: a file of 533 bytes can hold a thousand
    rows of the same megabyte.

    Raises:
        InputError: pyarrow is not installed, the file is not Parquet or is damaged, or it has no
            such column of text.
    """
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile, read_schema
    except ImportError as error:
        raise InputError(f"expected pyarrow, to read {path}", "none", INSTALL) from error
    try:
        columns = _columns(path, read_schema(path).names, column)
        # Equal texts of a batch stay one text in memory.
        with ParquetFile(path, read_dictionary=[column]) as file:
            batches = file.iter_batches(batch_size=BATCH_ROWS, columns=columns)
            yield from _documents(map(_lazy_columns, batches), path, domain, name, column)
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(
            f"expected a Parquet file at {path}",
            reason(error),
            "write it again, or leave it out of the corpus",
        ) from error


def is_saved_dataset(path: Path) -> bool:
    """Return whether a folder was written by `save_to_disk` of Hugging Face datasets."""
    return (path / "state.json").is_file() or (path / "dataset_dict.json").is_file()


def saved_documents(
    path: Path, domain: str, name: str, column: str
) -> Iterator[tuple[str, Document | None]]:
    """Yield the rows of a saved dataset; if it has splits, those of its split "train".

    Raises:
        InputError: the dataset cannot be loaded, or it has no such split or column.
    """
    datasets = _datasets_library(str(path))
    try:
        dataset = datasets.load_from_disk(str(path))
    except (OSError, ValueError) as error:
        raise InputError(
            f"expected a saved dataset at {path}", reason(error), "save it again with save_to_disk"
        ) from error
    if isinstance(dataset, datasets.DatasetDict):
        if "train" not in dataset:
            raise InputError(
                f"expected a split train in {path}",
                ", ".join(dataset),
                "name the folder of one split",
            )
        dataset = dataset["train"]
    dataset = dataset.select_columns(_columns(path, dataset.column_names, column))
    yield from _documents(dataset.iter(batch_size=BATCH_ROWS), path, domain, name, column)


def cached_stream(spec: str, column: str, max_mb: float, cache: Path) -> Path:
    """Return a file of JSON lines with the text of a dataset, streamed into the cache once.

    Args:
        spec: NAME or NAME:CONFIG on the hub, or a local folder.
        column: column of the text.
        max_mb: megabytes of text to take; for a local folder, 0 takes all of it.
        cache: folder of the file.

    Raises:
        InputError: a stream from the hub has no limit, or the dataset cannot be loaded.
    """
    local = Path(spec).is_dir()
    if not local and not max_mb:
        raise InputError(
            f"expected a limit for the stream hf:{spec}",
            "max_mb 0",
            "set [corpus] max_mb to the megabytes of text to take",
        )
    stamp = [path.stat().st_mtime_ns for path in sorted(Path(spec).rglob("*"))] if local else []
    key = hashlib.sha256(json.dumps([spec, column, max_mb, stamp]).encode()).hexdigest()[:16]
    path = cache / f"stream-{key}.jsonl"
    if path.exists():
        return path
    datasets = _datasets_library(f"hf:{spec}")
    name, _, config = (spec, "", "") if local else spec.partition(":")

    def load() -> None:
        stream = datasets.load_dataset(name, config or None, split="train", streaming=True)
        names = stream.column_names or list(next(iter(stream), {}))
        stream = stream.select_columns(_columns(Path(spec), names, column))
        write_atomic(path, lambda file: _write_lines(stream, column, max_mb, file))

    _, error = attempt(load)  # a network, the hub and its many builders may raise anything
    if isinstance(error, InputError):
        raise error
    if error is not None:
        raise InputError(
            f"expected the dataset hf:{spec}",
            f"{type(error).__name__}: {error}",
            "check its name and the network, or name local files",
        ) from error
    return path


def _write_lines(stream: Any, column: str, max_mb: float, file: IO[bytes]) -> None:
    """Write the rows of a stream as JSON lines, up to the limit of text."""
    remaining = max_mb * 1e6 or float("inf")
    for row in stream:
        line = {key: row[key] for key in (column, "domain") if row.get(key)}
        file.write(json.dumps(line).encode() + b"\n")
        remaining -= len(row[column] or "")
        if remaining <= 0:
            return


def _datasets_library(what: str) -> Any:
    try:
        import datasets
    except ImportError as error:
        raise InputError(
            f"expected Hugging Face datasets, to read {what}", "none", INSTALL
        ) from error
    return datasets


def _columns(path: Path, names: list[str], column: str) -> list[str]:
    """Return the columns to read: that of the text and, if there is one, that of the domain."""
    if column not in names:
        raise InputError(
            f"expected a column {column} in {path}",
            f"columns {', '.join(names)}",
            "set [corpus] text_column to the column of the text",
        )
    return [name for name in (column, "domain") if name in names]


def _lazy_columns(batch: Any) -> dict[str, Iterable[Any]]:
    """The columns of an Arrow batch, whose values become Python objects one at a time."""
    return {
        name: map(_as_python, values)
        for name, values in zip(batch.schema.names, batch.columns, strict=True)
    }


def _as_python(value: Any) -> Any:
    """A value of Arrow; None for a text that is not UTF-8, which Arrow does not check."""
    try:
        return value.as_py()
    except UnicodeDecodeError:
        return None


def _documents(
    batches: Iterator[Mapping[str, Iterable[Any]]], path: Path, domain: str, name: str, column: str
) -> Iterator[tuple[str, Document | None]]:
    """Yield the documents of batches of columns with their domains; None for a row without text."""
    number = 0
    for batch in batches:
        domains = batch.get("domain", repeat(None))
        for text, row_domain in zip(batch[column], domains, strict=False):
            number += 1
            if text is not None and not isinstance(text, str):
                raise InputError(
                    f"expected text in column {column} of {path}",
                    f"row {number}: {type(text).__name__}",
                    "set [corpus] text_column",
                )
            document = Document(f"{name}:{number}", text) if text and text.strip() else None
            yield str(row_domain or domain), document
