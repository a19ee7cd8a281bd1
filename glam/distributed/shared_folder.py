"""Whether all processes write into one folder: a disk of one machine's own loses parts of a run.

Each checkpoint would lack what the other machines have, and nobody would see it before a resume.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

Sign = tuple[int, str]
"""How many folders above that of the run a file lies, and its name."""


@contextmanager
def sign_in(folder: Path) -> Iterator[Sign]:
    """Leave a file in a folder, or in the nearest one above that exists, for others to see."""
    above = _above(folder)
    levels = next(level for level, path in enumerate(above) if path.is_dir())
    # A new name, of which no machine remembers that it was not there.
    with tempfile.NamedTemporaryFile(prefix=".shared-", dir=above[levels]) as file:
        yield levels, Path(file.name).name


def is_seen(folder: Path, sign: Sign) -> bool:
    """Whether this process sees the file that another has left."""
    levels, name = sign
    above = _above(folder)
    return levels < len(above) and (above[levels] / name).exists()


def _above(folder: Path) -> list[Path]:
    folder = folder.absolute()
    return [folder, *folder.parents]
