"""A child process that runs in place of this one: same terminal, same signals, its exit code.

Processes that it leaves running (daemons) are adopted: they are named, or waited for too.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import math
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Self

from energy.errors import CommandError, InputError, reason
from energy.guard import say
from energy.verbs.witness import Witness, status

PR_SET_CHILD_SUBREAPER = 36
"""From linux/prctl.h."""

INTERRUPTING = (signal.SIGINT, signal.SIGQUIT)
"""Ctrl-C and Ctrl-backslash, which also end the wait for what the command left running."""

FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, *INTERRUPTING)
"""Signals that are forwarded to the command, unless it has got them as this process has."""

SHELLS = ("ash", "bash", "dash", "fish", "ksh", "sh", "zsh")

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit codes of a shell for a command that does not exist, and for one that cannot be run."""

POLL_S = 0.05
"""Interval between checks for processes that the command left running."""

GRACE_S = 0.5
"""How long helpers of the command may take to end after it before they count as left running."""


def require_program(name: str) -> None:
    """Check that a program can be run, before any file is created for the run.

    Raises:
        CommandError: the program does not exist, or there is no permission to run it.
        InputError: it has the form of an option, which this verb does not have.
    """
    if shutil.which(name) is not None:
        return
    candidates = [name] if os.sep in name else [os.path.join(f, name) for f in os.get_exec_path()]
    path = next((path for path in candidates if os.path.exists(path)), None)
    if path is None and name.startswith("-"):
        raise InputError(
            "expected an option of energy run, or -- and a program", name, "see energy run --help"
        )
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

    Inside its `with` block no signal ends this process: the command gets each of them once, be it
    sent to this process alone or to its whole group, as a terminal does with Ctrl-C. Once the
    command has ended, what it left running gets them, but for those that end the wait for it. A
    signal that is ignored at the start (by nohup, or by a shell for its background jobs) stays
    ignored, by the command too.

    Args:
        arguments: program and arguments.
        wait: whether to wait for processes that the command leaves running.

    Attributes:
        left_running: "PID (name)" of processes that run on after the command, once it has ended.
    """

    def __init__(self, arguments: list[str], *, wait: bool = False) -> None:
        self._arguments, self._wait = arguments, wait
        self.left_running: list[str] = []
        self._child: subprocess.Popen[bytes] | None = None
        self._pending: list[int] = []
        self._ended = self._abandoned = False
        self._excluded: Callable[[], Sequence[int]] = tuple
        self._handlers: dict[int, Any] = {}
        self._witness: Witness

    def __enter__(self) -> Self:
        self._witness = Witness(FORWARDED)
        for number in FORWARDED:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, self._pass_on)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._witness.close()

    def run(self, excluded: Callable[[], Sequence[int]]) -> int:
        """Run the command until it has ended; with `wait`, until its last process has.

        Args:
            excluded: returns the children of this process that do not belong to the command, nor
                do processes of their sessions (the samplers).

        Returns:
            The exit code as a shell reports it: 128 + signal for a killed command.

        Raises:
            CommandError: the kernel cannot run it.
        """
        _adopt_orphans()
        self._excluded = excluded
        try:
            self._child = subprocess.Popen(self._arguments, preexec_fn=_as_started())
        except OSError as error:
            raise self._cannot_run(error) from error
        for number in self._pending:
            self._child.send_signal(number)
        code = self._child.wait()
        self._ended = True
        self._end_leftovers()
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

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        """Pass a signal on to the command, or to what it left running, unless they have it."""
        grouped = self._witness.saw(number)
        if self._child is None:
            self._pending.append(number)  # nothing of it runs yet that could have it
            return
        if grouped is None:
            grouped = number in INTERRUPTING  # as most of them come, from a terminal
        if not self._ended:
            if not (grouped and _in_our_group(self._child.pid)):
                self._child.send_signal(number)
        elif number in INTERRUPTING:
            self._abandoned = True
        else:
            for pid in self._leftovers():
                if not (grouped and _in_our_group(pid)):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)

    def _end_leftovers(self) -> None:
        """Wait for what the command left running, or name it; Ctrl-C ends the wait."""
        until_s = time.monotonic() + GRACE_S
        while (pids := self._leftovers()) and not self._abandoned:
            if time.monotonic() > until_s:
                if not self._wait:
                    break
                say(f"waiting for what the command left running: {', '.join(map(_name, pids))}")
                until_s = math.inf
            time.sleep(POLL_S)
        self.left_running = [_name(pid) for pid in pids]

    def _leftovers(self) -> list[int]:
        """Process ids of all children of this process that run, but the excluded ones."""
        try:
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
        except OSError:
            return []
        return [
            pid
            for pid in map(int, children.split())
            if not self._is_excluded(pid) and not _has_ended(pid)
        ]

    def _is_excluded(self, pid: int) -> bool:
        excluded = self._excluded()
        if pid in excluded or pid == self._witness.pid:
            return True
        with contextlib.suppress(OSError):
            return os.getsid(pid) in excluded
        return False


def _has_ended(pid: int) -> bool:
    """Whether a child has ended; its exit code is collected then."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _in_our_group(pid: int) -> bool:
    """Whether a process is in the process group of this one."""
    with contextlib.suppress(ProcessLookupError):
        return os.getpgid(pid) == os.getpgid(0)
    return False


def _name(pid: int) -> str:
    """A process as a reader knows it: 1234 (sleep)."""
    return f"{pid} ({status(pid).get('Name', 'unknown')})"


def _as_started() -> Callable[[], object] | None:
    """What the command does before it runs so that it ignores SIGPIPE where we were to.

    Python itself ignores SIGPIPE, and lets its children have the default again. Whether it was
    ignored before can be seen in the shell that has started us, if that was a shell.
    """
    parent = status(os.getppid())
    ignored = int(parent.get("SigIgn", "0"), 16) >> (signal.SIGPIPE - 1) & 1
    if not ignored or parent["Name"] not in SHELLS:
        return None
    return partial(signal.signal, signal.SIGPIPE, signal.SIG_IGN)


def _adopt_orphans() -> None:
    """Become the parent of processes whose own parent ended; Linux only."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
