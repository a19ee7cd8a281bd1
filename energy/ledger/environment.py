"""What a record remembers of the machine and the software that made it.

The process of the run writes it into its ledger, so that a record that is made later, perhaps on
another machine and in another folder, still says where the run was.
"""

from __future__ import annotations

import getpass
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from energy.ledger.devices import Devices
from energy.ledger.lines import Row
from energy.ledger.secrets import masked
from energy.meters.files import cpuinfo_field, text_of

if TYPE_CHECKING:
    from energy.ledger.segment import Segment

SETTINGS = {
    "cpu_governor": "devices/system/cpu/cpu0/cpufreq/scaling_governor",
    "cpu_most_khz": "devices/system/cpu/cpu0/cpufreq/scaling_max_freq",
    "platform_profile": "firmware/acpi/platform_profile",
}
"""Settings of the machine that change its watts at equal work, and their files below /sys."""


COMMAND_LENGTH = 4000
"""Characters of a command line that are kept: the shell makes * into any number of names."""


def machine(sys_root: Path = Path("/sys")) -> dict[str, Any]:
    """Host, processor and its settings, system, Python, command line and git commit.

    The commit is that of the working directory; it is left out where there is none.
    """
    settings = {name: text_of(sys_root / file) for name, file in SETTINGS.items()}
    settings["git_commit"] = _commit()
    return {
        **{name: text for name, text in settings.items() if text},
        "host": platform.node(),
        "cpu": cpuinfo_field(text_of(Path("/proc/cpuinfo")), "model name"),
        "cores": os.cpu_count(),
        "user": _user(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "command": command_line(sys.argv),
    }


def command_line(arguments: Sequence[str]) -> str:
    """A command line without its secrets, and not longer than a record needs it."""
    text = masked(arguments)
    return text if len(text) <= COMMAND_LENGTH else f"{text[:COMMAND_LENGTH]}..."


def of_run(segments: Iterable[Segment]) -> dict[str, Any]:
    """What a ledger says of the run: its machine, job, rank, devices, what synchronized it."""
    segments = list(segments)
    headers = [segment.header for segment in segments]
    written = machines_of(segments)
    facts: dict[str, Any] = dict(written[-1]) if written else _machine_of(headers[-1])
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


def _machine_of(header: Row) -> dict[str, Any]:
    """What is known of the machine of a ledger of before: all of it on that machine itself."""
    host = header.get("host") or platform.node()
    return machine() if host == platform.node() else {"host": host}


def machines_of(segments: Iterable[Segment]) -> list[dict[str, Any]]:
    """What the process of each run wrote of its machine; ledgers of before have nothing of it."""
    machines = (segment.header.get("machine") for segment in segments)
    return [dict(facts) for facts in machines if isinstance(facts, dict)]


def devices_of(segments: Iterable[Segment]) -> Devices:
    """How the devices of a run were set and how they fared, in the order of its segments."""
    devices = Devices()
    for segment in segments:
        own = segment.devices
        devices = devices.joined(own.between(*segment.reach_s) if segment.holders else own)
    return devices


def _user() -> str:
    """Who runs this process; the number of an account without a name, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _commit() -> str:
    """The commit of the working directory; empty outside a checkout."""
    try:
        git = subprocess.run(
            ["git", "rev-parse", "--verify", "HEAD"],
            capture_output=True,
            text=True,
            timeout=2,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return git.stdout.strip() if git.returncode == 0 else ""
