"""Ctrl-C: the first ends a run after its current step, the second at once."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType
from typing import Any, Self

logger = logging.getLogger("glam")


class Interrupt:
    """Within this context the first SIGINT only sets `requested`; the second one raises.

    Outside the main thread, where Python allows no handlers, Ctrl-C works as usual.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        logger.warning(
            "interrupted: finishing this step and writing a checkpoint; Ctrl-C again stops at once"
        )
