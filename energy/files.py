"""Atomic writes: a file is written beside its final path and then renamed; no half file is seen.

What a run leaves (ledger, record) is for its user, or for the user's group on request.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from energy.errors import InputError, reason, remedy

PRIVATE, SHARED = 0o600, 0o640
"""Permissions of what a run leaves: for its user alone, and for the user's group to read."""


def permissions(group: bool) -> int:
    """Permissions of what a run leaves, whatever the umask."""
    return SHARED if group else PRIVATE


def group_may_read(path: Path) -> bool:
    """Whether a file exists and its group may read it."""
    try:
        return bool(path.stat().st_mode & stat.S_IRGRP)
    except OSError:
        return False


def make_folder(folder: Path, *, group: bool) -> None:
    """Make the folder of a run, which its user alone may enter, or the group too on request.

    Raises:
        InputError: it cannot be made.
    """
    try:
        folder.mkdir(0o750 if group else 0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error


def write_atomic(path: Path, write: Callable[[IO[bytes]], object], mode: int | None = None) -> None:
    """Write a file that is never seen half written, even after a crash or on a full disk.

    Args:
        path: the final path; its folder is created if it does not exist.
        write: called with a binary file object.
        mode: permissions of the file; by default those that the umask leaves.

    Raises:
        InputError: the folder cannot be written or the disk is full; nothing is left behind.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        handle, temporary = _open_beside(path)
        with os.fdopen(handle, "wb") as file:
            if mode is not None:
                os.fchmod(handle, mode)
            write(file)
            file.flush()
            os.fsync(file.fileno())
            if temporary is None:
                named = _beside(path)
                # src_dir_fd is unused but makes the call follow the symbolic link in /proc.
                os.link(f"/proc/self/fd/{handle}", named, src_dir_fd=handle)
                temporary = str(named)
        os.replace(temporary, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        # After the rename the temporary name no longer exists; after a failure it must go.
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _open_beside(path: Path) -> tuple[int, str | None]:
    """Open a new file in the folder of a path.

    Returns:
        The file descriptor, and the name of the file; None for a file without a name, which
        Linux removes by itself when the process is killed.
    """
    # The kernel applies the umask; a thread cannot read it without changing it for all threads.
    with contextlib.suppress(OSError, AttributeError):
        os.stat("/proc/self/fd")  # needed later, to give the file its name
        return os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, 0o666), None
    named = str(_beside(path))
    return os.open(named, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o666), named


def _beside(path: Path) -> Path:
    """A temporary name in the folder of a path, unique to this process and thread."""
    return path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")


def _remove_leftovers(path: Path) -> None:
    """Remove temporary files of this path that a killed process left, between name and rename.

    Those of the last minute stay: a process on another machine may be at work on them.
    """
    temporary = re.compile(rf"\.{re.escape(path.name)}\.\d+-\d+")
    with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
        for entry in entries:
            if temporary.fullmatch(entry.name) and entry.stat().st_mtime < time.time() - 60:
                os.unlink(entry)


def require_writable(path: Path, endings: Sequence[str] = ()) -> None:
    """Check that a file can be written, before the long computation whose result it is for.

    Nothing is left behind, and no folder is created.

    Args:
        path: the file, which may exist.
        endings: endings that it may have (".png"); any by default.

    Raises:
        InputError: it has another ending, it is a folder, or its folder cannot be written.
    """
    import tempfile

    if endings and path.suffix.lower() not in endings:
        *others, last = endings
        listing = f"{', '.join(others)} or {last}" if others else last
        raise InputError(f"expected a file ending in {listing}", str(path))
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise unwritable(path, error) from error


def write_text_atomic(path: Path, text: str, mode: int | None = None) -> None:
    """Write text with `write_atomic`, in UTF-8."""
    write_atomic(path, lambda file: file.write(text.encode()), mode)


def unwritable(path: Path, error: OSError) -> InputError:
    """The error for a file that could not be written, with what the user can do about it."""
    return InputError(f"expected to write {path}", reason(error), remedy(error))
