"""The stages of the check: each a process with a time limit, whose failure ends no other.

    python -m benchmarks.gpu_check.stages STAGE SETTINGS

runs one of them, which prints a JSON object a line: what it does, and what it has measured so far.
So a stage that runs out of time keeps what it measured before.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.process import ROOT
from energy.console import plain
from energy.errors import AccountingError, MissingDataError

TOTAL_S = 475.0
"""Seconds for all stages together: the check ends in less than 8 minutes."""

PATIENCE = 5.0
"""A rehearsal has so many times longer: it runs on any machine, beside other work."""

LEAST_S = 5.0
"""With less time left a stage is not begun."""

Report = Callable[..., None]
"""Takes words for what is done next, and values that have been measured."""


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: what it is called.
        function: module of this package, and the function in it.
        limit_s: seconds after which it is ended.
        title: what it measures.
    """

    name: str
    function: str
    limit_s: float
    title: str


STAGES = (
    Stage("doctor", "facts.doctor", 30, "meters of the machine, by `energy doctor`"),
    Stage("driver", "facts.driver", 10, "power limits, clocks and modes, by the driver"),
    Stage("sensor", "sensor.measure", 95, "counter against power; delay, averaging, hold, tick"),
    Stage("overhead", "training.overhead", 70, "a training step with the tracker and without it"),
    Stage("step", "training.step", 150, "steps of a mixture and its dense twin in bfloat16"),
    Stage("forecast", "forecast.compare", 110, "probe, calibrate, predict, train, compare"),
)


@dataclass(frozen=True)
class Settings:
    """What all stages know.

    Attributes:
        out: folder for what they leave.
        device: "cuda", or "cpu" in a rehearsal.
        short: whether everything is short and small, as in a rehearsal.
        load: file by which the load is announced to a stand-in; empty for a real load.
    """

    out: str
    device: str = "cuda"
    short: bool = False
    load: str = ""


@dataclass
class Outcome:
    """What became of a stage.

    Attributes:
        state: done, failed, late or not run.
        seconds: how long it took.
        why: why it was not done.
        values: what it measured, all or until it ended.
    """

    state: str = "done"
    seconds: float = 0.0
    why: str = ""
    values: dict[str, Any] = field(default_factory=dict)


def run_all(
    stages: Sequence[Stage], settings: Settings, on_progress: Callable[[str, str], None]
) -> dict[str, Outcome]:
    """Run stages one after the other.

    Args:
        stages: some of STAGES.
        settings: for all of them.
        on_progress: called with the name of a stage and what it does.
    """
    outcomes: dict[str, Outcome] = {}
    patience = PATIENCE if settings.short else 1.0
    deadline_s = time.monotonic() + patience * TOTAL_S
    for stage in stages:
        left_s = deadline_s - time.monotonic()
        if left_s < LEAST_S:
            outcomes[stage.name] = Outcome("not run", why=f"no time left of {TOTAL_S:.0f} s")
        else:
            limit_s = min(patience * stage.limit_s, left_s)
            outcomes[stage.name] = run(stage, settings, limit_s, on_progress)
        outcome = outcomes[stage.name]
        words = f": {outcome.why}" if outcome.why else ""
        on_progress(stage.name, f"{outcome.state}, {outcome.seconds:.0f} s{words}")
    return outcomes


def run(
    stage: Stage,
    settings: Settings,
    limit_s: float,
    on_progress: Callable[[str, str], None],
) -> Outcome:
    """Run one stage in a process of its own, and end it and its children at its limit.

    What it writes to its standard error is in STAGE.log in the folder of the settings.
    """
    outcome, begin_s = Outcome(), time.monotonic()
    log = Path(settings.out) / f"{stage.name}.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, stage.name, json.dumps(asdict(settings))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"},
            start_new_session=True,
        )
    assert process.stdout is not None
    ended = False
    try:
        for line in _lines(process.stdout.fileno(), begin_s + limit_s):
            message = json.loads(line)
            outcome.values.update(message.get("values", {}))
            if message.get("words"):
                on_progress(stage.name, message["words"])
            if "state" in message:
                outcome.state, outcome.why, ended = message["state"], message["why"], True
        if not ended and time.monotonic() >= begin_s + limit_s:
            outcome.state, outcome.why = "late", f"not done after {limit_s:.0f} s"
        elif not ended:
            outcome.state = "failed"
            outcome.why = f"its process ended with {process.wait()}; see {log}"
    finally:
        _end(process)
    outcome.seconds = time.monotonic() - begin_s
    return outcome


def _lines(descriptor: int, deadline_s: float) -> Iterator[bytes]:
    """The whole lines that come through a pipe until it is closed or the deadline has passed."""
    rest = b""
    while (left_s := deadline_s - time.monotonic()) > 0:
        if not select.select([descriptor], [], [], left_s)[0]:
            return
        part = os.read(descriptor, 1 << 16)
        if not part:
            return
        *lines, rest = (rest + part).split(b"\n")
        yield from lines


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a stage and the processes that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def main() -> None:
    """Run one stage from the command line."""
    name, settings = sys.argv[1], Settings(**json.loads(sys.argv[2]))
    # Libraries that print must not come between the lines of the stage.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def tell(message: dict[str, Any]) -> None:
        print(json.dumps(message, default=plain), file=answers, flush=True)

    def report(words: str = "", **values: Any) -> None:
        tell({"words": words, "values": values})

    (stage,) = (stage for stage in STAGES if stage.name == name)
    module, function = stage.function.split(".")
    try:
        getattr(importlib.import_module(f"benchmarks.gpu_check.{module}"), function)(
            settings, report
        )
        tell({"state": "done", "why": ""})
    except MissingDataError as error:
        tell({"state": "not run", "why": str(error)})
    except AccountingError as error:
        tell({"state": "failed", "why": str(error)})
    except Exception as error:
        traceback.print_exc()
        tell({"state": "failed", "why": f"{type(error).__name__}: {error}".splitlines()[0]})


if __name__ == "__main__":
    main()
