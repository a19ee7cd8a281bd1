"""Install the project into a virtual environment, with a line of progress every few seconds.

`python -m scripts.install .venv/bin/python train,plots` prints what is downloaded, how much of it,
and how much is on disk; pip alone is silent for minutes while it unpacks. The standard library is
all that it needs, as nothing is installed yet.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EVERY_S = 4.0
"""Seconds between two lines."""

SIZE = re.compile(r"(?:Downloading|Using cached) (\S+?)(?:\.metadata)? \(([\d.]+) ([kMG]?B)\)")
BYTES = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9}


def megabytes(log: str) -> tuple[float, str]:
    """What pip has fetched by its lines: megabytes, and the last package with its size."""
    fetched = SIZE.findall(log)
    total = sum(float(number) * BYTES[unit] for _, number, unit in fetched) / 1e6
    last = fetched[-1] if fetched else None
    return total, f"{last[0].split('/')[-1]} ({last[1]} {last[2]})" if last else ""


def doing(log: str) -> str:
    """What pip is at, in a few words."""
    _, last = megabytes(log)
    if "Installing collected packages" in log:
        names = log.rpartition("Installing collected packages:")[2].split("\n")[0]
        return f"unpacking {names.count(',') + 1} packages"
    return f"fetched {last}" if last else "looking for packages"


def on_disk_mb(folder: Path) -> float:
    """Megabytes of the files of a folder."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:  # a temporary file that has gone
                continue
    return total / 1e6


def loaded(load: float, cores: int) -> str:
    """What to expect of a machine that others use too; empty on a quiet one.

    The demo takes every core. Beside `load` others that want one each, it has
    cores / (cores + load) of the machine.
    """
    if load < 0.5 * cores:
        return ""
    times = 1 + load / cores
    return (
        f"note: load average {load:.1f} on {cores} cores: others are at work, so expect about "
        f"{times:.1f} times as long as on a quiet machine, where this ends in under 6 minutes: "
        f"up to {6 * times:.0f} minutes"
    )


def install(python: Path, extras: str) -> int:
    """Install the project of the working folder with extras; the exit code of pip."""
    words = ["install", "--disable-pip-version-check", "--progress-bar", "off", "--editable"]
    begin, venv = time.monotonic(), python.parent.parent
    print(f"installing glam-energy[{extras}] into {venv}", file=sys.stderr)
    with tempfile.NamedTemporaryFile("w+", suffix=".log") as log:
        command = [str(python), "-m", "pip", *words, f".[{extras}]"]
        with subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT) as process:
            while process.poll() is None:
                try:
                    process.wait(EVERY_S)
                except subprocess.TimeoutExpired:
                    print(_line(begin, Path(log.name), venv), file=sys.stderr, flush=True)
        print(_line(begin, Path(log.name), venv), file=sys.stderr)
        if process.returncode:
            print(Path(log.name).read_text(), file=sys.stderr)
    return process.returncode


def _line(begin: float, log: Path, venv: Path) -> str:
    text = log.read_text(errors="replace")
    fetched, _ = megabytes(text)
    done = "Successfully installed" in text
    return (
        f"  {time.monotonic() - begin:4.0f} s: {fetched:,.0f} MB fetched, "
        f"{on_disk_mb(venv):,.0f} MB on disk; {'installed' if done else doing(text)}"
    )


def main() -> None:
    """Say that a loaded machine is slow, or install."""
    if sys.argv[1:] == ["--loaded"]:
        if note := loaded(os.getloadavg()[0], os.cpu_count() or 1):
            print(note, file=sys.stderr)
        return
    python, extras = sys.argv[1:]
    sys.exit(install(Path(python), extras))


if __name__ == "__main__":
    main()
