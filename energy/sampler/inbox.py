"""What a run writes to its sampler, read at the sampler's own pace."""

from __future__ import annotations

import os
import select

INBOX_POLL_NS = 100_000_000
"""Time between two reads of the pipe.

Waking up for each row would cost the run a context switch. Rows wait in the pipe, which outlives
the run.
"""


class Inbox:
    """Whole lines from standard input."""

    def __init__(self) -> None:
        self._pending = b""
        self._poll = select.poll()
        # No events: that the other end was closed is always reported.
        self._poll.register(0, 0)
        self._others: set[int] = set()
        os.set_blocking(0, False)

    def wait(self, others: list[int], longest_ns: int) -> set[int]:
        """Wait until the run closes its end or another file is readable, but not too long.

        Args:
            others: descriptors of the other files.
            longest_ns: wait no longer than this, and no longer than `INBOX_POLL_NS`.

        Returns:
            The descriptors that are ready.
        """
        for file in self._others - set(others):
            # A file that has ended would end every later wait at once.
            self._poll.unregister(file)
        self._others = set(others)
        for file in others:
            self._poll.register(file, select.POLLIN)
        # Rounded up to whole milliseconds: waking up early would mean another, empty wait.
        wait_ms = -(-min(longest_ns, INBOX_POLL_NS) // 1_000_000)
        return {file for file, _ in self._poll.poll(wait_ms)}

    def lines(self) -> list[bytes] | None:
        """The whole lines that have arrived; None once the other end is closed."""
        arrived: list[bytes] = []
        while True:
            try:
                data = os.read(0, 1 << 20)
            except BlockingIOError:
                return arrived
            *lines, self._pending = (self._pending + data).split(b"\n")
            arrived += lines
            if not data:
                return arrived or None
