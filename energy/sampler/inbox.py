"""What a run writes to its sampler, taken up at the sampler's own pace."""

from __future__ import annotations

import os
import select

INBOX_POLL_NS = 100_000_000
"""Between two looks at what the run has written. To be woken by each row would cost the run the
change of processes; what it wrote waits in the pipe, which outlives it."""


class Inbox:
    """Whole lines from the standard input."""

    def __init__(self) -> None:
        self._pending = b""
        self._poll = select.poll()
        # No event but the one that needs no asking: that the other end was closed.
        self._poll.register(0, 0)
        self._others: set[int] = set()
        os.set_blocking(0, False)

    def wait(self, others: list[int], longest_ns: int) -> set[int]:
        """Wait until the run closes its end, until one of some other files can be read, or so long.

        Returns:
            Those files that can be read.
        """
        for file in self._others - set(others):
            # One that has ended would end every wait from now on.
            self._poll.unregister(file)
        self._others = set(others)
        for file in others:
            self._poll.register(file, select.POLLIN)
        # Rounded up to what poll knows: a wait that ends early would be followed by one of nothing.
        wait_ms = -(-min(longest_ns, INBOX_POLL_NS) // 1_000_000)
        return {file for file, _ in self._poll.poll(wait_ms)}

    def lines(self) -> list[bytes] | None:
        """What has come in; None when the other end is closed."""
        found: list[bytes] = []
        while True:
            try:
                data = os.read(0, 1 << 20)
            except BlockingIOError:
                return found
            *lines, self._pending = (self._pending + data).split(b"\n")
            found += lines
            if not data:
                return found or None
