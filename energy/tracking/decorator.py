"""`@track("runs/mine")`: meter the calls of a function, a coroutine function or a generator.

    @track("runs/mine", zone="FRA")
    def train(): ...

Each call is a window, and the record is written when it ends. All calls in a process make up one
run; nothing is metered between them. A coroutine is metered from its first step to its end, with
whatever else its event loop does meanwhile. A generator is metered from its first item until it is
exhausted or closed, with what its consumer does between two items.
"""

from __future__ import annotations

import functools
import inspect
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast, overload

from energy.tracking.tracker import Tracker

Function = TypeVar("Function", bound=Callable[..., Any])
"""Any function; the metered one takes and returns the same."""


@overload
def track(out_dir: Function, /) -> Function: ...
@overload
def track(out_dir: str | Path | None = None, **settings: Any) -> Callable[[Function], Function]: ...
def track(out_dir: Any = None, **settings: Any) -> Any:
    """Meter every call of a function into a folder, and write the record when a call ends.

    Inside the function, its attribute `tracker` is the Tracker: `train.tracker.add_tokens(4096)`.

    Args:
        out_dir: folder of the run; runs/NAME-TIME by default.
        **settings: further arguments of `Tracker`, which are checked at once.

    Returns:
        A decorator.

    Raises:
        InputError: as `Tracker`; and at the first call, if the folder contains a finished run.
    """
    if callable(out_dir):
        return _metered(out_dir, _Calls(out_dir, None, {}))
    return lambda function: _metered(function, _Calls(function, out_dir, settings))


class _Calls:
    """The calls of one function: the first that begins starts metering, the last that ends stops.

    Args:
        function: the function.
        out_dir: folder of the run, if the user named it.
        settings: further arguments of `Tracker`.
    """

    def __init__(
        self, function: Callable[..., Any], out_dir: str | Path | None, settings: dict[str, Any]
    ) -> None:
        self._name = getattr(function, "__name__", type(function).__name__)
        folder = out_dir or Path("runs") / f"{self._name}-{time.strftime('%Y%m%d-%H%M%S')}"
        self.tracker = Tracker(folder, **{"name": self._name, **settings})
        self._lock, self._going_on = threading.Lock(), 0

    @contextmanager
    def metered(self) -> Iterator[None]:
        """One call."""
        with self._lock:
            if not self._going_on:
                self.tracker.open()
            self._going_on += 1
        error: BaseException | None = None
        try:
            with self.tracker.window(self._name):
                yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            with self._lock:
                self._going_on -= 1
                if not self._going_on:
                    self.tracker.stop(error)


def _metered(function: Callable[..., Any], calls: _Calls) -> Callable[..., Any]:
    """The function, with every call metered."""
    kinds = (
        (inspect.isasyncgenfunction, _async_generator),
        (inspect.iscoroutinefunction, _coroutine),
        (inspect.isgeneratorfunction, _generator),
    )
    make = next((make for is_kind, make in kinds if is_kind(function)), _plain)
    wrapper: Any = functools.wraps(function)(make(function, calls))
    wrapper.tracker = calls.tracker
    return cast("Callable[..., Any]", wrapper)


def _plain(function: Callable[..., Any], calls: _Calls) -> Callable[..., Any]:
    def metered(*arguments: Any, **named: Any) -> Any:
        with calls.metered():
            return function(*arguments, **named)

    return metered


def _generator(function: Callable[..., Any], calls: _Calls) -> Callable[..., Any]:
    def metered(*arguments: Any, **named: Any) -> Generator[Any, Any, Any]:
        with calls.metered():
            return (yield from function(*arguments, **named))

    return metered


def _coroutine(function: Callable[..., Any], calls: _Calls) -> Callable[..., Any]:
    async def metered(*arguments: Any, **named: Any) -> Any:
        with calls.metered():
            return await function(*arguments, **named)

    return metered


def _async_generator(function: Callable[..., Any], calls: _Calls) -> Callable[..., Any]:
    async def metered(*arguments: Any, **named: Any) -> AsyncIterator[Any]:
        with calls.metered():
            async with aclosing(function(*arguments, **named)) as items:
                sent = None
                while True:
                    try:
                        item = await items.asend(sent)
                    except StopAsyncIteration:
                        return
                    sent = yield item

    return metered
