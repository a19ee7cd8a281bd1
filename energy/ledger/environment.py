"""What a record remembers of the machine and the software that made it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from energy.ledger.devices import Devices
from energy.ledger.segment import Segment
from energy.meters.files import cpuinfo_field, text_of

SETTINGS = {
    "cpu_governor": "devices/system/cpu/cpu0/cpufreq/scaling_governor",
    "cpu_most_khz": "devices/system/cpu/cpu0/cpufreq/scaling_max_freq",
    "platform_profile": "firmware/acpi/platform_profile",
}
"""Settings of the machine that change its watts at equal work, and their files below /sys."""


def machine(sys_root: Path = Path("/sys")) -> dict[str, Any]:
    """Host, processor and its settings, system, Python, command line and git commit."""
    settings = {name: text_of(sys_root / file) for name, file in SETTINGS.items()}
    return {
        **{name: text for name, text in settings.items() if text},
        "host": platform.node(),
        "cpu": cpuinfo_field(text_of(Path("/proc/cpuinfo")), "model name"),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "command": " ".join(sys.argv),
        "git_commit": _commit(),
    }


def of_run(segments: Iterable[Segment]) -> dict[str, Any]:
    """What a ledger says of the run: its job and rank, its devices, and what synchronized it."""
    segments = list(segments)
    headers = [segment.header for segment in segments]
    facts: dict[str, Any] = {}
    if states := devices_of(segments).as_dict():
        facts["devices"] = states
    jobs = [header["job"] for header in headers if header.get("job")]
    if jobs:
        facts["job"] = jobs[-1]
    # What was called at the edges of windows, so that queued device work is inside them.
    names = {header["sync"] for header in headers if header.get("sync")}
    if names:
        facts["sync"] = ", ".join(sorted(names))
    return facts


def devices_of(segments: Iterable[Segment]) -> Devices:
    """How the devices of a run were set and how they fared, in the order of its segments."""
    devices = Devices()
    for segment in segments:
        own = segment.devices
        devices = devices.joined(own.between(*segment.reach_s) if segment.holders else own)
    return devices


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
