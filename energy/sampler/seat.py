"""One process reads the meters of a node; those that come later attach to it.

Whoever holds the lock on a file of this user, named by the boot and by what is read, is the one
that reads. The file says who that is and where its samples lie. The kernel gives the lock to the
next when its holder ends, however it ends, so a node is never without a reader for long.

Beside the lock the holder listens on a datagram socket, where those attached to it name the edges
of their windows, so that the counters are dated around them too.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import socket
import stat
import tempfile
import threading
from pathlib import Path
from typing import Any

WORD_BYTES = 8192
"""Of the longest word to a holder."""


class Seat:
    """The place of the one reader of a node, for one choice of what is read.

    Args:
        choice: what is read; those who read the same share one reader.
    """

    def __init__(self, choice: object) -> None:
        self._lock = -1
        self._heard: socket.socket | None = None
        self._sends: socket.socket | None = None
        self._path: Path | None = None
        with contextlib.suppress(OSError):
            digest = hashlib.sha256(json.dumps(choice).encode()).hexdigest()[:8]
            self._path = runtime_folder() / f"{boot_id()}-{digest}"
            self._lock = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)

    def take(self) -> bool:
        """Take the seat if it is free; True too where there are no locks, and each reads alone."""
        if self._lock < 0:
            return True
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
        self._taken()
        return True

    def wait(self) -> int:
        """Wait for the seat in the background; returns a file that ends when it is ours."""
        ours, theirs = os.pipe()

        def queue() -> None:
            with contextlib.suppress(OSError):
                fcntl.flock(self._lock, fcntl.LOCK_EX)
                self._taken()
                os.close(theirs)

        threading.Thread(target=queue, daemon=True).start()
        return ours

    def tell(self, run_id: str, ledger: Path) -> None:
        """Say who sits here, and where its samples are written."""
        if self._lock >= 0:
            told = json.dumps({"id": run_id, "ledger": str(ledger)}).encode()
            with contextlib.suppress(OSError):
                os.pwrite(self._lock, told, 0)
                os.ftruncate(self._lock, len(told))

    def holder(self) -> dict[str, Any] | None:
        """Who sits here, as `tell` said it; None while the holder is only starting."""
        try:
            told = json.loads(os.pread(self._lock, 65536, 0))
        except (OSError, ValueError):
            return None
        return told if isinstance(told, dict) and {"id", "ledger"} <= told.keys() else None

    def ask(self, words: str) -> None:
        """Send a word to the holder; it is lost where nobody listens."""
        if self._path is None:
            return
        with contextlib.suppress(OSError):
            if self._sends is None:
                self._sends = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._sends.setblocking(False)
            self._sends.sendto(words.encode(), f"{self._path}.ask")

    def fileno(self) -> int:
        """The file to wait on for what the others ask; -1 where nobody can."""
        return -1 if self._heard is None else self._heard.fileno()

    def asked(self) -> list[str]:
        """What the others have asked since the last look."""
        words: list[str] = []
        with contextlib.suppress(OSError):
            while self._heard is not None and len(words) < 1000:
                words.append(self._heard.recv(WORD_BYTES).decode(errors="replace"))
        return words

    def leave(self) -> None:
        """Give the seat to the next; the socket goes while the lock says that it is ours."""
        if self._heard is not None:
            self._heard.close()
            with contextlib.suppress(OSError):
                os.unlink(f"{self._path}.ask")
            self._heard = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _taken(self) -> None:
        """Forget who sat here before, and listen."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._lock, 0)
        place = f"{self._path}.ask"
        with contextlib.suppress(OSError):
            os.unlink(place)
        with contextlib.suppress(OSError):
            heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            heard.setblocking(False)
            heard.bind(place)
            self._heard = heard


def runtime_folder() -> Path:
    """The folder of this user for what lives as long as its processes.

    Raises:
        OSError: there is none that is this user's alone.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.access(runtime, os.W_OK):
        folder = Path(runtime) / "glam-energy"
    else:
        folder = Path(tempfile.gettempdir()) / f"glam-energy-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    # Anybody may have made that name in a shared folder before us.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(f"{folder} is not this user's")
    return folder


def boot_id() -> str:
    """The kernel's name for this boot; the host name where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return platform.node()
