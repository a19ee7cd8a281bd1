"""Files that are whole or absent: every result is written beside its place and then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

from energy.errors import InputError, reason


def write_atomic(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file so that a reader, a crash or a full disk never sees half of it.

    Args:
        path: the final place; its folder is made if it is not there.
        write: called with a binary file object.

    Raises:
        InputError: the folder cannot be written or the disk is full; nothing is left behind.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = _opened(path)
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
            if temporary is None:
                named = _beside(path)
                # With a folder given, unused here, the call follows the link of /proc.
                os.link(f"/proc/self/fd/{handle}", named, src_dir_fd=handle)
                temporary = str(named)
        os.replace(temporary, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        # After the rename the temporary name is gone; after any failure it must not stay.
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _opened(path: Path) -> tuple[int, str | None]:
    """A new file beside a path, without a name where the system has such: a kill leaves nothing."""
    # The kernel applies the umask, which a thread cannot ask for without changing it for all.
    with contextlib.suppress(OSError, AttributeError):
        os.stat("/proc/self/fd")  # where it gets its name from
        return os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, 0o666), None
    named = str(_beside(path))
    return os.open(named, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o666), named


def _beside(path: Path) -> Path:
    """A name beside a path that no other thread or process gives."""
    return path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")


def write_text_atomic(path: Path, text: str) -> None:
    """Write text with `write_atomic`, in UTF-8."""
    write_atomic(path, lambda file: file.write(text.encode()))


def unwritable(path: Path, error: OSError) -> InputError:
    """Say in the user's words why a file could not be written."""
    fix = {
        errno.ENOSPC: "free some space or choose another folder",
        errno.EDQUOT: "free some of your quota or choose another folder",
        errno.EACCES: "choose a folder you may write to",
        errno.EROFS: "choose a folder that is not read-only",
    }.get(error.errno or 0, "choose another path")
    return InputError(f"expected to write {path}", reason(error), fix)
