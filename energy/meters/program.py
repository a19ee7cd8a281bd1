"""A program whose lines are readings: a tool of a controller, of a power strip, or a library.

The program runs in a child process that nobody waits for. It may print for ever, or print once and
end: then it is run again. It ends with the process that started it, also if that one is killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

LAUNCHER = """
import ctypes, os, sys
try: ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG: the program ends with the sampler
except (OSError, AttributeError): pass
try: os.execvp(sys.argv[1], sys.argv[1:])
except OSError: sys.exit(127)
"""
"""Runs before the program, which replaces it."""

NO_PROGRAM = 127
"""Exit code where the program could not be run."""

CHUNK = 65536
"""Most bytes that are taken at once; a longer line is dropped."""


class Program:
    """A program in a child process, and the lines that it has printed since the last look.

    Args:
        command: the program and its arguments.
        every_s: least seconds between two starts.
        silent_s: a program that prints nothing for so long is ended and started again.

    Attributes:
        exit_code: how it ended the last time; None if it has not ended yet.
    """

    def __init__(self, command: Sequence[str], *, every_s: float, silent_s: float) -> None:
        self._command, self._every_s, self._silent_s = tuple(command), every_s, silent_s
        self._child: subprocess.Popen[bytes] | None = None
        self._started_s = self._heard_s = float("-inf")
        self._tail, self._printed = b"", False
        self.exit_code: int | None = None

    def lines(self) -> list[str | None]:
        """The lines since the last call; None where the program failed: silence, or a bad end.

        Starts the program if it does not run and its next start is due.
        """
        lines: list[str | None] = []
        now = time.monotonic()
        if self._child is not None:
            lines += self._taken()
            if lines:
                self._heard_s, self._printed = now, True
            if self._child.poll() is not None:
                lines += self._taken(last=True)
                self.exit_code = self._child.returncode
                if self.exit_code != 0 or not (self._printed or lines):
                    lines.append(None)
                self.close()
            elif now - self._heard_s > self._silent_s:
                lines.append(None)
                self.close()
        if self._child is None and now - self._started_s >= self._every_s:
            self._start()
        return lines

    def close(self) -> None:
        """End the program and what it has started."""
        if self._child is None:
            return
        with contextlib.suppress(OSError):
            os.killpg(self._child.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            self._child.kill()
        self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()
        self._child = None

    def _start(self) -> None:
        self._started_s = self._heard_s = time.monotonic()
        self._tail, self._printed = b"", False
        with contextlib.suppress(OSError):
            self._child = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", LAUNCHER, *self._command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                start_new_session=True,
            )
            if self._child.stdout is not None:
                os.set_blocking(self._child.stdout.fileno(), False)

    def _taken(self, last: bool = False) -> list[str]:
        """Whole lines that have arrived; the last one of a program needs no newline."""
        if self._child is None or self._child.stdout is None:
            return []
        with contextlib.suppress(OSError):
            self._tail += self._child.stdout.read(CHUNK) or b""
        *whole, self._tail = self._tail.split(b"\n")
        if last and self._tail:
            whole.append(self._tail)
        if len(self._tail) > CHUNK:
            self._tail = b""
        return [line.decode(errors="replace") for line in whole]
