"""One process reads the meters of a node; processes that come later attach to it.

The reader holds a lock on a file of this user, named by the boot and by what is read. The file says
which run holds the seat, where its samples are written, and when it was last alive. When the holder
ends, however it ends, the kernel passes the lock to the next in line, so a node is never without a
reader for long.

A holder that is stopped, or sits in a call that cannot be killed, keeps its lock and reads nothing.
It is deposed: another process locks a new file and renames it to the name of the old one. Whoever
holds a lock on a file that no longer bears that name does not hold the seat.

The holder also listens on a datagram socket beside the lock. Attached processes send it the edges
of their windows, so that the counters are dated around those too.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from energy.inputs import UNPARSED

if TYPE_CHECKING:  # a training script imports this module, and binds no socket
    import socket

MESSAGE_BYTES = 8192
"""Size of the longest message to a holder."""

MESSAGES = 1000
"""Messages that a holder takes at a time."""

ATTEMPTS = 10
"""Times that a file is opened again because another has taken its name."""


class Seat:
    """The place of the one process that reads a given choice of meters on a node.

    Args:
        choice: what is read; processes with the same choice share one reader.
    """

    def __init__(self, choice: object) -> None:
        self._lock = -1
        # Counts the files that have been open: the number of a closed one may come again.
        self._opened = 0
        self._holds = False
        self._written = 0
        self._waiting = (-1, -1)
        self._receiver: socket.socket | None = None
        self._sender: socket.socket | None = None
        self._path: Path | None = None
        self._guard = threading.Lock()
        with contextlib.suppress(OSError):
            digest = hashlib.sha256(json.dumps(choice).encode()).hexdigest()[:8]
            self._path = runtime_folder() / f"{boot_id()}-{digest}"
            self._open()

    def take(self) -> bool:
        """Take the seat if it is free; without file locks every process takes a seat of its own."""
        if self.is_lost():
            self.leave()
            self._reopen()
        for _ in range(ATTEMPTS):
            if self._lock < 0 or self._holds:
                return True
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if self._bears_name():
                    return False
            except OSError:
                return True
            else:
                with self._guard:
                    if self._bears_name():
                        if not self._holds:
                            self._start_holding()
                        return True
            self._reopen()
        return False

    def wait(self) -> int:
        """Wait for the seat in the background.

        Returns:
            A descriptor that reaches its end once this process holds the seat.
        """
        self._waiting = os.pipe()
        self._queue()
        return self._waiting[0]

    def announce(self, run_id: str, ledger: Path, moment_ns: int) -> None:
        """Publish which run holds the seat, where its samples are, and that it is alive."""
        if self._lock >= 0:
            text = json.dumps({"id": run_id, "ledger": str(ledger), "m": moment_ns}).encode()
            with contextlib.suppress(OSError):
                # Spaces cover what is left of a longer text: one call, at no moment half a text.
                os.pwrite(self._lock, text.ljust(self._written), 0)
                self._written = len(text)

    def holder(self) -> dict[str, Any] | None:
        """What the holder has announced: `id`, `ledger` and `m`; None while it is starting."""
        if not self._holds and not self._bears_name():
            self._reopen()
        try:
            holder = json.loads(os.pread(self._lock, 65536, 0))
        except (OSError, *UNPARSED):
            return None
        return holder if _is_announcement(holder) else None

    def is_lost(self) -> bool:
        """Whether this process had the seat and was deposed."""
        return self._holds and not self._bears_name()

    def depose(self, silent: dict[str, Any]) -> bool:
        """Take the seat from a holder that is silent; False if another process was faster.

        Args:
            silent: what that holder has announced last.
        """
        if self._path is None:
            return False
        with contextlib.suppress(OSError), self._alone():
            if not self._bears_name() or self.holder() != silent:
                return False
            successor = Path(f"{self._path}.new")
            lock = os.open(successor, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            successor.rename(self._path)
            with self._guard:
                self._replace(lock)
                self._start_holding()
            return True
        return False

    def send(self, message: str) -> None:
        """Send a message to the holder; it is lost if nobody listens."""
        if self._path is None:
            return
        import socket

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
        with self._guard:
            if self._receiver is not None:
                self._receiver.close()
                if self._bears_name():
                    with contextlib.suppress(OSError):
                        self._socket_path().unlink()
                self._receiver = None
            if self._sender is not None:
                self._sender.close()
                self._sender = None
            self._replace(-1)
            self._holds = False

    def _open(self) -> None:
        """Open the file that bears the name of the seat."""
        if self._path is not None:
            self._replace(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))

    def _reopen(self) -> None:
        """Open the file that bears the name now, and queue for it if this process waits."""
        with self._guard, contextlib.suppress(OSError):
            self._open()
            self._queue()

    def _replace(self, lock: int) -> None:
        """Use another file from now on; the one before, and a lock on it, is let go."""
        if self._lock >= 0:
            os.close(self._lock)
        self._lock, self._opened = lock, self._opened + 1

    def _queue(self) -> None:
        """Queue for the lock of the file, in a thread; it gives up if the file was replaced."""
        end = self._waiting[1]
        if end < 0 or self._lock < 0:
            return
        # The thread has a descriptor of its own: that number means no other file meanwhile.
        lock, opened = os.dup(self._lock), self._opened

        def queue() -> None:
            with contextlib.suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_EX)
                with self._guard:
                    if opened == self._opened and self._bears_name():
                        if not self._holds:
                            self._start_holding()
                        os.close(end)
            os.close(lock)

        threading.Thread(target=queue, daemon=True).start()

    def _bears_name(self) -> bool:
        """Whether the file that is open still bears the name of the seat."""
        try:
            return self._path is None or os.path.samestat(os.stat(self._path), os.fstat(self._lock))
        except OSError:
            return False

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Only one process at a time deposes a holder; raises OSError if another does."""
        lock = os.open(f"{self._path}.depose", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        finally:
            os.close(lock)

    def _start_holding(self) -> None:
        """Erase the previous holder's announcement, and listen."""
        import socket

        self._holds, self._written = True, 0
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


def _is_announcement(value: object) -> bool:
    """Whether a value is what a holder announces: a name, a path, and a moment."""
    if not isinstance(value, dict) or type(value.get("m", 0)) is not int:
        return False
    run_id, ledger = value.get("id"), value.get("ledger")
    if not isinstance(run_id, str) or not isinstance(ledger, str):
        return False
    return "/" not in run_id and "\0" not in run_id + ledger


def runtime_folder() -> Path:
    """This user's folder for files that live as long as their processes.

    Raises:
        OSError: there is no folder that only this user can write.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.access(runtime, os.W_OK):
        folder = Path(runtime) / "glam-energy"
    else:
        import tempfile

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
        return os.uname().nodename
