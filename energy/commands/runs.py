"""The verbs that show runs which have ended: `list`, `compare`, `hourly` and `trace`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from energy.app import Csv, Json, LocationSeries, Market, MarketSeries, Zone, examples, output_file
from energy.console import print_data
from energy.guard import say


@examples(
    "energy list",
    "energy list runs --since 2026-11-01 --group-by user",
    "energy list runs --project demo --status failed --min-kwh 0.5 --csv",
)
def list_(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="FOLDER", help="With runs; default runs.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Records of this day or time, or later.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Records of this day or time, or earlier.")
    ] = None,
    user: Annotated[str | None, typer.Option(help="Runs of this user (label user).")] = None,
    project: Annotated[str | None, typer.Option(help="Runs of this project (label).")] = None,
    status: Annotated[
        str | None, typer.Option(help="done, failed, raised, killed or no record.")
    ] = None,
    min_kwh: Annotated[float | None, typer.Option(help="Runs of at least so many kWh.")] = None,
    group_by: Annotated[
        str | None, typer.Option(metavar="KEY", help="Sums by user, project or month.")
    ] = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """List runs, with their sums by user, project or month."""
    from energy.reports import listing, run_tables
    from energy.reports.terminal import console

    filters = listing.Filters(since, until, user, project, status, min_kwh)
    listing.require_key(group_by)
    runs, remarks = listing.listed(folders or [Path("runs")], filters)
    groups = listing.groups(runs, group_by)
    data = {
        "runs": [run.as_dict() for run in runs],
        "sums": [group.as_dict() for group in groups],
    }
    rows = data["sums" if group_by else "runs"]
    if not print_data(data, as_json=json, as_csv=csv, rows=rows):
        page = console()
        if group_by is None:
            page.print(run_tables.of_runs(runs))
            page.print()
        page.print(run_tables.of_groups(groups, group_by or "sum"))
        remarks += [remark for group in groups for remark in listing.remarks_on(group)]
    for remark in remarks:
        say(remark)


@examples("energy compare runs/base runs/tuned", "energy compare runs/a runs/b runs/c --csv")
def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN", help="Two or more folders or records.")
    ],
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Compare runs: joules, kWh, CO2e, dollars, J/token, and ratios.

    All are divided by the first. In what they are not alike (boundary, meters, grid, what was not
    read) is said beneath.
    """
    from energy.reports import run_tables
    from energy.reports.comparing import compared
    from energy.reports.terminal import console

    answer = compared(runs)
    differences = list(answer.differences())
    rows = answer.rows()
    data = {"runs": rows, "differences": differences}
    if print_data(data, as_json=json, as_csv=csv, rows=rows):
        return
    page = console()
    page.print(run_tables.of_sides(answer))
    page.print()
    page.print(run_tables.of_ratios(answer))
    for difference in differences:
        print(f"not alike: {difference}")


@examples(
    "energy hourly runs/demo --location-series grid.csv --zone FRA",
    "energy hourly runs/demo --location-series grid.csv --market-series own.csv --plot co2.png",
)
def hourly(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder with record and ledger.")],
    location_series: LocationSeries = None,
    market_series: MarketSeries = None,
    market: Market = None,
    zone: Zone = None,
    column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of the intensities, where there are several."),
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Of times without one; default UTC.")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw the hours.",
            callback=output_file(".png", ".svg", ".pdf", needs="matplotlib"),
        ),
    ] = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Add CO2e hour by hour to a run's record.

    Location and market, by the year and by the hours, side by side: four figures, never netted.
    """
    from dataclasses import asdict

    from energy.errors import InputError
    from energy.verbs import hourly as by_hour

    if location_series is None and market_series is None:
        raise InputError(
            "expected a series over time",
            "neither --location-series nor --market-series",
            "docs/grid.md lists the layouts that are read",
        )
    sources = by_hour.Sources(
        location_series, market_series, {"column": column, "timezone": timezone}
    )
    answer = by_hour.hourly(run, sources, zone, market)
    if plot is not None:
        from energy.reports.hourly_plots import draw

        draw(answer.rows(), answer.record, plot)
    rows = answer.rows()
    data = {"figures": [asdict(figure) for figure in answer.figures()], "hours": rows}
    if print_data(data, as_json=json, as_csv=csv, rows=rows):
        return
    from energy.reports.run_tables import of_hours
    from energy.reports.terminal import console

    console().print(of_hours((f.title, f.factor, f.co2_g) for f in answer.figures()))
    print(f"intervals: {len(rows)}; four figures, none of which is added to another")


@examples(
    "energy trace runs/demo",
    "energy trace runs/demo --beside step.json --out both.json",
)
def trace(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder with record and ledger.")],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where to write it; default RUN/trace.json.",
            callback=output_file(".json"),
        ),
    ] = None,
    beside: Annotated[
        Path | None,
        typer.Option(
            metavar="TRACE", help="Of simulator predict --trace: a step, shown beside the median."
        ),
    ] = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Write a run as a trace that Perfetto opens: windows, joules.

    Windows are slices, with their joules at the innermost boundary; each device has its joules so
    far and its watts as counters. Open the file at ui.perfetto.dev.
    """
    from energy.verbs.trace import trace as write

    written = write(run, out or run / "trace.json", beside)
    if print_data(written.as_dict(), as_json=json, as_csv=csv):
        return
    print(f"wrote {written.path}: {written.slices:,} slices, {written.devices} devices")
    if written.beside:
        print(written.beside)
    print("open it at ui.perfetto.dev, which keeps it in your browser")
