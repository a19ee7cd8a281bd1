"""An error of the processes of a run is said once: by the first, whichever of them has it.

A launcher ends all processes as soon as one fails, so the others let the first speak before they
end. They hear of each other through the store where they met, which no message can block.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from energy.errors import AccountingError

SPEAKS, FAILED = "first speaks", "failed"
"""Keys of the store: the first process says an error; the error of another, with its number."""

HEARING_S = 5.0
"""How long a process waits for the first to say its error, before it says it itself."""

LINGER_S = 5.0
"""How long the others wait for the end of the first, so that its error is on its stderr before a
launcher ends it."""

POLL_S = 0.05
"""Between two looks at the store."""


class Voice:
    """What this process says of an error, and what it hears of the others'.

    Args:
        rank: of this process.
        store: where the processes have met.
    """

    def __init__(self, rank: int, store: Any) -> None:
        self._rank, self._store = rank, store
        self._settled = False

    def say_once(self, error: AccountingError, speaker: int = 0) -> NoReturn:
        """Raise an error that all processes have in one of them; the others end without a word.

        Raises:
            AccountingError: the error, in the speaker.
            SystemExit: its exit code, in the others.
        """
        self._settled = True
        raise_once(self._rank - speaker, error)

    @contextmanager
    def sharing(self) -> Iterator[None]:
        """Let the first process say an error of this one, even if no other has it.

        Raises:
            AccountingError: in the first; also in this one if the first does not answer.
            SystemExit: in this one if the first says it.
        """
        try:
            yield
        except AccountingError as error:
            if self._settled:
                raise
            self._settled = True
            if self._rank == 0:
                with suppress(RuntimeError):
                    self._store.set(SPEAKS, "1")
                raise
            if self._first_says(error):
                raise SystemExit(error.exit_code) from error
            raise of_rank(self._rank, error) from error

    def listen(self) -> None:
        """End if another process has failed.

        Raises:
            AccountingError: in the first, that of the other.
            SystemExit: in the others.
        """
        if self._store.check([FAILED]):
            rank, error = pickle.loads(self._store.get(FAILED))
            if self._rank == 0:
                raise of_rank(rank, error)
            self.say_once(error)
        if self._rank and self._store.check([SPEAKS]):
            raise SystemExit(AccountingError.exit_code)

    def _first_says(self, error: AccountingError) -> bool:
        """Tell the first process; return whether it says this error, or the like."""
        with suppress(RuntimeError):
            self._store.set(FAILED, pickle.dumps((self._rank, error)))
            until_s = time.monotonic() + HEARING_S
            while time.monotonic() < until_s:
                if self._store.check([SPEAKS]):
                    return True
                time.sleep(POLL_S)
        return False


def raise_once(rank: int, error: AccountingError) -> NoReturn:
    """Raise an error that all processes have in the first one; the others end without a word.

    Raises:
        AccountingError: the error, in the first process.
        SystemExit: its exit code, in the others.
    """
    if rank == 0:
        raise error
    raise SystemExit(error.exit_code)


def of_rank(rank: int, error: AccountingError) -> AccountingError:
    """Return the error of a process with its number."""
    own = AccountingError(f"rank {rank}: {error.expectation}", error.value, error.fix)
    own.exit_code = error.exit_code
    return own


@contextmanager
def after_the_first(rank: int) -> Iterator[None]:
    """Let a process that ends without a word end after the first, which says why."""
    try:
        yield
    except SystemExit as ending:
        if rank and ending.code:
            time.sleep(LINGER_S)
        raise
