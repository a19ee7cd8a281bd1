"""The program that asks a Redfish controller for its power, once a second, and prints the answer.

It is started by path and prints a JSON object a line: `watts` or `joules`, with `limit_w` if the
controller states its capacity, or `error`. The address is its only argument. Name and password come
from REDFISH_USERNAME and REDFISH_PASSWORD, else from the netrc file; they are sent to that host
only, over TLS that is always verified, and are never printed. The controller is queried directly,
never through a proxy. It imports nothing but the standard library.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import netrc
import os
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

PERIOD_S = 1.0
TIMEOUT_S = 10.0
J_PER_KWH = 3.6e6

MOST_BYTES = 1_000_000
"""An answer that is longer is no reading."""

Answer = dict[str, float]


def main() -> None:
    """Ask for ever; argv holds the address."""
    url = sys.argv[1]
    while True:
        begin_s = time.monotonic()
        print(json.dumps(ask(url)), flush=True)
        time.sleep(max(0.0, PERIOD_S - (time.monotonic() - begin_s)))


def ask(url: str) -> dict[str, Any]:
    """One answer of the controller, or `error` with what was wrong and `fix`."""
    try:
        request = urllib.request.Request(url, headers={"Accept": "application/json"})
        # Not sent again to another host if the controller redirects the request.
        for name, value in _authorization(url).items():
            request.add_unredirected_header(name, value)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=TIMEOUT_S) as response:
            payload = json.loads(response.read(MOST_BYTES))
    except urllib.error.HTTPError as error:
        return _refused(error.code)
    except urllib.error.URLError as error:
        return _unreachable(error.reason)
    except (OSError, ValueError, RecursionError, http.client.HTTPException) as error:
        return {"error": f"no answer in JSON ({type(error).__name__})", "fix": ""}
    return reading(payload) or {
        "error": "the resource states neither PowerWatts, PowerConsumedWatts nor EnergykWh",
        "fix": "name another: .../Chassis/ID/Power or .../Chassis/ID/EnvironmentMetrics",
    }


def reading(payload: object) -> Answer | None:
    """Watts or joules of a Power, EnvironmentMetrics or Sensor resource; None if it states neither.

    0 W is no reading: a node that answers draws power.
    """
    if not isinstance(payload, dict):
        return None
    controls = payload.get("PowerControl")
    control = controls[0] if isinstance(controls, list) and controls else {}
    control = control if isinstance(control, dict) else {}
    power = payload.get("PowerWatts")
    sensor = payload if payload.get("ReadingUnits") == "W" else power
    watts = _positive(control.get("PowerConsumedWatts")) or _positive(_excerpt(sensor))
    limit_w = _positive(control.get("PowerCapacityWatts"))
    answer: Answer = {"limit_w": limit_w} if limit_w else {}
    if watts:
        return {"watts": watts, **answer}
    joules = _positive(_excerpt(payload.get("EnergyJoules")))
    kwh = _positive(_excerpt(payload.get("EnergykWh")))
    if joules is None and kwh is not None:
        joules = kwh * J_PER_KWH
    return None if joules is None else {"joules": joules, **answer}


def _excerpt(sensor: object) -> object:
    """The reading of a sensor, or of the excerpt of one."""
    return sensor.get("Reading") if isinstance(sensor, dict) else None


def _positive(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value < float("inf") else None


def _authorization(url: str) -> dict[str, str]:
    """The header with name and password; empty if there are none."""
    name, password = os.environ.get("REDFISH_USERNAME"), os.environ.get("REDFISH_PASSWORD")
    if not (name and password):
        entry = None
        with contextlib.suppress(OSError, netrc.NetrcParseError):
            host = urllib.parse.urlsplit(url).hostname or ""
            entry = netrc.netrc(os.environ.get("NETRC")).authenticators(host)
        if entry is None:
            return {}
        name, _, password = entry
    token = base64.b64encode(f"{name}:{password}".encode()).decode()
    return {"Authorization": f"Basic {token}"}


def _refused(code: int) -> dict[str, str]:
    fix = ""
    if code in (401, 403):
        fix = "set REDFISH_USERNAME and REDFISH_PASSWORD, or add the host to ~/.netrc"
    elif code == 404:
        fix = "list what there is: /redfish/v1/Chassis"
    return {"error": f"the controller answered HTTP {code}", "fix": fix}


def _unreachable(why: object) -> dict[str, str]:
    if isinstance(why, ssl.SSLCertVerificationError):
        return {
            "error": f"its certificate is not trusted: {why.verify_message}",
            "fix": "set SSL_CERT_FILE to a file with the certificate of the controller",
        }
    reason = os.strerror(why.errno) if isinstance(why, OSError) and why.errno else str(why)
    return {"error": f"the controller cannot be reached: {reason}", "fix": ""}


if __name__ == "__main__":
    main()
