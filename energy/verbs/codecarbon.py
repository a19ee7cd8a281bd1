"""CodeCarbon's measurement of the same run, shown beside ours and never in its place.

It runs as the offline tracker (no location lookup, no file) in a process of its own, which has an
empty home, an empty working folder and an empty environment: no setting of the user can make it
send or write anything, or change its numbers. Each of its three numbers gets the origin of its
backend, which CodeCarbon's own output does not state: a processor estimated from its load is
modelled, one estimated from a constant is assumed, and so is memory, which is estimated from the
number of modules.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from energy.arithmetic import add
from energy.errors import MissingDataError, absent
from energy.quantity import Origin, Quantity
from energy.record import RunRecord
from energy.units import J_PER_KWH

CHILD = Path(__file__).with_name("codecarbon_child.py")
"""The program of that process, which is started by path."""

START_S, STOP_S = 120.0, 30.0
"""How long CodeCarbon may take to start, and to say what it measured."""

BACKENDS = {
    "cpu_load": Origin.MODELLED,
    "intel_rapl": Origin.MEASURED,
    "rapl": Origin.MEASURED,
    "intel_power_gadget": Origin.MEASURED,
    "constant": Origin.ASSUMED,
}
"""Origin by CodeCarbon's name of its processor backend; an unknown backend is assumed."""

DEVICES = {"cpu": ("cpu", "psys"), "gpu": ("GPU", "gpu", "MIG"), "ram": ("memory", "dram")}
"""Prefixes of our device names, by CodeCarbon's parts."""


class SecondOpinion:
    """CodeCarbon's offline tracker around a block of code.

    Attributes:
        pids: its process, once it has started.
        parts: its joules of cpu, gpu and ram, once the block has ended; parts without joules are
            left out.
    """

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""
        self.pids: list[int] = []
        self.parts: dict[str, Quantity] = {}

    def __enter__(self) -> SecondOpinion:
        """Start it.

        Raises:
            MissingDataError: CodeCarbon is not installed, or does not start.
        """
        boards = os.environ.get("CUDA_VISIBLE_DEVICES") or os.environ.get("ROCR_VISIBLE_DEVICES")
        path = [place for place in sys.path if os.path.isabs(place)]
        self._folder = tempfile.TemporaryDirectory(prefix="energy-codecarbon-")
        home = self._folder.name
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(CHILD), json.dumps({"path": path, "gpu_ids": boards})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=home,
            env={"HOME": home},
            start_new_session=True,
        )
        self.pids.append(self._process.pid)
        answer = self._answer(START_S)
        if answer.get("started"):
            return self
        self._end()
        if answer.get("missing"):
            raise absent("codecarbon")
        raise MissingDataError(
            "expected CodeCarbon to start", "no answer", "leave out --second-opinion"
        )

    def __exit__(self, *_: object) -> None:
        """Stop it and read its three numbers."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        answer = self._answer(STOP_S)
        self._end()
        mode = str(answer.get("mode", ""))
        origins = {
            "cpu": BACKENDS.get(mode, Origin.ASSUMED),
            "gpu": Origin.MEASURED,
            "ram": Origin.ASSUMED,
        }
        methods = {"cpu": mode or "unknown backend", "gpu": "NVML", "ram": "watts per module"}
        for part, origin in origins.items():
            joules = answer.get("kwh", {}).get(part, 0.0) * J_PER_KWH
            if joules > 0:
                self.parts[part] = Quantity.exact(
                    joules, "J", f"CodeCarbon {part}: {methods[part]}", origin
                )

    def _answer(self, longest_s: float) -> dict[str, Any]:
        """Its next line; empty if it ends, or does not answer for so long."""
        if self._process is None or self._process.stdout is None:
            return {}
        file, until_s = self._process.stdout.fileno(), time.monotonic() + longest_s
        while b"\n" not in self._unread:
            wait_s = until_s - time.monotonic()
            if wait_s < 0 or not select.select([file], [], [], wait_s)[0]:
                return {}
            text = os.read(file, 1 << 16)
            if not text:
                return {}
            self._unread += text
        line, _, self._unread = self._unread.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _end(self) -> None:
        """End its process, if it still runs, and remove its folder."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
        if self._folder is not None:
            self._folder.cleanup()

    def compare(self, record: RunRecord) -> tuple[Quantity, str]:
        """CodeCarbon's total, and a note on how it differs from the record, part by part."""
        if not self.parts:
            reason = "CodeCarbon reported no energy (was the run shorter than its interval?)"
            return Quantity.absent("J", reason), reason
        total = add(list(self.parts.values()), source="CodeCarbon, offline tracker")
        ours = {part: _our_joules(record, part) for part in DEVICES}
        lines = {
            part: f"{part}: {_with_method(self.parts.get(part))} against {_with_source(own)}"
            for part, own in ours.items()
            if own or part in self.parts
        }
        difference = {
            part: abs(_joules(self.parts.get(part)) - _joules(ours[part])) for part in lines
        }
        largest = max(difference, key=lambda part: difference[part])
        our_total = sum(map(_joules, ours.values()))
        ratio = f", {_joules(total) / our_total:.2f} times ours" if our_total else ""
        note = (
            f"CodeCarbon reports {_joules(total):.0f} J{ratio}; most of the difference is "
            f"{lines.pop(largest)}"
        )
        return total, "; ".join([note, *lines.values()])


def _our_joules(record: RunRecord, part: str) -> Quantity | None:
    """The record's joules of one of CodeCarbon's parts; None where it has none."""
    entries = [
        entry
        for entry in record.energy
        if entry.device.startswith(DEVICES[part])
        and entry.within is None
        and entry.value is not None
    ]
    sources = sorted({entry.api for entry in entries})
    return add(entries, source="; ".join(sources)) if entries else None


def _with_method(part: Quantity | None) -> str:
    """CodeCarbon's joules with their origin and backend."""
    if part is None:
        return "nothing"
    return f"{_joules(part):.0f} J {part.origin} ({part.source.split(': ')[1]})"


def _with_source(own: Quantity | None) -> str:
    """Our joules with their origin and source."""
    return "nothing" if own is None else f"{_joules(own):.0f} J {own.origin} ({own.source})"


def _joules(quantity: Quantity | None) -> float:
    return 0.0 if quantity is None else quantity.value or 0.0
