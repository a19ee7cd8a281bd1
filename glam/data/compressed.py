"""Files of text as hubs hand them out: plain or compressed with gzip, bzip2, xz or zstandard."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from energy.errors import InputError
from glam.data.parquet import INSTALL

ARCHIVES = (".zip", ".tar", ".tgz", ".tbz", ".txz", ".7z", ".rar")
"""Suffixes of files that hold other files."""

DAMAGED = (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile)
"""What a compressed file raises that is damaged or cut off, besides OSError."""


def inner_suffix(path: Path) -> str:
    """The suffix below that of a compression, in lower case: ".json" of c4.00001.json.gz."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in OPENERS:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def is_archive(path: Path) -> bool:
    """Whether a file holds other files, which have to be unpacked first."""
    return path.suffix.lower() in ARCHIVES or inner_suffix(path) in ARCHIVES


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file for reading, decompressed if its suffix names a compression.

    Raises:
        InputError: it is compressed with zstandard, and pyarrow is not installed.
        OSError: it cannot be opened.
    """
    opener = OPENERS.get(path.suffix.lower())
    return path.open("rb") if opener is None else opener(path)


def _open_zstandard(path: Path) -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise InputError(f"expected pyarrow, to read {path}", "none", INSTALL) from error
    return io.BufferedReader(pyarrow.input_stream(str(path), compression="zstd"))


OPENERS: dict[str, Callable[[Path], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": _open_zstandard,
}
"""What opens a compressed file, by its suffix."""
