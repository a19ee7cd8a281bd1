"""What the fuzzer knows of a reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any


@dataclass(frozen=True)
class Reader:
    """One kind of file, and what reads it.

    Attributes:
        name: of the kind.
        kind: json, jsonl, toml, csv or bytes: what can be changed in it.
        make: writes a valid file into a folder, and gives its path.
        read: reads it; gives what it read, or prints that.
        weight: share of the inputs, relative to the others.
        elsewhere: whether something else may stand at its place: a folder, an endless file.
    """

    name: str
    kind: str
    make: Callable[[Path, Random], Path]
    read: Callable[[Path], Any]
    weight: int = 1
    elsewhere: bool = True
