"""`glam` whose process falls asleep, wherever it is, when a benchmark sends it SIGUSR1."""

from __future__ import annotations

import signal
import time
from types import FrameType

FOREVER_S = 1e6


def sleep(_number: int, _frame: FrameType | None) -> None:
    """Sleep within the step that the process is at."""
    time.sleep(FOREVER_S)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, sleep)
    from glam.cli import main

    main()
