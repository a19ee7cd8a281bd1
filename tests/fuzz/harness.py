"""Runs one input and says how it ended."""

from __future__ import annotations

import contextlib
import io
import json
import math
import resource
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

from energy.errors import AccountingError

HANG_S = 10.0
"""Seconds of processor time after which an input hangs."""

MEMORY_BYTES = 3 << 30
"""Bytes that an input may add to the address space of this process."""

PACKAGES = ("energy", "glam", "simulator")


@dataclass(frozen=True)
class Outcome:
    """How an input ended.

    Attributes:
        kind: read, refused, traceback, exit 1, hang, negative, silent (refused without a message)
            or warned (a library's warning among our lines).
        place: file and line of ours where it went wrong; empty where nothing did.
        words: the message.
    """

    kind: str
    place: str = ""
    words: str = ""

    @property
    def wrong(self) -> bool:
        """Whether this must not happen."""
        return self.kind not in ("read", "refused")


class _HangError(BaseException):
    """An input took too much processor time."""


def outcome(action: Callable[[], Any]) -> Outcome:
    """Run one input.

    Args:
        action: reads it; gives what it read, or prints that as JSON.
    """
    out, err = io.StringIO(), io.StringIO()
    code: Any = 0
    result: Any = None
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
        _limited(),
    ):
        warnings.simplefilter("always")
        warnings.showwarning = _say_warning  # pytest would keep them for itself
        try:
            result = action()
        except SystemExit as ending:
            code = ending.code or 0
        except AccountingError as error:
            code = error.exit_code
            print(f"error: {error}", file=err)
        except _HangError as error:
            return Outcome("hang", _place(error), f"{HANG_S:g} s of processor time")
        except BaseException as error:
            return Outcome("traceback", _place(error), f"{type(error).__name__}: {error}"[:200])
    said = err.getvalue().strip()
    if code in (2, 3, 4, 5, 126, 127):
        refused = "error:" in said or "Usage:" in said or "Error" in said or code == 5
        return Outcome("refused" if refused else "silent", "", said[-300:])
    if code != 0:
        return Outcome(f"exit {code}", "", said[-300:])
    if "Warning:" in said:
        return Outcome("warned", "", said[-300:])
    wrong = next(_impossible(result, ""), None) or next(
        _impossible(_parsed(out.getvalue()), ""), ""
    )
    return Outcome("negative", "", wrong) if wrong else Outcome("read")


def _say_warning(message: Warning | str, category: type[Warning], *_: object) -> None:
    print(f"{category.__name__}: {message}", file=sys.stderr)


def command(package: str, *arguments: object) -> Callable[[], None]:
    """The action that runs a command of ours in this process."""

    def act() -> None:
        before = sys.argv
        sys.argv = [package, *map(str, arguments)]
        try:
            import_module(f"{package}.cli").main()
        finally:
            sys.argv = before

    return act


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    def end(_signal: int, _frame: FrameType | None) -> None:
        raise _HangError

    limits = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, limits[1]))
    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, HANG_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.signal(signal.SIGPROF, before)


def _place(error: BaseException) -> str:
    """The innermost line of ours in a traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if any(f"/{name}/" in f.filename for name in PACKAGES)]
    ours = [f for f in ours if "/site-packages/" not in f.filename] or frames
    last = ours[-1]
    path = Path(last.filename)
    return f"{'/'.join(path.parts[-3:])}:{last.lineno}"


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _impossible(value: Any, name: str) -> Iterator[str]:
    """Joules and seconds below zero, and numbers that are none, in what was read."""
    if isinstance(value, dict):
        if value.get("unit") in ("J", "s") and isinstance(value.get("value"), int | float):
            for key in ("value", "low"):
                if (value.get(key) or 0) < 0:
                    yield f"{name}.{key} = {value[key]} {value['unit']}"
        for key, item in value.items():
            yield from _impossible(item, f"{name}.{key}")
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _impossible(item, name)
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{name} = {value}"
