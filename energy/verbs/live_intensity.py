"""The grid's intensity at this moment, from a service that the user names: never by default.

Services differ in what they say. Electricity Maps gives the average of the grid, WattTime what one
kWh more would cause (marginal, in lb/MWh); the signal of an answer says which. The zone is the one
that the user writes: nothing here asks where this machine stands.
"""

from __future__ import annotations

import base64
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from energy.errors import InputError, MissingDataError, reason, require_choice
from energy.inputs import MOST_DEPTH, depth, is_number
from energy.units import G_PER_LB, KWH_PER_MWH

MOST_BYTES = 1_000_000
"""Bytes of an answer that are read."""

MOST_G_PER_KWH = 3000.0
"""No grid has more; it would be a wrong unit."""

RECENT = timedelta(hours=2)
"""How far back the last marginal value is looked for."""


@dataclass(frozen=True)
class Live:
    """What a service says of a zone.

    Attributes:
        zone: as the service calls it.
        g_per_kwh: grams of CO2e per kWh.
        signal: "average, life cycle", "average, combustion" or "marginal".
        moment: of the value, as the service writes it.
        source: the service.
        estimated: whether the service estimated it.
    """

    zone: str
    g_per_kwh: float
    signal: str
    moment: str
    source: str
    estimated: bool = False


class LiveSource(Protocol):
    """A service that knows the present intensity of a zone."""

    def now(self, zone: str, timeout_s: float) -> Live:
        """The newest value.

        Raises:
            MissingDataError: there is no access, no answer in time, or none that can be true.
        """
        ...


class ElectricityMaps:
    """Electricity Maps' API, v3: the average of the grid."""

    name, url = "electricity-maps", "https://api.electricitymaps.com"

    def __init__(self, url: str | None = None) -> None:
        self._url, self._token = url or self.url, _secret("ELECTRICITYMAPS_TOKEN")

    def now(self, zone: str, timeout_s: float) -> Live:
        """See `LiveSource`."""
        query = urllib.parse.urlencode({"zone": zone})
        address = f"{self._url}/v3/carbon-intensity/latest?{query}"
        answer = _answer(address, {"auth-token": self._token}, timeout_s)
        direct = answer.get("emissionFactorType") == "direct"
        return Live(
            zone=str(answer.get("zone", zone)),
            g_per_kwh=_grams(answer.get("carbonIntensity"), 1.0, self.name),
            signal="average, combustion" if direct else "average, life cycle",
            moment=str(answer.get("datetime", "")),
            source=self.name,
            estimated=answer.get("isEstimated") is True,
        )


class WattTime:
    """WattTime's API, v3: marginal intensity in lb/MWh."""

    name, url = "watttime", "https://api.watttime.org"

    def __init__(self, url: str | None = None) -> None:
        self._url = url or self.url
        words = f"{_secret('WATTTIME_USER')}:{_secret('WATTTIME_PASSWORD')}"
        self._basic = base64.b64encode(words.encode()).decode()

    def now(self, zone: str, timeout_s: float) -> Live:
        """See `LiveSource`."""
        login = {"Authorization": f"Basic {self._basic}"}
        token = str(_answer(f"{self._url}/login", login, timeout_s).get("token", ""))
        end = datetime.now(UTC)
        query = urllib.parse.urlencode(
            {
                "region": zone,
                "signal_type": "co2_moer",
                "start": (end - RECENT).isoformat(timespec="seconds"),
                "end": end.isoformat(timespec="seconds"),
            }
        )
        bearer = {"Authorization": f"Bearer {token}"}
        answer = _answer(f"{self._url}/v3/historical?{query}", bearer, timeout_s)
        rows = answer.get("data")
        if not isinstance(rows, list) or not rows or not isinstance(rows[-1], dict):
            raise _unusable(self.name, "no value of the last hours")
        return Live(
            zone=zone,
            g_per_kwh=_grams(rows[-1].get("value"), G_PER_LB / KWH_PER_MWH, self.name),
            signal="marginal",
            moment=str(rows[-1].get("point_time", "")),
            source=self.name,
        )


SOURCES: dict[str, Callable[[str | None], LiveSource]] = {
    ElectricityMaps.name: ElectricityMaps,
    WattTime.name: WattTime,
}


def now(service: str, zone: str, *, url: str | None = None, timeout_s: float = 10.0) -> Live:
    """The present intensity of a zone.

    Args:
        service: one of `SOURCES`.
        zone: as the service calls it ("DE", "CAISO_NORTH").
        url: another address of the service.
        timeout_s: seconds to wait for each answer.

    Raises:
        InputError: the service is unknown, or the address is none.
        MissingDataError: as of `LiveSource.now`.
    """
    require_choice("--live", service, SOURCES)
    if url is not None and not url.startswith(("http://", "https://")):
        raise InputError("expected an address that begins with http", url)
    return SOURCES[service](url).now(zone, timeout_s)


def _secret(name: str) -> str:
    value = os.environ.get(name, "")
    if not value or not value.isprintable():
        raise MissingDataError(
            f"expected access in the variable {name}", "none", "set it to your own at the service"
        )
    return value


def _answer(address: str, headers: Mapping[str, str], timeout_s: float) -> dict[str, Any]:
    """The JSON object at an address."""
    host = urllib.parse.urlsplit(address).netloc
    request = urllib.request.Request(address, headers=dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as reply:
            answer = json.loads(reply.read(MOST_BYTES))
    except urllib.error.HTTPError as error:
        raise _unusable(host, f"{error.code} {error.reason}") from error
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, urllib.error.URLError) and isinstance(error.reason, OSError):
            error = error.reason
        raise _unusable(host, reason(error) if isinstance(error, OSError) else "no JSON") from error
    if not isinstance(answer, dict) or depth(answer) > MOST_DEPTH:
        raise _unusable(host, "no table")
    return answer


def _grams(value: Any, scale: float, service: str) -> float:
    if not is_number(value, 0) or value * scale > MOST_G_PER_KWH:
        raise _unusable(service, f"an intensity of {value!r}")
    return float(value) * scale


def _unusable(service: str, seen: str) -> MissingDataError:
    return MissingDataError(
        f"expected an answer of {service}",
        seen,
        "try later, or leave --live out for the year's average",
    )
