"""Writing checkpoints in a background thread.

The training loop waits only while weights and optimizer state are copied; the checksum and the
file are the work of another thread. The time it takes from the steps meanwhile counts as theirs.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from energy.outside import attempt
from glam.checkpoints.checkpoint import Checkpoint

GRACE_S = 1.0
"""Seconds to wait for a write when the process is interrupted. A small checkpoint needs less. A
thread still inside torch when the interpreter ends aborts the process, but a large checkpoint
spends little of its time there."""


logger = logging.getLogger("glam")


class CheckpointWriter:
    """Writes checkpoints into a folder, one at a time, in a background thread.

    Leaving the context waits until the last one is on disk. An error of the writing thread (a
    full disk) is raised by the next call of any method. On a KeyboardInterrupt the context waits
    only briefly and may lose the checkpoint that is being written.

    Args:
        folder: of the checkpoints.
        saved: called in the thread with the step of each that is on disk.
    """

    def __init__(self, folder: Path, saved: Callable[[int], object] | None = None) -> None:
        self.folder, self._saved = folder, saved
        self._thread: _WritingThread | None = None

    def write(self, checkpoint: Checkpoint) -> None:
        """Start to write a checkpoint, once the previous one is on disk."""
        # Imported by two threads at once, a module may be seen half.
        import glam.checkpoints.storage  # noqa: F401

        self.wait()
        self._thread = _WritingThread(checkpoint, self.folder, self._saved)
        self._thread.start()

    def wait(self) -> None:
        """Wait until every checkpoint is on disk.

        Raises:
            InputError: the folder cannot be written or the disk is full.
        """
        if self._thread is None:
            return
        self._thread.join()
        thread, self._thread = self._thread, None
        if thread.error is not None:
            raise thread.error

    def raise_pending_error(self) -> None:
        """Raise the error of the writing thread if it has failed; do not wait for it."""
        if self._thread is not None and not self._thread.is_alive():
            self.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for the last checkpoint; its error must not hide one already being raised."""
        if kind is None:
            self.wait()
        elif issubclass(kind, Exception):
            _, writing_error = attempt(self.wait)
            if writing_error is not None:
                logger.warning("%s", writing_error)
        elif self._thread is not None:
            self._thread.join(GRACE_S)


class _WritingThread(threading.Thread):
    """Writes one checkpoint; a daemon, so that it does not keep an interrupted process alive."""

    def __init__(
        self, checkpoint: Checkpoint, folder: Path, saved: Callable[[int], object] | None
    ) -> None:
        super().__init__(name="checkpoint", daemon=True)
        self.error: BaseException | None = None
        self._checkpoint, self._folder, self._saved = checkpoint, folder, saved

    def run(self) -> None:
        try:
            self._checkpoint.write(self._folder)
            if self._saved is not None:
                self._saved(self._checkpoint.step)
        except BaseException as error:
            self.error = error
