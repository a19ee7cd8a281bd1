"""Checkpoints written beside the training that goes on.

The loop stands still while weights and optimizer state are copied; checksum, file and disk are
another thread's. What that thread takes from the steps beside it is booked as theirs.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from glam.checkpoints.checkpoint import Checkpoint

GRACE_S = 1.0
"""Seconds that a write is given when the process is to end. A small one needs less; a thread that
the interpreter's end meets within torch aborts the process, and a large one is seldom there."""


class CheckpointWriter:
    """Writes one checkpoint at a time into a folder; whoever leaves the context has them on disk.

    An error of the writing thread (a full disk) is raised by the next call of any method. Only a
    KeyboardInterrupt soon waits no longer: it may lose the checkpoint that is being written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writing: _Writing | None = None

    def write(self, checkpoint: Checkpoint) -> None:
        """Begin to write a checkpoint, once the one before is on disk."""
        self.settle()
        self._writing = _Writing(checkpoint, self.folder)
        self._writing.start()

    def settle(self) -> None:
        """Wait until all that was given is on disk.

        Raises:
            InputError: the folder cannot be written or the disk is full.
        """
        if self._writing is None:
            return
        self._writing.join()
        writing, self._writing = self._writing, None
        if writing.error is not None:
            raise writing.error

    def look(self) -> None:
        """Raise an error of the writing thread if there is one by now; wait for nothing."""
        if self._writing is not None and not self._writing.is_alive():
            self.settle()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for the last one; its error must not hide one that is on its way already."""
        if kind is None:
            self.settle()
        elif issubclass(kind, Exception):
            try:
                self.settle()
            except Exception as second:
                print(f"warning: {second}", file=sys.stderr)
        elif self._writing is not None:
            self._writing.join(GRACE_S)


class _Writing(threading.Thread):
    """Writes one checkpoint; a daemon, so that a process that is to end at once does not wait."""

    def __init__(self, checkpoint: Checkpoint, folder: Path) -> None:
        super().__init__(name="checkpoint", daemon=True)
        self.error: BaseException | None = None
        self._checkpoint, self._folder = checkpoint, folder

    def run(self) -> None:
        try:
            self._checkpoint.write(self._folder)
        except BaseException as error:
            self.error = error
