"""The page of `simulator regions --of`: a run at each place."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from energy.reports.terminal import table
from energy.units import G_PER_T, J_PER_MWH, L_PER_M3
from simulator.questions.regions.moved import MovedRuns
from simulator.questions.regions.page_places import cautions, number

MOST_REASONS = 4
"""Reasons for missing figures that a page prints."""


def page(runs: MovedRuns, console: Console) -> None:
    """Print the run at each place, then cautions and why figures are missing."""
    console.print(_rows(runs))
    for caution in cautions([run.place for run in runs.rows]):
        console.print(caution, markup=False)
    reasons = {
        figure.source
        for run in runs.rows
        for figure in (run.record.co2_market_g, run.record.water_l)
        if figure.value is None
    }
    for reason in sorted(reasons)[:MOST_REASONS]:
        console.print(f"missing: {reason}", markup=False)


def _rows(runs: MovedRuns) -> Table:
    """The run at each place."""
    rows = table(
        "place",
        "name",
        "energy",
        "CO2e gross",
        "band",
        "CO2e net",
        "water",
        "PUE",
        "g/kWh",
        title=f"{runs.record.name}, at each place",
    )
    rows.columns[1].justify = "left"
    for run in runs.rows:
        record = run.record
        rows.add_row(
            run.place.id,
            run.place.name,
            run.facility_j.human(),
            record.co2_location_g.human(),
            record.co2_location_g.band(),
            record.co2_market_g.human(),
            record.water_l.human(),
            number(record.factors["pue"]),
            number(record.factors["grid_location"]),
        )
    return rows


def as_json(runs: MovedRuns) -> dict[str, Any]:
    """The run at each place, as plain data."""
    return {
        "name": runs.record.name,
        "places": [
            {
                "place": run.place.id,
                "kind": run.place.kind,
                "name": run.place.name,
                "energy_mwh": run.facility_j.scaled(1 / J_PER_MWH, "MWh"),
                "co2_location_t": run.record.co2_location_g.scaled(1 / G_PER_T, "t"),
                "co2_market_t": run.record.co2_market_g.scaled(1 / G_PER_T, "t"),
                "water_m3": run.record.water_l.scaled(1 / L_PER_M3, "m3"),
                "pue": run.record.factors["pue"],
                "grid_location": run.record.factors["grid_location"],
            }
            for run in runs.rows
        ],
        "cautions": list(cautions([run.place for run in runs.rows])),
    }
