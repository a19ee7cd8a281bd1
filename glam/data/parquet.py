"""Text in columns: Parquet files, saved Arrow datasets, and datasets of the Hugging Face hub.

pyarrow and datasets are an optional extra: `pip install 'glam-energy[corpus]'`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from energy.errors import InputError, reason
from energy.files import write_atomic
from glam.data.standard_library import Document

ROWS = 1000
"""Rows that stand in memory at one time."""


INSTALL = "pip install 'glam-energy[corpus]'"


def parquet_documents(
    path: Path, domain: str, name: str, column: str
) -> Iterator[tuple[str, Document]]:
    """The rows of a Parquet file; a column "domain" names the domain of each.

    Raises:
        InputError: it is no Parquet file, is damaged, or has no such column of text.
    """
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise InputError(f"expected pyarrow, to read {path}", "none", INSTALL) from error
    try:
        with ParquetFile(path) as file:
            wanted = _columns(path, file.schema_arrow.names, column)
            batches = file.iter_batches(batch_size=ROWS, columns=wanted)
            yield from _rows((batch.to_pydict() for batch in batches), path, domain, name, column)
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(
            f"expected a Parquet file at {path}",
            reason(error),
            "write it again, or leave it out of the corpus",
        ) from error


def is_arrow_dataset(path: Path) -> bool:
    """Whether a folder was written by the `save_to_disk` of Hugging Face datasets."""
    return (path / "state.json").is_file() or (path / "dataset_dict.json").is_file()


def arrow_documents(
    path: Path, domain: str, name: str, column: str
) -> Iterator[tuple[str, Document]]:
    """The rows of a dataset on disk; of its split "train" where it has splits.

    Raises:
        InputError: it cannot be loaded, or has no such split or column.
    """
    datasets = _datasets(str(path))
    try:
        found = datasets.load_from_disk(str(path))
    except (OSError, ValueError) as error:
        raise InputError(
            f"expected a saved dataset at {path}", reason(error), "save it again with save_to_disk"
        ) from error
    if isinstance(found, datasets.DatasetDict):
        if "train" not in found:
            raise InputError(
                f"expected a split train in {path}",
                ", ".join(found),
                "name the folder of one split",
            )
        found = found["train"]
    found = found.select_columns(_columns(path, found.column_names, column))
    yield from _rows(found.iter(batch_size=ROWS), path, domain, name, column)


def spooled(spec: str, column: str, max_mb: float, cache: Path) -> Path:
    """Text of a dataset that is streamed, once, into JSON lines in the cache.

    Args:
        spec: NAME or NAME:CONFIG of the hub, or a local folder.
        column: that holds the text.
        max_mb: how much text to take; 0 takes all of a local folder.
        cache: folder of the file.

    Raises:
        InputError: there is no bound for a stream, or the dataset cannot be had.
    """
    local = Path(spec).is_dir()
    if not local and not max_mb:
        raise InputError(
            f"expected a bound for the stream hf:{spec}",
            "max_mb 0",
            "set [corpus] max_mb to the megabytes of text to take",
        )
    stamp = [path.stat().st_mtime_ns for path in sorted(Path(spec).rglob("*"))] if local else []
    key = hashlib.sha256(json.dumps([spec, column, max_mb, stamp]).encode()).hexdigest()[:16]
    path = cache / f"stream-{key}.jsonl"
    if path.exists():
        return path
    datasets = _datasets(f"hf:{spec}")
    place, _, chosen = (spec, "", "") if local else spec.partition(":")
    try:
        stream = datasets.load_dataset(place, chosen or None, split="train", streaming=True)
        names = stream.column_names or list(next(iter(stream), {}))
        stream = stream.select_columns(_columns(Path(spec), names, column))
        write_atomic(path, lambda file: _spool(stream, column, max_mb, file))
    except InputError:
        raise
    except Exception as error:  # what a network, a hub and its many builders may raise
        raise InputError(
            f"expected the dataset hf:{spec}",
            f"{type(error).__name__}: {error}",
            "check its name and the network, or name local files",
        ) from error
    return path


def _spool(stream: Any, column: str, max_mb: float, file: Any) -> None:
    left = max_mb * 1e6 or float("inf")
    for row in stream:
        text = row[column] or ""
        told = {key: row[key] for key in (column, "domain") if row.get(key)}
        file.write(json.dumps(told).encode() + b"\n")
        left -= len(text)
        if left <= 0:
            return


def _datasets(what: str) -> Any:
    try:
        import datasets
    except ImportError as error:
        raise InputError(
            f"expected Hugging Face datasets, to read {what}", "none", INSTALL
        ) from error
    return datasets


def _columns(path: Path, names: list[str], column: str) -> list[str]:
    """The columns to read; names those that are there when the text is not."""
    if column not in names:
        raise InputError(
            f"expected a column {column} in {path}",
            f"columns {', '.join(names)}",
            "set [corpus] text_column to the one that holds the text",
        )
    return [name for name in (column, "domain") if name in names]


def _rows(
    batches: Iterator[dict[str, list[Any]]], path: Path, domain: str, name: str, column: str
) -> Iterator[tuple[str, Document]]:
    number = 0
    for batch in batches:
        for row, text in enumerate(batch[column]):
            number += 1
            if text is None:
                continue
            if not isinstance(text, str):
                raise InputError(
                    f"expected text in column {column} of {path}",
                    f"row {number}: {type(text).__name__}",
                    "set [corpus] text_column",
                )
            if text.strip():
                own = batch.get("domain", [None] * len(batch[column]))[row]
                yield str(own or domain), Document(f"{name}:{number}", text)
