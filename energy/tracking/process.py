"""The process of a sampler, as the run sees it: its pipes, its signs of life, its end."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from energy.ledger.lines import AGAIN, ENDED, READY, REFUSED, SLOW, TAKEN

if TYPE_CHECKING:
    import io

SAMPLER = Path(__file__).resolve().parent.parent / "sampler" / "__main__.py"
"""The program of the sampler, which is started by path."""

PIPE_BYTES = 1 << 20
"""Room for some 8,000 rows between two reads of the sampler, if the kernel grants it."""

SILENT_S = 1.5
"""A sampler shows twice a second that it is alive; without a sign for so long it is lost."""

GRACE_S = 0.25
"""A machine that was suspended as a whole goes on; its sampler then has so long to show it."""

STARVED_S = 10.0
"""The longest silence of a sampler that is ready to run, on a machine without a free processor."""

START_S = 60.0
"""The longest silence of a sampler that has not started yet: its files may be on a file server."""

KILL_S = 0.5
"""How long a killed sampler is waited for; one that hangs in the kernel stays."""

EXIT_S = 2.5
"""How long one that has written all its rows is waited for."""


class SamplerProcess:
    """A sampler.

    Args:
        settings: what it needs to know.

    Attributes:
        started: whether it has taken its first sample.
        is_taken: whether it refused to start, because another sampler writes this ledger.
        has_ended: whether it has written all rows, or tried to.
        takes_s: seconds of a reading of its slow drivers; 0 if they are quick.
        refused: errno of the write of its last rows that the disk refused; 0 if it took them.

    Raises:
        OSError: no process can be started.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(SAMPLER), json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )
        self.started = self.is_taken = self.has_ended = self._again = False
        self.refused = self.takes_s = 0
        self._words, self._heard_s = b"", time.monotonic()
        self._stdin = cast("io.RawIOBase", self._process.stdin)
        self._stdout = cast("io.RawIOBase", self._process.stdout)
        self._poll = select.poll()
        self._poll.register(self._stdout, select.POLLIN)
        os.set_blocking(self._stdin.fileno(), False)
        with contextlib.suppress(OSError, AttributeError):
            fcntl.fcntl(self._stdin, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def write(self, line: bytes) -> bool:
        """Pass a row on; False if the pipe is full.

        Raises:
            OSError: the sampler has died.
            ValueError: its pipe was closed.
        """
        return self._stdin.write(line) is not None

    def wait_until_started(self, longest_s: float) -> None:
        """Wait for its first word, or its death."""
        until_s = time.monotonic() + longest_s
        while not (self.started or self.is_taken):
            if not self._listen(until_s - time.monotonic()) or time.monotonic() > until_s:
                return

    def wait_until_lost(self) -> str:
        """Wait until it has ended, or shows no sign of life.

        Returns:
            Why: "" if it has written all rows, "again" if it wants to be replaced, else "killed",
            "stopped" or "hung".
        """
        silences = 0
        while True:
            longest_s = SILENT_S if self.started else START_S
            rest_s = longest_s - (time.monotonic() - self._heard_s)
            heard_s = self._heard_s
            alive = self._listen(GRACE_S if silences else rest_s)
            if self.has_ended or self._again:
                return "" if self.has_ended else "again"
            if not alive:
                return "killed"
            silences = silences + 1 if heard_s == self._heard_s else 0
            if silences > 1:
                stopped, runnable = self._state()
                if stopped or not runnable or time.monotonic() - heard_s > STARVED_S:
                    return "stopped" if stopped else "hung"

    def hang_up(self) -> None:
        """Close our end of the pipe for rows, which ends the sampler."""
        with contextlib.suppress(OSError):
            self._stdin.close()

    def kill(self) -> None:
        """Kill it, if it still runs, and close our ends of its pipes."""
        with contextlib.suppress(OSError):
            self._process.kill()
        self.release(KILL_S)

    def release(self, longest_s: float) -> None:
        """Close our ends of its pipes, and wait for its end, but not too long."""
        self.hang_up()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(longest_s)
        self._stdout.close()

    def _listen(self, longest_s: float) -> bool:
        """Wait for signs of life, but not too long; False once it has ended."""
        if not self._poll.poll(max(0.0, longest_s) * 1000):
            return True
        words = os.read(self._stdout.fileno(), 1 << 16)
        if words:
            self._heard_s = time.monotonic()
            self._words = self._words[-len(READY) :] + words
            self.started = self.started or READY in self._words
            self.is_taken = self.is_taken or TAKEN in self._words
            self.has_ended = self.has_ended or ENDED in words
            self._again = self._again or AGAIN in words
            if slow := re.search(SLOW + rb"(\d+)", words):
                self.takes_s = int(slow[1])
            if refusal := re.search(REFUSED + rb"(\d+)", words):
                self.refused = int(refusal[1])
        return bool(words)

    def _state(self) -> tuple[bool, bool]:
        """Whether it is stopped, and whether one of its threads is ready to run."""
        from energy.meters.files import process_state  # rarely needed

        states = set(map(process_state, Path(f"/proc/{self.pid}/task").glob("*/stat")))
        return bool(states & {"T", "t"}), "R" in states
