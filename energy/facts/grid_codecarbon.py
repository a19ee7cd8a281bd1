"""Grid zones from the factors that come with CodeCarbon, each with the year of its data.

Only its data files are read (MIT license; the country factors are from Our World in Data); the
package is not imported, so none of its code runs. Where CodeCarbon silently uses the world average
for a country, there is no zone here. A factor of exactly 0 is a gap in the source, not clean power.
"""

from __future__ import annotations

import csv
import json
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from energy.quantity import Origin, Quantity

if TYPE_CHECKING:
    from energy.facts.zone import Zone

Vintage = tuple[float, float, float]
"""Factor of the run's own hours over that of the file's year: middle, low and high."""


@cache
def zones(vintage: Vintage) -> tuple[Zone, ...]:
    """Countries by ISO code, cloud regions as "gcp:us-central1"; none without CodeCarbon."""
    spec = find_spec("codecarbon")
    if spec is None or not spec.submodule_search_locations:
        return ()
    data = Path(spec.submodule_search_locations[0]) / "data"
    release = f"CodeCarbon {version('codecarbon')}"
    return (*_countries(data, release, vintage), *_cloud(data, release, vintage))


def _countries(data: Path, release: str, vintage: Vintage) -> list[Zone]:
    file = "private_infra/global_energy_mix.json"
    mixes = json.loads((data / file).read_text(encoding="utf-8"))
    return [
        _zone(
            code,
            mix["country_name"],
            mix["carbon_intensity"],
            int(mix["year"]),
            vintage,
            f"{release} {file}, from Our World in Data",
            "CC BY 4.0",
        )
        for code, mix in sorted(mixes.items())
        if mix.get("carbon_intensity")
    ]


def _cloud(data: Path, release: str, vintage: Vintage) -> list[Zone]:
    file = "cloud/impact.csv"
    with (data / file).open(encoding="utf-8-sig", newline="") as lines:
        return [
            _zone(
                f"{row['provider']}:{row['region']}",
                f"{row['providerName']} {row['region']} ({row['city']})",
                float(row["impact"]),
                None,
                vintage,
                f"{release} {file}, from {row['source']}",
                "MIT",
            )
            for row in csv.DictReader(lines)
            if float(row["impact"] or 0)
        ]


def _zone(
    code: str,
    name: str,
    g_per_kwh: float,
    year: int | None,
    vintage: Vintage,
    source: str,
    license: str,
) -> Zone:
    from energy.facts.zone import Zone

    middle, low, high = vintage
    when = str(year) if year else "year not stated"
    intensity = Quantity(
        value=g_per_kwh * middle,
        low=g_per_kwh * low,
        high=g_per_kwh * high,
        unit="g/kWh",
        origin=Origin.MODELLED,
        source=f"{name} {when}: {source}",
    )
    return Zone(
        id=code,
        aliases=(),
        name=name,
        g_per_kwh=intensity,
        signal="average, life cycle",
        source=source,
        year=year,
        license=license,
        status="mixed" if year is None else "confirmed",
        notes=None,
    )
