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

from energy.meters.base import BaseSource, Domain, Integral, missing

COMMAND = ("ipmitool", "dcmi", "power", "reading")
DEVICES = ("/dev/ipmi0", "/dev/ipmi/0", "/dev/ipmidev/0")
TIMEOUT_S = 5.0


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
        self._integral = Integral()
        self._joules: float | None = None
        self._query: subprocess.Popen[str] | None = None
        self._query_s = 0.0

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
        if watts(query.stdout) is None:
            reason = "permission" if "Could not open" in query.stderr else "no DCMI power reading"
            return [missing("node", "node", "IPMI", reason, "sudo chmod o+rw /dev/ipmi0")]
        self._take(query.stdout)
        return [
            Domain(
                id="node",
                kind="node",
                boundary="node",
                method="power",
                tick_s=1.0,
                low=0.95,
                high=1.05,
                api=" ".join(self._command),
                source="supply's own meter, our default +-5 %",
            )
        ]

    def read(self) -> dict[str, float | None]:
        """Joules up to the last answer that has arrived; starts the next query."""
        if self._query is not None:
            if self._query.poll() is None:
                if time.monotonic() - self._query_s < TIMEOUT_S:
                    return {"node": self._joules}
                self._query.kill()
            answer, _ = self._query.communicate()
            self._take(answer)
        self._start_query()
        return {"node": self._joules}

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

    def _take(self, answer: str) -> None:
        self._joules = self._integral.add(watts(answer), time.monotonic())


def watts(answer: str) -> float | None:
    """The watts in ipmitool's output; None if there are none.

    'Instantaneous power reading:  220 Watts' gives 220.
    """
    match = re.search(r"Instantaneous power reading:\s+(\d+)\s+Watts", answer)
    return float(match[1]) if match else None
