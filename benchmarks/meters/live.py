"""Runs of real processes on the stand-in for NVIDIA's library, in which something goes wrong.

Runs, samplers and the stand-in read the same monotonic clock, so the moment of a fault is known in
the time of the ledger.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.meters.sensors import Load, alternating
from benchmarks.meters.standin import environment
from benchmarks.process import run_process
from energy.errors import AccountingError
from energy.ledger import lines as ledger
from tests.support.samplers import sampler_pids

DEVICE = "GPU-stand-in-0"
HIGH_W, LOW_W, PERIOD_S = 390.0, 90.0, 0.5
INTERVAL_S = 0.5
READY_S = 20.0
"""How long a run may take to start on a busy machine."""

END_S = 20.0
"""How long it may take to end."""

WITH_WINDOWS = """
import sys, time
from energy import Tracker
out, seconds, interval_s = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
with Tracker(out, meters=["nvml"], interval_s=interval_s) as tracker:
    print("open", flush=True)
    end_s, number = time.monotonic() + seconds, 0
    while time.monotonic() < end_s:
        with tracker.window(f"w{number}"):
            time.sleep(max(0.0, min(0.6, end_s - time.monotonic())))
        tracker.mark("step", step=number)
        number += 1
tracker.record().save(out)
"""


@dataclass(frozen=True)
class Node:
    """A machine of its own for some runs: a load, and the folder of what its readers share.

    Attributes:
        folder: for everything that the runs write.
        library: the compiled stand-in.
        epoch_s: the moment from which the moments of its faults count.
        settings: of the stand-in, the faults among them.
    """

    folder: Path
    library: Path
    epoch_s: float
    settings: Mapping[str, str]

    def environment(self) -> dict[str, str]:
        """The environment of its processes."""
        settings = {
            "EPOCH_S": repr(self.epoch_s),
            "PERIOD_S": repr(PERIOD_S),
            "HIGH_W": repr(HIGH_W),
            "LOW_W": repr(LOW_W),
            **self.settings,
        }
        return environment(self.library, settings, XDG_RUNTIME_DIR=str(self.folder))

    def load(self) -> Load:
        """Its true power, in the time of the monotonic clock."""
        return load_at(self.epoch_s)


def load_at(moment_s: float) -> Load:
    """The square wave that the stand-in draws, from some periods before a moment on."""
    start_s = (moment_s // PERIOD_S - 4) * PERIOD_S
    return alternating(start_s, 400, PERIOD_S, high_s=PERIOD_S / 2, high_w=HIGH_W, low_w=LOW_W)


class Run:
    """A metered run as a process.

    Args:
        node: where it runs.
        name: of its folder.
        way: run (`energy run` of a command that sleeps) or tracker (windows of 0.6 s).
        seconds: its length.
    """

    def __init__(self, node: Node, name: str, way: str, seconds: float) -> None:
        self.out, self.seconds = node.folder / name, seconds
        if way == "tracker":
            words = ["-c", WITH_WINDOWS, str(self.out), str(seconds), str(INTERVAL_S)]
        else:
            words = ["-m", "energy.cli", "run", "--meter", "nvml", "--interval", str(INTERVAL_S)]
            words += ["--out", str(self.out), "--", "sleep", str(seconds)]
        self.process = subprocess.Popen(
            [sys.executable, *words],
            env=node.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=node.folder,
        )
        self._node = node
        self._wait(lambda: self.ledger.exists() and b'"k":"header"' in self.ledger.read_bytes())
        self.begin_s = time.monotonic()

    @property
    def ledger(self) -> Path:
        """Its ledger."""
        return self.out / ledger.FILE

    def sampler(self) -> int | None:
        """The process id of its sampler; None while it has none."""
        # A thread of the run may have started it, and each thread has children of its own.
        for children in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                for child in children.read_text().split():
                    command = Path(f"/proc/{child}/cmdline").read_bytes()
                    state = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[0]
                    if b"sampler/__main__.py" in command and state != "Z":
                        return int(child)
        return None

    def signal_sampler(self, number: signal.Signals) -> float | None:
        """Send a signal to its sampler, once it has one; the moment, or None if there is none."""
        self._wait(lambda: self.sampler() is not None)
        sampler = self.sampler()
        if sampler is None:
            return None
        with contextlib.suppress(ProcessLookupError):
            os.kill(sampler, number)
        return time.monotonic()

    def kill(self, *, with_sampler: bool) -> float:
        """Kill the run, with its sampler or without; returns the moment."""
        sampler = self.sampler()
        self.process.send_signal(signal.SIGKILL)
        moment_s = time.monotonic()
        if with_sampler and sampler is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(sampler, signal.SIGKILL)
        self.process.wait()
        return moment_s

    def wait(self) -> None:
        """Wait for its end.

        Raises:
            AccountingError: it does not end.
        """
        try:
            self.process.wait(timeout=END_S + READY_S)
        except subprocess.TimeoutExpired as error:
            self.process.kill()
            raise AccountingError("expected a run to end", f"{self.out.name} goes on") from error

    def _wait(self, ready: Callable[[], bool]) -> None:
        """Wait until something is so, the run ends, or `READY_S` are over."""
        give_up_s = time.monotonic() + READY_S
        while not ready() and time.monotonic() < give_up_s and self.process.poll() is None:
            time.sleep(0.01)


@contextlib.contextmanager
def machine(library: Path, epoch_s: float, settings: Mapping[str, str]) -> Iterator[Node]:
    """A node in a folder of its own; samplers that hang or stand still do not outlive it.

    Args:
        library: the compiled stand-in.
        epoch_s: the moment from which the moments of its faults count.
        settings: of the stand-in.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            yield Node(Path(folder), library, epoch_s, settings)
        finally:
            for pid in sampler_pids(Path(folder)):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)


def record_of(node: Node, runs: Sequence[Run], out: Path) -> Mapping[str, Any]:
    """The JSON of the record of a run, or of all of them merged.

    Raises:
        AccountingError: a command of `energy` failed.
    """
    if len(runs) == 1:
        if not (runs[0].out / "record.json").exists():
            _energy(node, "record", str(runs[0].out))
        return _json(runs[0].out / "record.json")
    _energy(node, "merge", *(str(run.out) for run in runs), "--out", str(out))
    return _json(out / "record.json")


def _energy(node: Node, *words: str) -> None:
    """Run a command of `energy` on a node."""
    run_process([sys.executable, "-m", "energy.cli", *words], environment=node.environment())


def _json(path: Path) -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads(path.read_bytes())
    return content
