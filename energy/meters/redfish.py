"""Watts of a node from its management controller by Redfish; only on request.

`redfish:https://HOST/redfish/v1/Chassis/ID/Power`, or `.../EnvironmentMetrics`, or one sensor of
power. The controller is queried in a child process that the sampler never waits for
(`redfish_client`), which also reads name and password; the ledger holds the address only.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.parse
from pathlib import Path
from typing import Any

from energy.errors import InputError
from energy.meters.base import BaseSource, Domain, missing
from energy.meters.program import Program

CLIENT = Path(__file__).with_name("redfish_client.py")

TICK_S = 1.0
"""Seconds between two answers."""

ENERGY_TICK_S = 60.0
"""Taken as the time between two updates of a controller's energy; the standard states none."""

WAIT_S = 2.0
"""How long the start of a run waits for the first answer."""

SILENT_S = 30.0
"""A client that is silent for so long hangs; its own time limit is 10 s."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")

EXAMPLE = "as in redfish:https://HOST/redfish/v1/Chassis/1/Power"


class Redfish(BaseSource):
    """A node as its controller reports it.

    Args:
        url: address of the resource that states the power.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._host = urllib.parse.urlsplit(url).hostname or "?"
        self.name = f"redfish:{self._host}"
        self._program = Program(
            (sys.executable, "-I", str(CLIENT), url), every_s=5.0, silent_s=SILENT_S
        )
        self._counter = False
        self._joules: float | None = None
        self._heard_s = time.monotonic()

    def check(self) -> None:
        """Check what a user has typed.

        Raises:
            InputError: no address of a resource, or one that would send a password in the clear.
        """
        address = urllib.parse.urlsplit(self._url)
        if address.username or address.password:
            raise InputError(
                "expected an address without name and password",
                f"{address.scheme}://...@{self._host}{address.path}",
                "set REDFISH_USERNAME and REDFISH_PASSWORD, or add the host to ~/.netrc",
            )
        if address.scheme not in ("https", "http") or not address.hostname:
            raise InputError("expected an address after redfish:", repr(self._url), EXAMPLE)
        if address.scheme == "http" and address.hostname not in LOOPBACK:
            raise InputError("expected https after redfish:", self._url, EXAMPLE)
        if address.path in ("", "/"):
            raise InputError("expected a resource after the host", self._url, EXAMPLE)

    def probe(self) -> list[Domain]:
        """One domain; missing if the first answer is none."""
        answer: dict[str, Any] = {}
        stop_s = time.monotonic() + WAIT_S
        while not answer and time.monotonic() < stop_s:
            for line in self._program.lines():
                answer = _parsed(line)
            time.sleep(0.02)
        if "error" in answer:
            self.close()
            return [missing("node", "node", self.name, answer["error"], answer.get("fix", ""))]
        self._counter, self._joules = "joules" in answer, answer.get("joules")
        self._heard_s = time.monotonic()
        return [
            Domain(
                id=self._device,
                kind="node",
                boundary="node",
                method="counter" if self._counter else "power",
                tick_s=ENERGY_TICK_S if self._counter else TICK_S,
                limit_w=answer.get("limit_w", 0.0),
                low=0.95,
                high=1.05,
                api=f"Redfish {self._host}{urllib.parse.urlsplit(self._url).path}",
                source="supply's own meter, our default +-5 %",
            )
        ]

    @property
    def _device(self) -> str:
        """The host, with a number if several of its resources are read."""
        return self.name.removeprefix("redfish:")

    def read(self) -> dict[str, float | None]:
        """Joules as the controller counts them, if it states no watts."""
        if not self._counter:
            return {}
        for answer in self._answers():
            self._joules = answer.get("joules")
        return {self._device: self._joules}

    def poll_s(self) -> float:
        """Five looks a second for an answer."""
        return 0.0 if self._counter else TICK_S / 5

    def watts(self) -> dict[str, float | None]:
        """The answer that has arrived since the last call, if any."""
        if self._counter:
            return {}
        answers = self._answers()
        if answers:
            return {self._device: answers[-1].get("watts")}
        return {self._device: None} if time.monotonic() - self._heard_s > 3 * TICK_S else {}

    def close(self) -> None:
        """End the client."""
        self._program.close()

    def _answers(self) -> list[dict[str, Any]]:
        """The answers since the last call."""
        answers = [_parsed(line) for line in self._program.lines()]
        if answers:
            self._heard_s = time.monotonic()
        return answers


def _parsed(line: str | None) -> dict[str, Any]:
    """What the client printed."""
    failed = {"error": "the client ended"}
    try:
        answer = json.loads(line or "")
    except ValueError:
        return failed
    return answer if isinstance(answer, dict) else failed
