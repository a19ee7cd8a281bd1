"""Processes that torchrun starts."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.distributed.launch import command, environment

Run = subprocess.CompletedProcess[str]


def torchrun(processes: int, module: str, *arguments: object, cwd: Path) -> Run:
    """Run a module under torchrun on this machine, with one thread a process.

    Args:
        processes: number of processes.
        module: to run in each.
        *arguments: of the module.
        cwd: folder that it runs in.
    """
    return subprocess.run(
        [*command(processes, module), *map(str, arguments)],
        cwd=cwd,
        env=environment(cwd),
        capture_output=True,
        text=True,
        timeout=600,
    )
