"""The verbs that print facts and formats: `grid` and `schema`."""

from __future__ import annotations

from typing import Annotated

import typer

from energy.app import Csv, Json, examples
from energy.console import print_data


@examples("energy grid", "energy grid FRA US --json")
def grid(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="ZONE", help="Zones; default all.")
    ] = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """List grid zones: grams of CO2e per kWh, year, source."""
    from energy.facts import grid as facts

    zones = [facts.zone(name) for name in names] if names else list(facts.zones())
    rows = [
        {
            "id": zone.id,
            "name": zone.name,
            "year": zone.year,
            "intensity": zone.g_per_kwh,
            "status": zone.status,
        }
        for zone in zones
    ]
    if print_data(rows, as_json=json, as_csv=csv):
        return
    from energy.reports.terminal import console, table

    lines = table("zone", "g/kWh", "band", "year", "name", "source", left=("name", "source"))
    for zone in zones:
        value, low, high = zone.g_per_kwh.numbers()
        year = str(zone.year or "unknown")
        band = f"{low:.0f} to {high:.0f}"
        lines.add_row(zone.id, f"{value:.0f}", band, year, zone.name, zone.source)
    console().print(lines)


@examples("energy schema")
def schema() -> None:
    """Print the JSON schema of a record."""
    from energy.record import json_schema

    print(json_schema(), end="")
