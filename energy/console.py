"""What all commands share: results on stdout, messages and errors on stderr, exit codes.

Exit codes: 0 yes, 1 bug, 2 usage or bad input, 3 infeasible, 4 data missing or fallback refused,
5 outside tolerance, 126 a command that cannot be run, 127 a command that does not exist,
130 interrupted.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from energy._lazy import version
from energy.errors import AccountingError


def guard(app: Callable[[], object]) -> None:
    """Run a command-line application; an expected error becomes one line and an exit code."""
    try:
        with _messages_on_stderr():
            app()
    except AccountingError as error:
        fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        _end_of_interrupted()
    except BrokenPipeError:
        _end_of_closed_output()
    except SystemExit as ending:
        # Typer turns these two into an exit without a word, with 1 for a closed pipe.
        if ending.code == 130 and _follows(ending, KeyboardInterrupt):
            _end_of_interrupted()
        if ending.code == 1 and _follows(ending, BrokenPipeError):
            _end_of_closed_output()
        raise
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        place = error.filename or "the output"
        fail(
            f"expected to write {place}; got {(error.strerror or '').lower()}; "
            "free some space or choose another folder",
            2,
        )


def _follows(error: BaseException | None, kind: type[BaseException]) -> bool:
    """Whether an error was raised while another of some kind was handled."""
    while error is not None and not isinstance(error, kind):
        error = error.__context__
    return error is not None


def _end_of_interrupted() -> NoReturn:
    """Exit after Ctrl-C, as a shell reports it."""
    print("interrupted", file=sys.stderr)
    sys.exit(130)


def _end_of_closed_output() -> NoReturn:
    """Exit with 0: the reader of our output (a pager, head) has seen enough, which is no error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)


@contextmanager
def _messages_on_stderr() -> Iterator[None]:
    """Print on stderr what our packages log."""
    handler = _StderrHandler()
    loggers = [logging.getLogger(name) for name in ("energy", "glam", "simulator")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


class _StderrHandler(logging.Handler):
    """Prints each message on a line of its own; warnings say that they are."""

    def emit(self, record: logging.LogRecord) -> None:
        prefix = "warning: " if record.levelno >= logging.WARNING else ""
        print(f"{prefix}{record.getMessage()}", file=sys.stderr, flush=True)


def fail(message: str, code: int) -> NoReturn:
    """Print what is wrong in one line on stderr and exit with a code."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)


def print_json(value: Mapping[str, Any] | list[Any]) -> None:
    """Print one JSON document on stdout; pydantic models and arrays inside are converted."""
    print(json.dumps(value, indent=1, default=plain, allow_nan=False))


def print_version(requested: bool) -> None:
    """Print the version of the package and exit: the callback of an eager option --version."""
    if requested:
        print(version())
        sys.exit(0)


def plain(value: Any) -> Any:
    """Convert what JSON has no form for: models become tables, arrays lists."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
