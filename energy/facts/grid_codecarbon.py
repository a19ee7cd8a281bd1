"""Grid zones from the factors that come with CodeCarbon, each with the year of its data.

Countries (Our World in Data), cloud regions of Google, states of the USA (EPA eGRID, lb/MWh),
provinces of Canada (their mix of sources) and China, bidding zones of Norway and Sweden. Only its
data files are read (MIT license); the package is not imported, so none of its code runs. Where
CodeCarbon silently uses the world average for a country, there is no zone here. A factor of exactly
0 is a gap in the source, not clean power.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from energy.facts.countries import by_code
from energy.facts.grid_bands import COUNTRY, REGION, annual
from energy.units import G_PER_LB, KWH_PER_MWH

if TYPE_CHECKING:
    from energy.facts.zone import Zone

LIFE_CYCLE, COMBUSTION = "average, life cycle", "average, combustion"

MISSPELT = {"me-cenrtal1": "me-central1"}
"""Names of regions as CodeCarbon writes them, and as Google does."""

PROVINCES = {
    "alberta": "AB",
    "british columbia": "BC",
    "manitoba": "MB",
    "new brunswick": "NB",
    "newfoundland and labrador": "NL",
    "northwest territories": "NT",
    "nova scotia": "NS",
    "nunavut": "NU",
    "ontario": "ON",
    "prince edward island": "PE",
    "quebec": "QC",
    "saskatchewan": "SK",
    "yukon": "YT",
}

SOURCES = {"naturalGas": "natural_gas", "hydro": "hydroelectricity"}
"""Names of sources in the mix of a province, where the table of factors has another."""

MOST_UNKNOWN = 5.0
"""Percent of a province's mix whose sources may be without a factor."""


@cache
def zones() -> tuple[Zone, ...]:
    """All of them; none without CodeCarbon."""
    spec = find_spec("codecarbon")
    if spec is None or not spec.submodule_search_locations:
        return ()
    data = Path(spec.submodule_search_locations[0]) / "data"
    readers = (_countries, _cloud, _states, _provinces_of_canada, _provinces_of_china, _bidding)
    return tuple(zone for read in readers for zone in read(data))


def _json(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values


@cache
def _release() -> str:
    return f"CodeCarbon {version('codecarbon')}"


def _countries(data: Path) -> Iterator[Zone]:
    file = "private_infra/global_energy_mix.json"
    for code, mix in sorted(_json(data / file).items()):
        if mix.get("carbon_intensity"):
            country = by_code().get(code)
            aliases = (country.alpha2,) if country and country.alpha2 != "US" else ()
            source = f"{_release()} {file}, from Our World in Data"
            yield _zone(
                code,
                mix["country_name"],
                COUNTRY,
                mix["carbon_intensity"],
                int(mix["year"]),
                source,
                "CC BY 4.0",
                country=code,
                aliases=aliases,
            )


def _cloud(data: Path) -> Iterator[Zone]:
    file = "cloud/impact.csv"
    with (data / file).open(encoding="utf-8-sig", newline="") as lines:
        for row in csv.DictReader(lines):
            if not float(row["impact"] or 0):
                continue
            region = MISSPELT.get(row["region"], row["region"])
            yield _zone(
                f"{row['provider']}:{region}",
                f"{row['providerName']} {region} ({row['city']})",
                REGION,
                float(row["impact"]),
                None,
                f"{_release()} {file}, from {row['source']}",
                "MIT",
                country=row["countryIsoCode"],
            )


def _states(data: Path) -> Iterator[Zone]:
    """States of the USA, from lb/MWh: 1 lb/MWh is 0.4536 g/kWh."""
    file = "private_infra/2023/usa_emissions.json"
    states = _json(data / file)
    origin = states.get("_source", {})
    for name, state in states.items():
        if name.startswith("_") or not state.get("emissions"):
            continue
        yield _zone(
            f"US-{state['regionCode']}",
            f"{name.title()}, United States",
            REGION,
            state["emissions"] * G_PER_LB / KWH_PER_MWH,
            origin.get("year"),
            f"{_release()} {file}, from {origin.get('name', 'EPA eGRID')}",
            "public domain (US EPA)",
            country="USA",
            signal=COMBUSTION,
        )


def _provinces_of_canada(data: Path) -> Iterator[Zone]:
    file = "private_infra/2023/canada_energy_mix.json"
    factors = _json(data / "private_infra/carbon_intensity_per_source.json")
    for name, mix in _json(data / file).items():
        grams, unknown = _of_mix(mix, factors)
        if name not in PROVINCES or unknown > MOST_UNKNOWN or grams <= 0:
            continue
        yield _zone(
            f"CA-{PROVINCES[name]}",
            f"{name.title()}, Canada",
            REGION,
            grams,
            2023,
            f"{_release()} {file}: mix of sources x its factors a source",
            "MIT",
            country="CAN",
        )


def _of_mix(mix: Mapping[str, float], factors: Mapping[str, Any]) -> tuple[float, float]:
    """Grams per kWh of a mix in percent, and the percent whose source has no factor."""
    grams = unknown = 0.0
    for source, percent in mix.items():
        factor = factors.get(SOURCES.get(source, source))
        if source == "total" or not percent:
            continue
        if isinstance(factor, int | float):
            grams += percent * factor
        else:
            unknown += percent
    return grams / max(1.0, 100 - unknown), unknown


def _provinces_of_china(data: Path) -> Iterator[Zone]:
    file = "private_infra/2023/china_provincial_emissions.json"
    table = _json(data / file)
    words = table["metadata"]["source"].partition(" of China")[0]
    for code, row in table["data"].items():
        if row.get("emission_factor"):
            yield _zone(
                code,
                f"{row['description']}, China",
                REGION,
                row["emission_factor"],
                row["year"],
                f"{_release()} {file}, from {words}",
                "MIT",
                country="CHN",
                signal=COMBUSTION,
            )


def _bidding(data: Path) -> Iterator[Zone]:
    file = "private_infra/nordic_emissions.json"
    for code, row in _json(data / file)["data"].items():
        if len(code) < 3 or not row.get("emission_factor"):
            continue  # Finland is a country of the first table
        yield _zone(
            f"{code[:2]}-{code}",
            row["description"],
            REGION,
            row["emission_factor"],
            row["year"],
            f"{_release()} {file}, from ENTSO-E generation x its factors a source",
            "MIT",
            country=by_code()[code[:2]].alpha3,
            aliases=(code,),
        )


def _zone(
    code: str,
    name: str,
    kind: str,
    g_per_kwh: float,
    year: int | None,
    source: str,
    license: str,
    *,
    country: str,
    aliases: tuple[str, ...] = (),
    signal: str = LIFE_CYCLE,
) -> Zone:
    from energy.facts.zone import Zone

    when = str(year) if year else "year not stated"
    return Zone(
        id=code,
        aliases=aliases,
        name=name,
        g_per_kwh=annual(kind, g_per_kwh, f"{name} {when}: {source}"),
        signal=signal,
        source=source,
        year=year,
        license=license,
        status="mixed" if year is None else "confirmed",
        notes=None,
        kind=kind,
        country=country,
    )
