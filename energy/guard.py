"""How a command starts and ends: its streams, Ctrl-C, expected errors and exit codes.

Exit codes: 0 yes, 1 bug, 2 usage or bad input, 3 infeasible, 4 data missing or fallback refused,
5 outside tolerance, 126 a command that cannot be run, 127 a command that does not exist,
130 interrupted. A reader that closes our output (a pager, head) ends the command with 0.

Ctrl-C before `start` has loaded the application is that of `energy._ctrl_c`.
"""

from __future__ import annotations

import atexit
import errno
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from energy.errors import EXTRAS, AccountingError, absent, reason, remedy
from energy.letters import escaping


def start(load: Callable[[], Callable[[], object]]) -> None:
    """Load an application and run it under `guard`.

    Args:
        load: imports the application and returns it.
    """
    _open_closed_streams()
    import logging  # noqa: F401  (needed by guard, which Ctrl-C may reach first)

    # What is loaded stays: garbage is looked for once a verb begins (`energy.app`), and never where
    # none does, as for --help: the system takes all memory back.
    gc.disable()
    try:
        app = load()
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # of `energy._ctrl_c`
            signal.signal(signal.SIGINT, _ctrl_c)
        guard(app)
    finally:
        if not gc.isenabled():
            gc.freeze()
            gc.enable()


def guard(app: Callable[[], object]) -> None:
    """Run an application; an expected error becomes one line and an exit code."""
    # Once the results are out, Ctrl-C ends the process without a traceback of its last steps.
    atexit.register(_default_ctrl_c)
    try:
        with escaping(), _messages_on_stderr():
            _run(app)
    finally:
        _flush()


def say(line: str) -> None:
    """Print a line on stderr; where that is full or closed, the line is lost and nothing else."""
    try:
        print(line, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _discard(2)


@contextmanager
def printing() -> Iterator[None]:
    """What a verb prints before its verdict; where the reader has gone, the rest of it is dropped.

    So the exit code is that of the verdict, however much of the page `head` has read.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _discard(1)


def fail(message: str, code: int) -> NoReturn:
    """Print what is wrong in one line on stderr and exit with a code."""
    say(f"error: {' '.join(message.split())}")
    sys.exit(code)


def _run(app: Callable[[], object]) -> None:
    try:
        app()
        sys.stdout.flush()
    except AccountingError as error:
        fail(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        fail(str(missing := absent(error.name)), missing.exit_code)
    except KeyboardInterrupt:
        _fail_interrupted()
    except BrokenPipeError:
        sys.exit(0)
    except SystemExit as ending:
        # Typer turns these two into an exit without a word, with 1 for a closed pipe.
        if ending.code == 130 and _follows(ending, KeyboardInterrupt):
            _fail_interrupted()
        if ending.code == 1 and _follows(ending, BrokenPipeError):
            sys.exit(0)
        raise
    except OSError as error:
        place = error.filename or "the output"
        if error.errno in WRITING:
            fail(f"expected to write {place}; got {reason(error)}; {remedy(error)}", 2)
        if "temporary directory" in str(error):  # of Python's `tempfile`, whoever asks it
            fix = "free space on the disk, or name a folder that can be written: TMPDIR=FOLDER"
            fail(f"expected a folder for temporary files; got none; {fix}", 2)
        if error.errno in NAMING:
            fail(f"expected the path of a file or folder; got {place}: {reason(error)}", 2)
        raise


WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EFBIG)
"""Errors of a file or stream that cannot be written, which are the user's to mend."""

NAMING = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR)
"""Errors of a path that names nothing on any file system."""


def _fail_interrupted() -> NoReturn:
    """Exit after Ctrl-C, as a shell reports it."""
    say("interrupted")
    sys.exit(130)


def _follows(error: BaseException | None, kind: type[BaseException]) -> bool:
    """Whether an error was raised while another of some kind was handled."""
    while error is not None and not isinstance(error, kind):
        error = error.__context__
    return error is not None


def _ctrl_c(_number: int, frame: FrameType | None) -> None:
    """Ctrl-C raises; while a module is imported it ends the process as it ends any program.

    A library may catch what is raised as it is imported, and Python prints and drops what is raised
    in a callback of its own import machinery: either way Ctrl-C would be lost.
    """
    while frame is not None:
        if frame.f_code.co_filename == IMPORTING:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.raise_signal(signal.SIGINT)
        frame = frame.f_back
    raise KeyboardInterrupt


IMPORTING = "<frozen importlib._bootstrap>"
"""The file of Python's own functions that import a module."""


def _default_ctrl_c() -> None:
    """Let Ctrl-C end the process at once, where it would raise."""
    if signal.getsignal(signal.SIGINT) in (_ctrl_c, signal.default_int_handler):
        signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def _messages_on_stderr() -> Iterator[None]:
    """Print on stderr what our packages log, each message on a line of its own."""
    import logging

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            prefix = "warning: " if record.levelno >= logging.WARNING else ""
            say(f"{prefix}{record.getMessage()}")

    handler = Handler()
    loggers = [logging.getLogger(name) for name in ("energy", "glam", "simulator")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


def _open_closed_streams() -> None:
    """Open /dev/null in place of standard streams that are closed.

    Otherwise the next file that is opened would become one of them.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def _flush() -> None:
    """Write what is buffered; where that fails, drop it, or the interpreter would exit with 120."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except (OSError, ValueError):
            _discard(number)


def _discard(number: int) -> None:
    """Send what is still written to a standard stream nowhere."""
    with suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, number)
        os.close(null)
