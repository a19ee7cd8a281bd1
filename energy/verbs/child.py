"""A command that runs in our place: the same terminal, our signals, its exit code.

What it leaves behind (a daemon) becomes our child, and is waited for too.
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
from pathlib import Path
from types import FrameType
from typing import Any, Self

from energy.errors import CommandError

PR_SET_CHILD_SUBREAPER = 36
"""From linux/prctl.h."""


PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that go on to the command; Ctrl-C reaches it from the terminal by itself."""


NOT_FOUND, NOT_RUN = 127, 126
"""Exit codes of a shell for a command that is not there, and for one that cannot be run."""


LOOK_S = 0.05
"""Between two looks at what the command left running."""


def require_program(name: str) -> None:
    """Say what is wrong with the name of a program before anything is made for it.

    Raises:
        CommandError: it is not there, or there is no permission to run it.
    """
    if shutil.which(name) is not None:
        return
    named = [name] if os.sep in name else [os.path.join(f, name) for f in os.get_exec_path()]
    found = next((path for path in named if os.path.exists(path)), None)
    if found is None:
        fix = "check its name and PATH"
        if os.path.exists(name):
            fix = f"it lies in this folder, which is not in PATH: {_interpreter(name)}./{name}"
        raise CommandError("expected a program to run", name, fix, exit_code=NOT_FOUND)
    if os.path.isdir(found):
        raise CommandError(
            "expected a program to run",
            f"the folder {found}",
            "name a program in it",
            exit_code=NOT_RUN,
        )
    mode = stat.filemode(os.stat(found).st_mode)
    fix = f"chmod +x {found}"
    if interpreter := _interpreter(found):
        fix += f", or name its interpreter: {interpreter}{found}"
    raise CommandError(
        "expected a file with the permission to execute it (x)",
        f"{found} ({mode})",
        fix,
        exit_code=NOT_RUN,
    )


def _interpreter(path: str) -> str:
    """The word before a script that is run by its interpreter; empty for other files."""
    return {".py": "python ", ".sh": "sh "}.get(Path(path).suffix, "")


class Command:
    """A command in our place.

    While the object is entered no signal ends us: those that are passed on go to the command (to
    what it left running, once it has ended), and Ctrl-C is the command's to answer.

    Args:
        words: program and arguments.
    """

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._child: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._ended = self._left_alone = False
        self._keeper: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._pass_on) for number in PASSED_ON}
        self._before[signal.SIGINT] = signal.signal(signal.SIGINT, self._interrupted)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def run(self, keeper: int | None) -> int:
        """Run it to the end of its last process.

        Args:
            keeper: process id of a child of ours that is none of its processes (the sampler).

        Returns:
            The exit code as a shell gives it: 128 + signal for a killed command.

        Raises:
            CommandError: the kernel cannot run it.
        """
        _adopt_orphans()
        self._keeper = keeper
        try:
            self._child = subprocess.Popen(self._words)
        except OSError as error:
            raise self._refused(error) from error
        for number in self._early:
            self._child.send_signal(number)
        code = self._child.wait()
        self._ended = True
        self._wait_for_the_rest()
        return 128 - code if code < 0 else code

    def _refused(self, error: OSError) -> CommandError:
        expectation, fix = {
            errno.ENOENT: (
                "expected the interpreter in the first line of the program",
                "mend that line, or name the interpreter yourself",
            ),
            errno.ENOEXEC: (
                "expected a program of this machine, or a first line #!INTERPRETER",
                "add that line, or name the interpreter yourself",
            ),
        }.get(error.errno or 0, ("expected a program that the kernel can run", ""))
        told = f"{self._words[0]}: {(error.strerror or '').lower()}"
        return CommandError(expectation, told, fix, exit_code=NOT_RUN)

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        if self._child is None:
            self._early.append(number)
        elif not self._ended:
            self._child.send_signal(number)
        else:
            for pid in self._rest():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)

    def _interrupted(self, number: int, _frame: FrameType | None) -> None:
        if self._child is None:
            self._early.append(number)  # it was not there yet to hear it
        self._left_alone = self._ended

    def _wait_for_the_rest(self) -> None:
        """Wait for what the command left running; Ctrl-C leaves it to itself."""
        told = False
        while (left := self._rest()) and not self._left_alone:
            if not told:
                print(f"waiting for what the command left running: {left}", file=sys.stderr)
                told = True
            for pid in left:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            time.sleep(LOOK_S)

    def _rest(self) -> list[int]:
        """Process ids of our children, the keeper left out."""
        try:
            told = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
        except OSError:
            return []
        return [pid for pid in map(int, told.split()) if pid != self._keeper]


def _adopt_orphans() -> None:
    """Ask the kernel (Linux) to hand us processes whose parents ended; elsewhere they are free."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
