"""Which process does not answer: it is named, with its last step, before the others end.

A message that a process waits for longer than the timeout fails in all that wait, and none of them
knows who is late. So each says that it waits; the ones that do not say so are the late ones. Steps
and these words are in the store where the processes met, which no message can block.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from energy.errors import InfeasibleError
from glam.distributed.group import store_of_group
from glam.distributed.voice import Voice

GRACE_S = 1.0
"""How long the other processes may take to say that they wait too."""

POLL_S = 0.05
"""Between two looks at who has said so."""

LATE, GONE = ("timed out", "timeout"), ("connection closed", "connection reset", "broken pipe")
"""Words of the errors of gloo and of the store."""


class Watch:
    """The steps and the waits of all processes, as one of them sees them.

    Args:
        rank: of this process.
        ranks: how many there are.
        timeout_s: seconds after which a message fails.
        voice: of this process.
    """

    def __init__(self, rank: int, ranks: int, timeout_s: float, voice: Voice) -> None:
        self._rank, self._ranks, self._timeout_s = rank, ranks, timeout_s
        self._voice = voice
        self._store: Any = store_of_group()

    def begin(self, step: int) -> None:
        """Note the step that this process begins."""
        with suppress(RuntimeError):
            self._store.set(f"step/{self._rank}", str(step))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Turn the failure of a message into an error that names the process that is late or gone.

        Raises:
            InfeasibleError: in one of those that waited.
            SystemExit: in the others.
        """
        try:
            yield
        except RuntimeError as error:
            text = str(error).lower()
            if not any(word in text for word in (*LATE, *GONE)):
                raise
            with suppress(RuntimeError):
                self._voice.listen()
            speaker, late = self._late()
            fate = "answer" if any(word in text for word in LATE) else "stay"
            self._voice.say_once(
                InfeasibleError(
                    f"expected all {self._ranks} processes to {fate} "
                    f"(--timeout {self._timeout_s:g} s)",
                    f"no word from {late}" if late else "a message that failed",
                    "look at its output; the run goes on from its last checkpoint with --resume, "
                    "or by itself with torchrun --max-restarts",
                ),
                speaker,
            )

    def _late(self) -> tuple[int, str]:
        """Return the first process that waits, and those that do not, with their last steps."""
        waiting = {self._rank}
        with suppress(RuntimeError):
            self._store.set(f"waits/{self._rank}", "1")
            until_s = time.monotonic() + GRACE_S
            while len(waiting) < self._ranks and time.monotonic() < until_s:
                waiting |= {r for r in range(self._ranks) if self._store.check([f"waits/{r}"])}
                time.sleep(POLL_S)
        others = [rank for rank in range(self._ranks) if rank not in waiting]
        return min(waiting), ", ".join(f"rank {r} ({self._last_step(r)})" for r in others)

    def _last_step(self, rank: int) -> str:
        with suppress(RuntimeError):
            if self._store.check([f"step/{rank}"]):
                return f"last step {self._store.get(f'step/{rank}').decode()}"
        return "before its first step"
