"""Whether a signal came to this process alone, or to its whole process group.

A terminal sends Ctrl-C to the group, and so do `timeout` and job schedulers: the command that runs
beside this process has it then, and must not get it twice. `kill PID` reaches this process alone.
Nothing that comes with a signal tells the two apart, so another process of the group is a witness:
it blocks the signals, and the kernel shows which of them wait for it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Collection
from pathlib import Path

WAIT_S, POLL_S = 0.03, 0.002
"""How long a signal may take to reach all processes of a group, and between two looks."""


class Witness:
    """A process of this group that sees signals and does nothing; it ends with this process.

    Args:
        numbers: signals that it waits for.

    Attributes:
        pid: its process id; 0 where there is none (outside Linux).
    """

    def __init__(self, numbers: Collection[int]) -> None:
        self._numbers = numbers
        self.pid, self._end = 0, -1
        self._start()

    def saw(self, number: int) -> bool | None:
        """Whether the group has got a signal that this process has just got; None: not known."""
        if not self.pid:
            return None
        until_s = time.monotonic() + WAIT_S
        while not (seen := self._waits(number)) and time.monotonic() < until_s:
            time.sleep(POLL_S)
        if seen:  # it waits for ever: only a new witness sees the next one
            self.close()
            self._start()
        return seen

    def close(self) -> None:
        """End the witness."""
        if self.pid:
            os.close(self._end)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
            self.pid = 0

    def _start(self) -> None:
        program = shutil.which("cat")  # which ends when its input does, as when we are killed
        if program is None or not status(os.getpid()):
            return
        theirs, self._end = os.pipe()
        with contextlib.suppress(OSError):
            self.pid = os.posix_spawn(
                program,
                ["cat"],
                {},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, theirs, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                ],
                setsigmask=self._numbers,
            )
        os.close(theirs)

    def _waits(self, number: int) -> bool:
        return bool(int(status(self.pid).get("ShdPnd", "0"), 16) >> (number - 1) & 1)


def status(pid: int) -> dict[str, str]:
    """What the kernel states of a process; nothing outside Linux, or where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
