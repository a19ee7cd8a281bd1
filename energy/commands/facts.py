"""The verbs that print facts and formats: `grid` and `schema`."""

from __future__ import annotations

from typing import Annotated

import typer

from energy.app import Csv, Json, examples
from energy.console import print_data


@examples("energy grid", "energy grid FRA US --json", "energy grid DE --live electricity-maps")
def grid(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="ZONE", help="Zones; default all.")
    ] = None,
    live: Annotated[
        str | None,
        typer.Option(metavar="SERVICE", help="Ask electricity-maps or watttime about now instead."),
    ] = None,
    url: Annotated[str | None, typer.Option(help="With --live: another address of it.")] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=600, help="With --live: seconds to wait for an answer.")
    ] = 10.0,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """List grid zones: grams of CO2e per kWh, year, source."""
    if live is not None:
        _show_live(live, names or [], url, timeout, json=json, csv=csv)
        return
    if url is not None:
        raise typer.BadParameter("expected --live beside --url")
    from energy.facts import grid as facts

    zones = [facts.zone(name) for name in names] if names else list(facts.zones())
    rows = [
        {
            "id": zone.id,
            "name": zone.name,
            "year": zone.year,
            "intensity": zone.g_per_kwh,
            "signal": zone.signal,
            "license": zone.license,
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


def _show_live(
    service: str, names: list[str], url: str | None, timeout: float, *, json: bool, csv: bool
) -> None:
    """What a service says of zones now."""
    from dataclasses import asdict

    from energy.errors import InputError
    from energy.verbs.live_intensity import now

    if not names:
        raise InputError("expected a zone with --live", "none", "name one as the service does: DE")
    answers = [asdict(now(service, name, url=url, timeout_s=timeout)) for name in names]
    if not print_data(answers, as_json=json, as_csv=csv):
        for answer in answers:
            estimated = ", estimated" if answer["estimated"] else ""
            print(
                f"{answer['zone']}: {answer['g_per_kwh']:.0f} g/kWh, {answer['signal']}"
                f"{estimated}, {answer['moment']} ({answer['source']})"
            )


@examples("energy schema")
def schema() -> None:
    """Print the JSON schema of a record."""
    from energy.record import json_schema

    print(json_schema(), end="")
