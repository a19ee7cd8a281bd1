"""Meters whose driver hangs are tried again from time to time, in a child that nobody waits for."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from dataclasses import dataclass

from energy.meters import sources
from energy.meters.base import Domain

FIRST_S, MOST_S = 60.0, 3600.0
"""Seconds until the first retry, which double up to the second number."""

CHILD_S = 10.0
"""Seconds after which a child has not answered."""


@dataclass
class Retry:
    """A meter that is tried again.

    Attributes:
        source: name under which it is opened.
        domains: its domains, which are missing meanwhile.
        due_s: monotonic seconds of the next retry.
        wait_s: seconds between the last two.
        child: the process that tries it now.
    """

    source: str
    domains: list[Domain]
    due_s: float
    wait_s: float
    child: subprocess.Popen[bytes] | None = None


class Retries:
    """The meters that are left out.

    Args:
        program: path of the program that tries a meter.
        earlier: samplers of this run that have ended to let a meter be read again.
    """

    def __init__(self, program: str, earlier: int = 0) -> None:
        self._program = program
        self._first_s = min(FIRST_S * 2**earlier, MOST_S)
        self._retries: dict[str, Retry] = {}

    def __bool__(self) -> bool:
        return bool(self._retries)

    def add(self, meter: str, source: str, domains: list[Domain]) -> None:
        """Try a meter again later."""
        due_s = time.monotonic() + self._first_s
        self._retries[meter] = Retry(source, domains, due_s, self._first_s)

    def remove(self, meter: str) -> None:
        """Forget a meter that is read again."""
        self._retries.pop(meter, None)

    def domains(self, source: str) -> list[Domain] | None:
        """The domains of a source that is left out; None if it is not."""
        for retry in self._retries.values():
            if retry.source == source:
                return retry.domains
        return None

    def answer(self) -> bool:
        """Try what is due; returns whether the driver of a meter answers again."""
        now_s = time.monotonic()
        for retry in self._retries.values():
            if retry.child is None:
                if now_s >= retry.due_s:
                    self._start(retry, now_s)
                continue
            code = retry.child.poll()
            if code == 0:
                return True
            if code is not None or now_s > retry.due_s + CHILD_S:
                retry.child.kill()  # in vain if the kernel itself hangs; nobody waits for it
                retry.child = None
                retry.wait_s = min(2 * retry.wait_s, MOST_S)
                retry.due_s = now_s + retry.wait_s
        return False

    def _start(self, retry: Retry, now_s: float) -> None:
        retry.due_s = now_s
        with contextlib.suppress(OSError):
            retry.child = subprocess.Popen(
                [sys.executable, self._program, json.dumps({"try": retry.source})],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )


def answers(source: str) -> bool:
    """Whether a source can be opened and read; this may hang."""
    opened, _ = sources.open_sources([source])
    for meter in opened:
        meter.read()
        meter.watts()
        meter.close()
    return bool(opened)
