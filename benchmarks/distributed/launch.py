"""How torchrun starts a module of this project in another folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

TORCHRUN = (sys.executable, "-m", "torch.distributed.run")
"""torchrun of this environment, whose folder of programs need not be on the path."""


def command(processes: int, module: str, restarts: int = 0) -> list[str]:
    """Return the command that runs a module in so many processes on this machine.

    Args:
        processes: number of processes.
        module: to run in each.
        restarts: how often all of them are started again if one fails.
    """
    return [*launcher(processes, restarts), "-m", module]


def launcher(processes: int, restarts: int = 0) -> list[str]:
    """Return torchrun with its options, before what it runs.

    Args:
        processes: number of processes.
        restarts: how often all of them are started again if one fails.
    """
    options = ["--standalone", f"--nproc-per-node={processes}", f"--max-restarts={restarts}"]
    return [*TORCHRUN, *options, "--monitor-interval=0.1"]


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a run in a folder: this project, one thread, a cache of its own."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {"OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(folder / "cache")}
    return {**os.environ, **own, "PYTHONPATH": os.pathsep.join(paths)}
