"""Processes that torchrun starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def torchrun(
    processes: int, *arguments: object, cwd: Path, timeout_s: float = 240, restarts: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run a module under torchrun on this machine, with one thread a process.

    Args:
        processes: number of processes.
        *arguments: module and its arguments.
        cwd: folder that it runs in.
        timeout_s: seconds after which it is killed.
        restarts: how often torchrun restarts the processes if one fails.
    """
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={processes}", f"--max-restarts={restarts}", "-m"]
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        [*command, *map(str, arguments)],
        cwd=cwd,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "OMP_NUM_THREADS": "1",
            "XDG_CACHE_HOME": str(cwd / "cache"),
        },
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
