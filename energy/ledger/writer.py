"""Appends rows to a ledger, each with its hash: one writer a file; torn tails and full disks."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from energy.files import PRIVATE, SHARED
from energy.ledger import lines as ledger

SYNC_S = 30.0
"""Seconds between flushes to the disk itself; the most that a power cut can cost."""

LOCK_S = 3.0
"""Seconds to wait for the sampler of a run that has just died to write its last rows."""

COPY_BYTES = 1 << 20
"""Copied at a time when a deleted ledger is restored."""

ROWS_AT_ONCE = 100
"""Rows in a single write."""

KEPT_ROWS = 10_000
"""Rows kept in memory while the disk is full."""


def create(path: Path, group: bool = False) -> int:
    """Open the file of a ledger to append to it; a new one is for its user alone.

    Args:
        path: the file; never a link, which could lead to any other file.
        group: whether the user's group may read it.

    Raises:
        OSError: it cannot be written, or it is a link.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, PRIVATE)
    if group:
        with contextlib.suppress(OSError):  # another user's file is shared by that user
            os.fchmod(file, SHARED)
    return file


class LedgerInUseError(Exception):
    """Another sampler writes this ledger."""


class Writer:
    """Appends sealed rows; a full disk delays rows but loses none that are still in memory.

    It holds a lock on the file as long as it lives, so that there are never two writers of a chain.

    Args:
        path: the ledger.
        make: makes a call that writes, and returns what it returns.

    Attributes:
        refused: errno of the write that the disk refused last; 0 if it has taken all rows since.

    Raises:
        LedgerInUseError: another process holds the lock, and kept it.
    """

    def __init__(
        self, path: Path, make: Callable[[Callable[[], int]], int] = lambda call: call()
    ) -> None:
        self.path, self._make = path, make
        self._syncing: threading.Thread | None = None
        self._file = create(path)
        self._lock()
        self._size = os.lseek(self._file, 0, os.SEEK_END)
        self._drop_torn_tail()
        self._previous = ledger.last_hash(path)
        self._waiting: list[dict[str, Any]] = []
        self.refused = 0
        # Rows that are lost because the disk refused them for too long, and since when it did.
        self._dropped, self._refused_ns = 0, 0
        self._synced = time.monotonic()

    def append(self, *rows: dict[str, Any]) -> None:
        """Write rows, after those that the disk has refused so far."""
        # Refused rows are retried one by one: the last free space goes to the oldest.
        at_once = 1 if self._waiting else ROWS_AT_ONCE
        self._waiting += rows
        while self._waiting:
            lines, previous = [], self._previous
            for row in self._waiting[:at_once]:
                line, previous = ledger.seal(row, previous)
                lines.append(line)
            if self._write(b"".join(lines)):
                self._previous = previous
                del self._waiting[: len(lines)]
                if self._dropped:
                    self._waiting.append(self._loss())
                self.refused = self.refused if self._waiting else 0
            elif at_once > 1:
                at_once = 1
            else:
                self._dropped += max(0, len(self._waiting) - KEPT_ROWS)
                del self._waiting[:-KEPT_ROWS]
                return
        if time.monotonic() - self._synced > SYNC_S:
            self._sync_aside()

    def _loss(self) -> dict[str, Any]:
        """The row that says that rows are lost, once the disk takes rows again."""
        now, dropped, self._dropped = time.monotonic_ns(), self._dropped, 0
        return {
            "k": "gap",
            "m": now,
            "s": round((now - self._refused_ns) / 1e9, 3),
            "why": f"{dropped:,} rows could not be written ({os.strerror(self.refused)})",
        }

    def restore(self) -> bool:
        """Write the ledger again if somebody has deleted it; returns whether that was so.

        If the folder is gone too, nothing is restored: the run itself was thrown away.
        """
        try:
            deleted = os.fstat(self._file)
            if deleted.st_nlink:
                return False
            again = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, PRIVATE)
            os.fchmod(again, stat.S_IMODE(deleted.st_mode))
        except OSError:
            return False
        with contextlib.suppress(OSError):
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._make(lambda: self._copy(again))
        os.close(self._file)
        self._file = again
        return True

    def _copy(self, to: int) -> int:
        """Copy the ledger to another file; returns its size."""
        for start in range(0, self._size, COPY_BYTES):
            os.write(to, os.pread(self._file, min(COPY_BYTES, self._size - start), start))
        return self._size

    def close(self) -> None:
        """Flush to the disk, and let others write."""
        with contextlib.suppress(OSError):
            os.fdatasync(self._file)
        with contextlib.suppress(OSError):
            fcntl.flock(self._file, fcntl.LOCK_UN)
        os.close(self._file)

    def _sync_aside(self) -> None:
        """Flush to the disk in a thread: a file server may take long, and nobody waits for it."""
        self._synced = time.monotonic()
        if self._syncing is not None and self._syncing.is_alive():
            return
        file = os.dup(self._file)

        def sync() -> None:
            with contextlib.suppress(OSError):
                os.fdatasync(file)
            os.close(file)

        self._syncing = threading.Thread(target=sync, daemon=True)
        self._syncing.start()

    def _lock(self) -> None:
        give_up_s = time.monotonic() + LOCK_S
        while True:
            try:
                return fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() > give_up_s:
                    if _is_dying(_holder(self._file)):
                        return None
                    raise LedgerInUseError from error
                time.sleep(0.02)
            except OSError:
                return None  # a file system without locks

    def _write(self, lines: bytes) -> bool:
        try:
            written = self._make(lambda: os.write(self._file, lines))
            error = errno.ENOSPC  # what a file system means that writes a part
        except OSError as refusal:
            written, error = 0, refusal.errno or errno.EIO
        if written == len(lines):
            self._size += written
            return True
        if not self.refused:
            self._refused_ns = time.monotonic_ns()
        self.refused = error
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, self._size)
        return False

    def _drop_torn_tail(self) -> None:
        """Cut off a last line that was being written when its writer was killed."""
        size = self._size
        tail_bytes = min(size, ledger.TAIL_BYTES)
        tail = os.pread(self._file, tail_bytes, size - tail_bytes)
        if tail and not tail.endswith(b"\n"):
            self._size = size - len(tail) + tail.rfind(b"\n") + 1
            os.ftruncate(self._file, self._size)


def _holder(file: int, locks: Path = Path("/proc/locks")) -> int | None:
    """The process that holds the lock on a file; None if the kernel does not tell."""
    inode = os.fstat(file).st_ino
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in locks.read_text().splitlines():
            # "1: FLOCK  ADVISORY  WRITE 708 00:2a:13421 0 EOF" (proc(5))
            words = line.split()
            if words[1] == "FLOCK" and words[5].rpartition(":")[2] == str(inode):
                return int(words[4])
    return None


def _is_dying(pid: int | None, proc: Path = Path("/proc")) -> bool:
    """Whether a process was killed, and only a call into the kernel that hangs keeps its files."""
    with contextlib.suppress(OSError, ValueError):
        rows = (line.partition(":") for line in (proc / f"{pid}/status").read_text().splitlines())
        status = {name: value.split() for name, _, value in rows}
        pending = int(status["SigPnd"][0], 16) | int(status["ShdPnd"][0], 16)
        return status["State"][0] in ("Z", "X") or bool(pending >> (signal.SIGKILL - 1) & 1)
    return False
