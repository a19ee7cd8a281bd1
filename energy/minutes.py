"""Progress of long work in a log file, where no bar can be drawn: a line a minute on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

LINE_S = 60.0
"""Seconds between two lines; what takes less has none."""


def line_a_minute() -> Callable[[str], None]:
    """A call that writes its words at most once a minute, and not in the first one."""
    due_s = time.monotonic() + LINE_S

    def say(words: str) -> None:
        nonlocal due_s
        if (now_s := time.monotonic()) >= due_s:
            due_s = now_s + LINE_S
            print(words, file=sys.stderr, flush=True)

    return say
