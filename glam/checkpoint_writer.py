"""Checkpoints written beside the training that goes on.

The loop stands still while weights and optimizer state are copied; checksum, file and disk are
another thread's. What that thread takes from the steps beside it is booked as theirs.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from glam.checkpoint import Snapshot


class CheckpointWriter:
    """Writes one snapshot at a time into a folder; whoever leaves the context has them on disk.

    An error of the writing thread (a full disk) is raised by the next call of any method.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._writing: Future[Path] | None = None

    def write(self, snapshot: Snapshot) -> None:
        """Begin to write a snapshot, once the one before is on disk: two copies at most."""
        self.settle()
        self._writing = self._pool.submit(snapshot.write, self.folder)

    def settle(self) -> None:
        """Wait until all that was given is on disk.

        Raises:
            InputError: the folder cannot be written or the disk is full.
        """
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def look(self) -> None:
        """Raise an error of the writing thread if there is one by now; wait for nothing."""
        if self._writing is not None and self._writing.done():
            self.settle()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """Wait for the last one; its error must not hide one that is on its way already."""
        self._pool.shutdown()
        if kind is None:
            self.settle()
