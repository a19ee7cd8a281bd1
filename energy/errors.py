"""The error tree. Every message says what was expected, what came instead, and what to do.

AccountingError            exit 1
├── InputError             exit 2   bad usage or bad input
│   ├── UnitError                   quantities of different units were combined
│   ├── BoundaryError               joules of two boundaries or of overlapping devices were added
│   └── CommandError       exit 126, 127   a command to meter cannot be run, or does not exist
├── InfeasibleError        exit 3   the configuration cannot run
├── MissingDataError       exit 4   a fact is not known, or a fallback was refused
└── ToleranceError         exit 5   a result is outside its stated tolerance
"""

from __future__ import annotations

import copyreg
from collections.abc import Iterable, Mapping
from typing import Any


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

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle by message and fields, as when a worker process returns an error."""
        return copyreg.__newobj__, (type(self), *self.args), dict(self.__dict__)  # type: ignore[attr-defined]


class InputError(AccountingError):
    """Bad usage or bad input."""

    exit_code = 2


class UnitError(InputError):
    """Quantities of different units were combined."""


class BoundaryError(InputError):
    """Joules of different boundaries or of overlapping devices were added."""


class CommandError(InputError):
    """A command to meter did not start; the exit code is that of a shell.

    Args:
        expectation: what a correct command looks like.
        value: what came instead.
        fix: what the user can do about it.
        exit_code: 127 for a program that does not exist, 126 for one that cannot be run.
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
    """What the system or a library says is wrong, as a phrase that follows "got".

    Without error number and path, in lower case: "no such file or directory".
    """
    import json
    import tomllib

    if isinstance(error, IsADirectoryError):
        return "a folder"
    if isinstance(error, KeyError):
        return f"no key {error.args[0]}"
    if isinstance(error, UnicodeDecodeError):
        return "a file that is not UTF-8 text"
    if isinstance(error, json.JSONDecodeError):
        place = f"(at line {error.lineno}, column {error.colno})"
        problem = f"{error.msg[:1].lower()}{error.msg[1:]} {place}"
        return f"text that is not JSON: {problem}" if error.doc.strip() else "an empty file"
    if isinstance(error, tomllib.TOMLDecodeError):
        problem = f"{str(error)[:1].lower()}{str(error)[1:]}"
        return f"text that is not TOML: {problem}"
    message = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return message.lower()


def remedy(error: OSError) -> str:
    """What the user can do about a file that cannot be written, as a phrase that follows "got"."""
    import errno

    return {
        errno.ENOSPC: "free some space or choose another folder",
        errno.EDQUOT: "free some of your quota or choose another folder",
        errno.EFBIG: "raise the limit on the size of files: ulimit -f unlimited",
        errno.EACCES: "choose a folder you may write to",
        errno.EROFS: "choose a folder that is not read-only",
    }.get(error.errno or 0, "choose another path")


EXTRAS = {
    "codecarbon": "carbon",
    "jinja2": "disclosure",
    "lm_eval": "eval",
    "matplotlib": "plots",
    "pandas": "notebooks",
    "peft": "finetune",
    "prometheus_client": "watch",
    "safetensors": "train",
    "sentencepiece": "train",
    "spdx_python_model": "disclosure",
    "torch": "train",
}
"""The extra that brings a package of others, by the name that is imported."""


def absent(package: str) -> MissingDataError:
    """The error of a package of `EXTRAS` that is not installed."""
    fix = f"pip install 'glam-energy[{EXTRAS[package]}]'"
    return MissingDataError(
        f"expected the package {package.replace('_', '-')}", "not installed", fix
    )


def require_package(package: str) -> None:
    """Check that a package of `EXTRAS` is installed, without loading it.

    Raises:
        MissingDataError: it is not.
    """
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise absent(package)


def require_choice(name: str, value: str, choices: Iterable[str]) -> None:
    """Check that a value is one of a few words.

    "expected --by time, energy or co2; got speed".

    Args:
        name: of the option or argument.
        value: what the user chose.
        choices: all words that are valid.

    Raises:
        InputError: the value is another word.
    """
    *others, last = choices
    if value not in (*others, last):
        listing = f"{', '.join(others)} or {last}" if others else last
        raise InputError(f"expected {name} {listing}", str(value))


def nearest(
    name: str,
    known: Iterable[str],
    otherwise: str = "",
    *,
    aliases: Mapping[str, str] | None = None,
) -> str:
    """Suggest the known names most similar to an unknown one, as the fix of an error message.

    "did you mean h100-sxm5-80gb?" for h10; the whole list when no name is similar.

    Args:
        name: the unknown name.
        known: valid names.
        otherwise: what to suggest when no name is similar, in place of the whole list.
        aliases: other spellings, each with the valid name that it means.
    """
    from difflib import get_close_matches

    canonical = {valid: valid for valid in known} | dict(aliases or {})
    close = get_close_matches(name, sorted(canonical), n=4, cutoff=0.5)
    names = list(dict.fromkeys(canonical[match] for match in close))[:3]
    if names:
        return f"did you mean {' or '.join(names)}?"
    return otherwise or f"one of: {', '.join(sorted(set(canonical.values())))}"
