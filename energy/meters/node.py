"""Joules of the whole node from its management controller: `ipmitool dcmi power reading`.

This is the only common reading that includes fans, drives and supply losses. The controller takes
about a tenth of a second to answer and averages over a second, so the query runs in a child process
that the sampler never waits for.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

from energy.meters.base import BaseSource, Domain, missing

COMMAND = ("ipmitool", "dcmi", "power", "reading")
DEVICES = ("/dev/ipmi0", "/dev/ipmi/0", "/dev/ipmidev/0")
TIMEOUT_S = 5.0

PERIOD_S = 1.0
"""Seconds between the starts of two queries: the controller averages over as long."""

POLL_S = 0.2
"""Seconds between two looks for an answer."""


class Node(BaseSource):
    """The node's power supply as its controller reports it.

    Args:
        command: prints the reading; tests pass their own.
        devices: where the kernel exposes a controller.
    """

    name = "node"

    def __init__(
        self, command: tuple[str, ...] = COMMAND, devices: tuple[str, ...] = DEVICES
    ) -> None:
        self._command, self._devices = command, devices
        self._query: subprocess.Popen[str] | None = None
        self._query_s = float("-inf")

    def probe(self) -> list[Domain]:
        """One domain if there is a controller; missing if it cannot be queried."""
        if not any(Path(device).exists() for device in self._devices):
            return []
        if shutil.which(self._command[0]) is None:
            return [
                missing(
                    "node", "node", "IPMI", "ipmitool is not installed", "apt-get install ipmitool"
                )
            ]
        try:
            query = subprocess.run(
                self._command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return [missing("node", "node", "IPMI", "the controller does not answer")]
        if watts_of(query.stdout) is None:
            return [missing("node", "node", "IPMI", *_why(query.stdout, query.stderr))]
        return [
            Domain(
                id="node",
                kind="node",
                boundary="node",
                method="power",
                tick_s=PERIOD_S,
                low=0.95,
                high=1.05,
                api=" ".join(self._command),
                source="supply's own meter, our default +-5 %",
            )
        ]

    def poll_s(self) -> float:
        """Five looks a second for an answer."""
        return POLL_S

    def watts(self) -> dict[str, float | None]:
        """The answer that has arrived since the last call, if any; starts the next query."""
        watts: dict[str, float | None] = {}
        late = time.monotonic() - self._query_s > TIMEOUT_S
        if self._query is not None and (late or self._query.poll() is not None):
            self._query.kill()
            answer, _ = self._query.communicate()
            watts["node"] = None if late else watts_of(answer)
            self._query = None
        if self._query is None and time.monotonic() - self._query_s >= PERIOD_S:
            self._start_query()
        return watts

    def close(self) -> None:
        """End a query that is still running."""
        if self._query is not None:
            self._query.kill()
            self._query.communicate()

    def _start_query(self) -> None:
        self._query_s = time.monotonic()
        try:
            self._query = subprocess.Popen(
                self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        except OSError:
            self._query = None


def _why(answer: str, errors: str) -> tuple[str, str]:
    """Why there is no reading, and what would help."""
    if "Could not open" in errors:
        return "permission", "sudo chmod o+rw /dev/ipmi0"
    if "deactivated" in answer:
        return "the controller measures no power (its state is deactivated)", ""
    return "no DCMI power reading", ""


def watts_of(answer: str) -> float | None:
    """The watts in ipmitool's output; None if there are none.

    'Instantaneous power reading:  220 Watts' gives 220. A controller whose measurement is
    deactivated still prints a number, and a node that runs never draws 0 W: both are no reading.
    """
    match = re.search(r"Instantaneous power reading:\s+(\d+)\s+Watts", answer)
    if match is None or re.search(r"Power reading state is:\s+deactivated", answer):
        return None
    return float(match[1]) or None
