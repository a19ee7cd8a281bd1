"""Ctrl-C, twice told apart: the first time a run ends well, the second time it ends."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import Any, Self


class Interrupt:
    """Within this context the first SIGINT only sets `wanted`; the second raises.

    Outside the main thread Python allows no handlers, and Ctrl-C stays as it is.
    """

    def __init__(self) -> None:
        self.wanted = False
        self._before: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True
        print(
            "finishing this step and writing a checkpoint; Ctrl-C again stops at once",
            file=sys.stderr,
            flush=True,
        )
