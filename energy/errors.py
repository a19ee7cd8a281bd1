"""The error tree. Every message says what was expected, what came, and how to mend it.

AccountingError            exit 1
├── InputError             exit 2   bad usage or bad input
│   ├── UnitError                   quantities of two units were combined
│   ├── BoundaryError               joules of two boundaries, or overlapping devices, were added
│   └── CommandError       exit 126, 127   a command to meter cannot be run, or is not there
├── InfeasibleError        exit 3   the configuration cannot run
├── MissingDataError       exit 4   a fact is not known, or a fallback was refused
└── ToleranceError         exit 5   a result is outside its stated tolerance
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class AccountingError(Exception):
    """Base of every error that this project raises on purpose.

    Args:
        expectation: what a correct input looks like.
        value: what came instead.
        fix: what the user can do about it.
    """

    exit_code = 1

    def __init__(self, expectation: str, value: str = "", fix: str = "") -> None:
        self.expectation, self.value, self.fix = expectation, value, fix
        parts = [expectation] + ([f"got {value}"] if value else []) + ([fix] if fix else [])
        super().__init__("; ".join(parts))


class InputError(AccountingError):
    """Bad usage or bad input."""

    exit_code = 2


class UnitError(InputError):
    """Quantities of different units were combined."""


class BoundaryError(InputError):
    """Joules of different boundaries, or of overlapping devices, were added."""


class CommandError(InputError):
    """A command to meter did not start; it exits as a shell does.

    Args:
        expectation: what a correct command looks like.
        value: what came instead.
        fix: what the user can do about it.
        exit_code: 127 where there is no such program, 126 where it is there and cannot be run.
    """

    def __init__(self, expectation: str, value: str, fix: str, *, exit_code: int) -> None:
        super().__init__(expectation, value, fix)
        self.exit_code = exit_code


class InfeasibleError(AccountingError):
    """The configuration cannot run; the message says what does not fit."""

    exit_code = 3


class MissingDataError(AccountingError):
    """A fact is not in the catalog, or a fallback was refused."""

    exit_code = 4


class ToleranceError(AccountingError):
    """A result is outside the tolerance that the user stated."""

    exit_code = 5


def reason(error: Exception) -> str:
    """What the system or a library says of a failure, without number and path, in lower case."""
    told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return told.lower()


def nearest(
    name: str,
    known: Iterable[str],
    otherwise: str = "",
    *,
    aliases: Mapping[str, str] | None = None,
) -> str:
    """What a message says after an unknown name: the known names most like it.

    "did you mean h100-sxm5-80gb?" for h10; all of them where none is like it.

    Args:
        name: what came.
        known: valid names.
        otherwise: what to say where no name is like it, in place of the whole list.
        aliases: other spellings, each with the valid name that it leads to.
    """
    from difflib import get_close_matches

    canonical = {word: word for word in known} | dict(aliases or {})
    close = get_close_matches(name, sorted(canonical), n=4, cutoff=0.5)
    names = list(dict.fromkeys(canonical[match] for match in close))[:3]
    if names:
        return f"did you mean {' or '.join(names)}?"
    return otherwise or f"one of: {', '.join(sorted(set(canonical.values())))}"
