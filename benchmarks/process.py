"""Run one command as a process of its own and measure what it costs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from energy.errors import AccountingError

ROOT = Path(__file__).resolve().parents[1]
"""Root of this checkout."""


@dataclass(frozen=True)
class Finished:
    """A process that has ended.

    Attributes:
        elapsed_s: wall-clock time, start and end of the interpreter included.
        processor_s: user plus system time of the process and of the children it waited for.
        peak_bytes: largest resident memory of any one of them.
        stdout: what it printed.
    """

    elapsed_s: float
    processor_s: float
    peak_bytes: int
    stdout: str


def environment_with(folder: Path, packages: Sequence[str], alone: Sequence[str] = ()) -> str:
    """The Python of a virtual environment with some packages, made unless it is there.

    Args:
        folder: of the environment.
        packages: requirements.
        alone: requirements that are installed without what they depend on.

    Raises:
        AccountingError: it cannot be made, or pip failed.
    """
    python = str(folder.absolute() / "bin" / "python")
    if not Path(python).exists():
        print(f"installing {', '.join(alone or packages)} in {folder}", file=sys.stderr)
        run_process([sys.executable, "-m", "venv", str(folder)])
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run_process([*pip, *packages])
        if alone:
            run_process([*pip, "--no-deps", *alone])
    return python


def run_process(
    command: Sequence[str],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    exit_codes: Collection[int] = (0,),
) -> Finished:
    """Run a command to its end, quietly.

    Args:
        command: the program and its arguments.
        folder: its working directory; this one if left out.
        environment: its whole environment; this one if left out.
        exit_codes: those that count as success.

    Raises:
        AccountingError: the command ended with another exit code; the message has the last line
            of its standard error.
    """
    # Files rather than pipes: wait4, which counts the resources, would not drain a pipe.
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as messages:
        begin = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=output, stderr=messages, cwd=folder, env=environment
        )
        _, status, used = os.wait4(process.pid, 0)
        elapsed_s = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        messages.seek(0)
        if process.returncode not in exit_codes:
            last = (messages.read().strip().splitlines() or ["no message"])[-1]
            raise AccountingError(
                f"expected exit code {' or '.join(map(str, exit_codes))} of {' '.join(command)}",
                f"{process.returncode}, {last}",
            )
        return Finished(
            elapsed_s=elapsed_s,
            processor_s=used.ru_utime + used.ru_stime,
            peak_bytes=used.ru_maxrss * 1024,  # Linux counts in KiB
            stdout=output.read(),
        )
