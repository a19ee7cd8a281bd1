"""What a record remembers of the machine and the software that made it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from energy.meters.files import cpuinfo_field, text_of


def machine() -> dict[str, Any]:
    """Host, processor, system, Python, command line and git commit."""
    return {
        "host": platform.node(),
        "cpu": cpuinfo_field(text_of(Path("/proc/cpuinfo")), "model name"),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "command": " ".join(sys.argv),
        "git_commit": _commit(),
    }


def _commit() -> str:
    """The commit of this package; empty outside a checkout."""
    try:
        git = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=2,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return git.stdout.strip()
