"""Sets the power limit of the boards for the time of a run, and restores it whatever happens.

A process of its own sets the limits and waits. When the run ends, or is killed, the pipe between
them closes, and that process restores what was before. Runs that share a board (the ranks of a
node) agree on one limit; the last of them restores it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from energy.errors import InputError
from energy.inputs import UNPARSED
from energy.meters import nvml as meter
from energy.meters.limits import W_PER_MW
from energy.meters.nvml_boards import Board, visible_boards
from energy.outside import attempt
from energy.sampler.seat import boot_id, runtime_folder

REPLY_S = 30.0
"""How long the drivers may take to answer."""

MW_PER_W = 1e3

USABLE, QUERY = "expected a driver that can be used for --power-limit", "nvidia-smi -q"
WITHOUT = "leave --power-limit out"

NO_PERMISSION = f"run as root, or have an administrator run nvidia-smi -pl WATTS and {WITHOUT}"


class PowerLimit:
    """A power limit of all boards that the run may use.

    Args:
        watts: the limit of each board.

    Attributes:
        before: watts of the limits that were in force, by board.

    Raises:
        InputError: on entering: there is no board, it does not accept the limit, another run has
            set another one, or there is no permission.
    """

    def __init__(self, watts: float) -> None:
        self.watts = watts
        self.before: dict[str, float] = {}
        self._ours = self._theirs = -1

    def __enter__(self) -> Self:
        self._theirs, ours = os.pipe()
        theirs, self._ours = os.pipe()
        middle = os.fork()
        if middle == 0:
            # A grandchild belongs to no process whose children are waited for.
            try:
                if os.fork() == 0:
                    os.close(self._ours)
                    os.close(self._theirs)
                    _guard(self.watts, theirs, ours)
            finally:
                os._exit(0)
        os.waitpid(middle, 0)
        os.close(theirs)
        os.close(ours)
        answer = self._answer()
        if "error" in answer:
            self._close()
            raise InputError(*answer["error"])
        self.before = answer["before"]
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._ours)
        self._ours = -1
        for problem in self._answer().get("problems", ()):
            print(f"the power limit was not restored: {problem}", file=sys.stderr)
        self._close()

    def as_dict(self) -> dict[str, Any]:
        """The limit of the run and those before it, for the record."""
        return {"set_w": self.watts, "before_w": self.before}

    def _answer(self) -> dict[str, Any]:
        """The next line of the guard."""
        ready, _, _ = select.select([self._theirs], [], [], REPLY_S)
        line = os.read(self._theirs, 1 << 16) if ready else b""
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        words = (USABLE, f"no answer within {REPLY_S:.0f} s", QUERY)
        return {"error": words, "problems": ["the driver does not answer"]}

    def _close(self) -> None:
        for end in (self._ours, self._theirs):
            if end >= 0:
                os.close(end)
        self._ours = self._theirs = -1


@dataclass
class Limited:
    """A board whose limit is set.

    Attributes:
        board: the board.
        before_mw: the limit that was in force before any of the present runs.
        lock: descriptor of the file that all runs hold which have set it; -1 without one.
    """

    board: Board
    before_mw: int
    lock: int


class RefusedError(Exception):
    """The limit cannot be set; the arguments are those of an InputError."""


def _guard(watts: float, end: int, answers: int) -> None:
    """Set the limits, wait until the run has ended, and restore them."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    limited: list[Limited] = []
    nvml = meter.binding()
    _, error = attempt(lambda: _set_all(nvml, watts, limited))
    if error is not None:
        refusal = error.args if isinstance(error, RefusedError) else (USABLE, str(error), QUERY)
        list(_restored(nvml, limited))
        _send(answers, {"error": refusal})
        return
    before = {own.board.id: own.before_mw * W_PER_MW for own in limited}
    _send(answers, {"before": before})
    os.read(end, 1)  # returns when the run has closed its end, or has died
    _send(answers, {"problems": list(_restored(nvml, limited))})


def _send(answers: int, answer: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # the run has died
        os.write(answers, json.dumps(answer).encode())


def _set_all(nvml: Any, watts: float, limited: list[Limited]) -> None:
    """Set the limit of every board, after all of them have been found to accept it.

    Args:
        nvml: the binding; None without a driver.
        watts: the limit.
        limited: gets the boards whose limit is set, one by one.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if nvml is None:
        raise RefusedError("expected an NVIDIA board for --power-limit", "no driver", WITHOUT)
    nvml.nvmlInit()
    boards = visible_boards(nvml, visible)
    if not boards:
        raise RefusedError("expected an NVIDIA board for --power-limit", "none", WITHOUT)
    for board in boards:
        _require(nvml, board, watts)
    for board in boards:
        limited.append(_set(nvml, board, round(watts * MW_PER_W)))


def _require(nvml: Any, board: Board, watts: float) -> None:
    """Check that a board accepts a limit."""
    if board.share:
        raise RefusedError("expected whole boards for --power-limit", board.share, WITHOUT)
    try:
        least_mw, most_mw = nvml.nvmlDeviceGetPowerManagementLimitConstraints(board.handle)
    except nvml.NVMLError as error:
        raise RefusedError(
            "expected a board with a power limit", f"{board.id}: {error}", WITHOUT
        ) from error
    if not least_mw <= round(watts * MW_PER_W) <= most_mw:
        raise RefusedError(
            f"expected a power limit of {least_mw * W_PER_MW:g} to {most_mw * W_PER_MW:g} W, "
            f"which {board.id} accepts",
            f"{watts:g} W",
            "choose one in that range",
        )


def _set(nvml: Any, board: Board, wanted_mw: int) -> Limited:
    """Set the limit of a board, or join the runs that have set the same one."""
    present_mw = int(nvml.nvmlDeviceGetPowerManagementLimit(board.handle))
    lock, first = _locked(board)
    left = known(lock)
    if not first and present_mw != wanted_mw:
        os.close(lock)
        raise RefusedError(
            "expected the power limit that another run has set",
            f"{wanted_mw * W_PER_MW:g} W for {board.id}, which has {present_mw * W_PER_MW:g} W",
            "run with the same limit, or later",
        )
    # A guard that was killed has left its limit behind, and what was before.
    before_mw = (
        left["before"]
        if left.keys() >= {"before", "set"} and left["set"] == present_mw
        else present_mw
    )
    if first:
        _write(lock, {"before": before_mw, "set": wanted_mw})
        try:
            nvml.nvmlDeviceSetPowerManagementLimit(board.handle, wanted_mw)
        except nvml.NVMLError as error:
            _write(lock, {})
            fix = NO_PERMISSION if error.value == nvml.NVML_ERROR_NO_PERMISSION else WITHOUT
            raise RefusedError(
                f"expected to be allowed to set the power limit of {board.id}", str(error), fix
            ) from error
        if lock >= 0:
            fcntl.flock(lock, fcntl.LOCK_SH)
    return Limited(board, before_mw, lock)


def _restored(nvml: Any, limited: list[Limited]) -> Iterator[str]:
    """Restore the limits of boards that no other run has set; tells what could not be."""
    for own in limited:
        try:
            if own.lock >= 0:
                # Fails while another run shares it; our own share is gone even then.
                fcntl.flock(own.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            nvml.nvmlDeviceSetPowerManagementLimit(own.board.handle, own.before_mw)
            _write(own.lock, {})
        except BlockingIOError:
            continue
        except nvml.NVMLError as error:
            yield f"{own.board.id}: {error}; it was {own.before_mw * W_PER_MW:g} W"


def _locked(board: Board) -> tuple[int, bool]:
    """The lock file of a board, and whether no other run has set its limit."""
    try:
        path = runtime_folder() / f"power-limit-{boot_id()}-{board.id}"
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return -1, True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(lock, fcntl.LOCK_SH)  # waits for a run that is just setting it
        return lock, False
    return lock, True


def known(lock: int) -> dict[str, int]:
    """The limit that a lock file says was set, and the one before; empty where it is damaged."""
    with contextlib.suppress(OSError, *UNPARSED):
        facts = json.loads(os.pread(lock, 4096, 0))
        if isinstance(facts, dict) and all(map(_is_limit, facts.values())):
            return facts
    return {}


def _is_limit(value: object) -> bool:
    """Whether a value is a limit in milliwatts as the driver has them."""
    return type(value) is int and 0 < value < 2**32


def _write(lock: int, facts: dict[str, int]) -> None:
    if lock >= 0:
        os.ftruncate(lock, 0)
        os.pwrite(lock, json.dumps(facts).encode(), 0)
