"""Joules of the whole node from its management controller: `ipmitool dcmi power reading`.

The only common reading with fans, drives and supply losses in it. The controller answers in about
a tenth of a second and averages over a second, so it is asked in a child that nobody waits for.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

from energy.meters.base import Domain, Integral, Steady, missing

COMMAND = ("ipmitool", "dcmi", "power", "reading")
DEVICES = ("/dev/ipmi0", "/dev/ipmi/0", "/dev/ipmidev/0")
PATIENCE_S = 5.0


class Node(Steady):
    """The node's supply as its controller tells it.

    Args:
        command: prints the reading, for tests.
        devices: where the kernel shows a controller.
    """

    name = "node"

    def __init__(
        self, command: tuple[str, ...] = COMMAND, devices: tuple[str, ...] = DEVICES
    ) -> None:
        self._command, self._devices = command, devices
        self._integral = Integral()
        self._joules: float | None = None
        self._asked: subprocess.Popen[str] | None = None
        self._asked_s = 0.0

    def probe(self) -> list[Domain]:
        """One domain where there is a controller; missing where it may not be asked."""
        if not any(Path(device).exists() for device in self._devices):
            return []
        if shutil.which(self._command[0]) is None:
            return [
                missing(
                    "node", "node", "IPMI", "ipmitool is not installed", "apt-get install ipmitool"
                )
            ]
        try:
            told = subprocess.run(
                self._command, capture_output=True, text=True, timeout=PATIENCE_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return [missing("node", "node", "IPMI", "the controller does not answer")]
        if watts(told.stdout) is None:
            reason = "permission" if "Could not open" in told.stderr else "no DCMI power reading"
            return [missing("node", "node", "IPMI", reason, "sudo chmod o+rw /dev/ipmi0")]
        self._take(told.stdout)
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
        """Joules so far, from the last answer that came; asks again."""
        if self._asked is not None:
            if self._asked.poll() is None:
                if time.monotonic() - self._asked_s < PATIENCE_S:
                    return {"node": self._joules}
                self._asked.kill()
            answer, _ = self._asked.communicate()
            self._take(answer)
        self._ask()
        return {"node": self._joules}

    def close(self) -> None:
        """End a question that is still open."""
        if self._asked is not None:
            self._asked.kill()
            self._asked.communicate()

    def _ask(self) -> None:
        self._asked_s = time.monotonic()
        try:
            self._asked = subprocess.Popen(
                self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        except OSError:
            self._asked = None

    def _take(self, answer: str) -> None:
        self._joules = self._integral.add(watts(answer), time.monotonic())


def watts(answer: str) -> float | None:
    """The watts in ipmitool's words; None when there are none.

    'Instantaneous power reading:  220 Watts' is 220.
    """
    found = re.search(r"Instantaneous power reading:\s+(\d+)\s+Watts", answer)
    return float(found[1]) if found else None
