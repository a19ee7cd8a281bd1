"""One process reads the meters of a node; processes that come later attach to it.

The reader holds a lock on a file of this user, named by the boot and by what is read. The file says
which run holds the seat and where its samples are written. When the holder ends, however it ends,
the kernel passes the lock to the next in line, so a node is never without a reader for long.

The holder also listens on a datagram socket beside the lock. Attached processes send it the edges
of their windows, so that the counters are dated around those too.
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

MESSAGE_BYTES = 8192
"""Size of the longest message to a holder."""

MESSAGES = 1000
"""Messages that a holder takes at a time."""


class Seat:
    """The place of the one process that reads a given choice of meters on a node.

    Args:
        choice: what is read; processes with the same choice share one reader.
    """

    def __init__(self, choice: object) -> None:
        self._lock = -1
        self._receiver: socket.socket | None = None
        self._sender: socket.socket | None = None
        self._path: Path | None = None
        with contextlib.suppress(OSError):
            digest = hashlib.sha256(json.dumps(choice).encode()).hexdigest()[:8]
            self._path = runtime_folder() / f"{boot_id()}-{digest}"
            self._lock = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)

    def take(self) -> bool:
        """Take the seat if it is free; without file locks every process takes a seat of its own."""
        if self._lock < 0:
            return True
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
        self._start_holding()
        return True

    def wait(self) -> int:
        """Wait for the seat in the background.

        Returns:
            A descriptor that reaches its end once this process holds the seat.
        """
        ours, theirs = os.pipe()

        def queue() -> None:
            with contextlib.suppress(OSError):
                fcntl.flock(self._lock, fcntl.LOCK_EX)
                self._start_holding()
                os.close(theirs)

        threading.Thread(target=queue, daemon=True).start()
        return ours

    def announce(self, run_id: str, ledger: Path) -> None:
        """Publish which run holds the seat, and where its samples are written."""
        if self._lock >= 0:
            text = json.dumps({"id": run_id, "ledger": str(ledger)}).encode()
            with contextlib.suppress(OSError):
                os.pwrite(self._lock, text, 0)
                os.ftruncate(self._lock, len(text))

    def holder(self) -> dict[str, Any] | None:
        """What the holder has announced: `id` and `ledger`; None while it is starting."""
        try:
            holder = json.loads(os.pread(self._lock, 65536, 0))
        except (OSError, ValueError):
            return None
        return holder if isinstance(holder, dict) and {"id", "ledger"} <= holder.keys() else None

    def send(self, message: str) -> None:
        """Send a message to the holder; it is lost if nobody listens."""
        if self._path is None:
            return
        with contextlib.suppress(OSError):
            if self._sender is None:
                self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._sender.setblocking(False)
            self._sender.sendto(message.encode(), str(self._socket_path()))

    def fileno(self) -> int:
        """The descriptor on which the holder waits for messages; -1 if it cannot receive any."""
        return -1 if self._receiver is None else self._receiver.fileno()

    def messages(self) -> list[str]:
        """The messages that have arrived since the last call."""
        messages: list[str] = []
        with contextlib.suppress(OSError):
            while self._receiver is not None and len(messages) < MESSAGES:
                messages.append(self._receiver.recv(MESSAGE_BYTES).decode(errors="replace"))
        return messages

    def leave(self) -> None:
        """Leave the seat to the next; the socket is removed while the lock is still held."""
        if self._receiver is not None:
            self._receiver.close()
            with contextlib.suppress(OSError):
                self._socket_path().unlink()
            self._receiver = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _start_holding(self) -> None:
        """Erase the previous holder's announcement, and listen."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._lock, 0)
        with contextlib.suppress(OSError):
            self._socket_path().unlink()
        with contextlib.suppress(OSError):
            receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            receiver.setblocking(False)
            receiver.bind(str(self._socket_path()))
            self._receiver = receiver

    def _socket_path(self) -> Path:
        return Path(f"{self._path}.sock")


def runtime_folder() -> Path:
    """This user's folder for files that live as long as their processes.

    Raises:
        OSError: there is no folder that only this user can write.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.access(runtime, os.W_OK):
        folder = Path(runtime) / "glam-energy"
    else:
        folder = Path(tempfile.gettempdir()) / f"glam-energy-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    # In a shared folder anybody may have created that name before us.
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise PermissionError(f"{folder} does not belong to this user")
    return folder


def boot_id() -> str:
    """The kernel's id of this boot; the host name if there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return platform.node()
