"""A child process that runs in place of this one: same terminal, same signals, its exit code.

Processes that it leaves running (daemons) are adopted, and waited for too.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Self

from energy.errors import CommandError, reason

PR_SET_CHILD_SUBREAPER = 36
"""From linux/prctl.h."""

FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that are forwarded to the command; Ctrl-C reaches it directly from the terminal."""

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit codes of a shell for a command that does not exist, and for one that cannot be run."""

POLL_S = 0.05
"""Interval between checks for processes that the command left running."""


def require_program(name: str) -> None:
    """Check that a program can be run, before any file is created for the run.

    Raises:
        CommandError: the program does not exist, or there is no permission to run it.
    """
    if shutil.which(name) is not None:
        return
    candidates = [name] if os.sep in name else [os.path.join(f, name) for f in os.get_exec_path()]
    path = next((path for path in candidates if os.path.exists(path)), None)
    if path is None:
        fix = "check its name and PATH"
        if os.path.exists(name):
            fix = f"it is in this folder, which is not in PATH: {_interpreter(name)}./{name}"
        raise CommandError("expected a program to run", name, fix, exit_code=NOT_FOUND)
    if os.path.isdir(path):
        raise CommandError(
            "expected a program to run",
            f"the folder {path}",
            "name a program in it",
            exit_code=NOT_EXECUTABLE,
        )
    mode = stat.filemode(os.stat(path).st_mode)
    fix = f"chmod +x {path}"
    if interpreter := _interpreter(path):
        fix += f", or name its interpreter: {interpreter}{path}"
    raise CommandError(
        "expected a file with the permission to execute it (x)",
        f"{path} ({mode})",
        fix,
        exit_code=NOT_EXECUTABLE,
    )


def _interpreter(path: str) -> str:
    """The interpreter of a script with a trailing space; empty for other files."""
    return {".py": "python ", ".sh": "sh "}.get(Path(path).suffix, "")


class Command:
    """A command that runs in place of this process.

    Inside its `with` block no signal ends this process: signals are forwarded to the command (or,
    once it has ended, to what it left running), and Ctrl-C is left for the command to handle.

    Args:
        arguments: program and arguments.
    """

    def __init__(self, arguments: list[str]) -> None:
        self._arguments = arguments
        self._child: subprocess.Popen[bytes] | None = None
        self._pending: list[int] = []
        self._ended = self._abandoned = False
        self._excluded_pids: Sequence[int] = ()
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._handlers = {number: signal.signal(number, self._forward) for number in FORWARDED}
        self._handlers[signal.SIGINT] = signal.signal(signal.SIGINT, self._interrupted)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def run(self, excluded_pids: Sequence[int]) -> int:
        """Run the command until its last process has ended.

        Args:
            excluded_pids: children of this process that do not belong to the command, nor do
                processes of their sessions (the samplers); may grow.

        Returns:
            The exit code as a shell reports it: 128 + signal for a killed command.

        Raises:
            CommandError: the kernel cannot run it.
        """
        _adopt_orphans()
        self._excluded_pids = excluded_pids
        try:
            self._child = subprocess.Popen(self._arguments)
        except OSError as error:
            raise self._cannot_run(error) from error
        for number in self._pending:
            self._child.send_signal(number)
        code = self._child.wait()
        self._ended = True
        self._wait_for_leftovers()
        return 128 - code if code < 0 else code

    def _cannot_run(self, error: OSError) -> CommandError:
        expectation, fix = {
            errno.ENOENT: (
                "expected the interpreter in the first line of the program",
                "correct that line, or name the interpreter yourself",
            ),
            errno.ENOEXEC: (
                "expected a program of this machine, or a first line #!INTERPRETER",
                "add that line, or name the interpreter yourself",
            ),
        }.get(error.errno or 0, ("expected a program that the kernel can run", ""))
        value = f"{self._arguments[0]}: {reason(error)}"
        return CommandError(expectation, value, fix, exit_code=NOT_EXECUTABLE)

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        if self._child is None:
            self._pending.append(number)
        elif not self._ended:
            self._child.send_signal(number)
        else:
            for pid in self._leftovers():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)

    def _interrupted(self, number: int, _frame: FrameType | None) -> None:
        if self._child is None:
            self._pending.append(number)  # the terminal could not reach it yet
        self._abandoned = self._ended

    def _wait_for_leftovers(self) -> None:
        """Wait for processes that the command left running, until Ctrl-C."""
        announced = False
        while (pids := self._leftovers()) and not self._abandoned:
            if not announced:
                print(f"waiting for what the command left running: {pids}", file=sys.stderr)
                announced = True
            for pid in pids:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            time.sleep(POLL_S)

    def _leftovers(self) -> list[int]:
        """Process ids of all children of this process but the excluded ones."""
        try:
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
        except OSError:
            return []
        return [pid for pid in map(int, children.split()) if not self._is_excluded(pid)]

    def _is_excluded(self, pid: int) -> bool:
        if pid in self._excluded_pids:
            return True
        with contextlib.suppress(OSError):
            return os.getsid(pid) in self._excluded_pids
        return False


def _adopt_orphans() -> None:
    """Become the parent of processes whose own parent ended; Linux only."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
