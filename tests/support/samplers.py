"""Finds the processes of samplers, for those that kill or count them."""

import os
from pathlib import Path


def sampler_pids(folder: Path) -> list[int]:
    """Process ids of the samplers that write ledgers in or below a folder."""
    place = f"{folder}/".encode()
    pids = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = Path(f"/proc/{name}/cmdline").read_bytes()
        except OSError:
            continue
        if b"sampler/__main__.py" in command and place in command:
            pids.append(int(name))
    return pids
