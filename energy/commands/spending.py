"""The verbs that meter a run and write its record: `run`, `watch`, `record`, `merge`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from energy.app import (
    PASSES_ON,
    Csv,
    Json,
    LocationSeries,
    Market,
    MarketSeries,
    Pue,
    Wue,
    Zone,
    examples,
    output_folder,
)
from energy.console import print_data
from energy.guard import say

if TYPE_CHECKING:
    from energy.record import RunRecord
    from energy.verbs.hourly import Sources


RunFolder = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="Folder; default runs/COMMAND-TIME. Each rank has its own in it.",
        callback=output_folder,
    ),
]


TokensFrom = Annotated[
    str | None,
    typer.Option(metavar="URL|LOG", help="Count a server's tokens at its metrics or in a log."),
]


SecondOpinion = Annotated[
    bool, typer.Option("--second-opinion", help="Run CodeCarbon too and report the difference.")
]


PowerLimit = Annotated[
    float | None,
    typer.Option(metavar="W", help="Power limit of each NVIDIA board during the run."),
]


Wait = Annotated[
    bool,
    typer.Option("--wait", help="Meter what the command leaves running until that ends, too."),
]


Interval = Annotated[float, typer.Option(min=0.05, max=3600, help="Seconds between readings.")]


@examples(
    "energy run --label task=demo -- python train.py --steps 100",
    "energy run --tokens-from http://127.0.0.1:8000/metrics -- vllm serve my-model",
    settings=PASSES_ON,
)
def run(
    command: Annotated[list[str], typer.Argument(metavar="COMMAND", help="What to run, after --.")],
    out: RunFolder = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="K=V", help="A label of the run; repeatable.")
    ] = None,
    interval: Interval = 1.0,
    meter: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A meter to read (nvml, rapl, ...); default all."),
    ] = None,
    zone: Zone = None,
    pue: Pue = None,
    market: Market = None,
    location_series: LocationSeries = None,
    market_series: MarketSeries = None,
    second_opinion: SecondOpinion = False,
    power_limit: PowerLimit = None,
    wait: Wait = False,
    tokens_from: TokensFrom = None,
    group: Annotated[
        bool,
        typer.Option("--group", help="Let your group read ledger and record; else only you may."),
    ] = False,
) -> None:
    """Meter any command.

    Its output, signals and exit code pass through.
    """
    from energy.ledger.job import job
    from energy.verbs import run as runs

    folder = runs.folder_of(command, out, own := job())
    measured, code = runs.run(
        command,
        folder,
        own,
        labels=dict(map(runs.label_of, label or [])),
        **_placed(zone, pue, market),
        over_time=_sources(location_series, market_series),
        interval_s=interval,
        second_opinion=second_opinion,
        meters=meter or "auto",
        power_limit_w=power_limit,
        wait=wait,
        tokens_from=tokens_from,
        group=group,
    )
    from energy.reports import summary

    for line in [*runs.heading(folder, own), *summary.lines(measured), summary.closing(measured)]:
        say(line)
    sys.exit(code)


def _placed(zone: str | None, pue: float | None, market: float | None) -> dict[str, Any]:
    """The place of a run as options of its tracker; a site is loaded only where one is needed."""
    if market is None:
        return {"zone": zone, "pue": pue}
    from energy.facts.site import site_from_options

    return {"site": site_from_options(zone, pue, market=market)}


def _sources(location: Path | None, market: Path | None) -> Sources | None:
    """The series of a run over time; none are loaded before it starts where none are named."""
    if location is None and market is None:
        return None
    from energy.verbs.hourly import Sources

    return Sources(location, market)


@examples("energy watch --seconds 10", "energy watch --prometheus 9400")
def watch(
    interval: Interval = 1.0,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, max=1e9, help="How long; default until Ctrl-C.")
    ] = None,
    prometheus: Annotated[
        int | None,
        typer.Option(
            metavar="PORT", min=1, max=65535, help="Serve to Prometheus on this port instead."
        ),
    ] = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Show current readings, or serve them to Prometheus.

    The server listens on the loopback address only.
    """
    from energy.reports.terminal import console
    from energy.verbs import watch as readings

    if json or csv:
        if prometheus is not None:
            raise typer.BadParameter("expected one of --prometheus, --json and --csv")
        print_data(readings.read(interval, seconds), as_json=json, as_csv=csv)
        return
    if prometheus is None:
        readings.show(interval, seconds, console())
        return
    address = f"http://127.0.0.1:{prometheus}/metrics"
    readings.serve(prometheus, interval, seconds, lambda: print(address, file=sys.stderr))


@examples("energy record runs/killed --zone FRA")
def record(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder with a ledger.")],
    zone: Zone = None,
    pue: Pue = None,
    wue: Wue = None,
    market: Market = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Write the record of a killed run from its ledger."""
    from energy.facts.site import site_from_options
    from energy.verbs import run as runs

    rebuilt = runs.rebuild(folder, site_from_options(zone, pue, wue, market))
    _show(rebuilt, json, csv)


@examples("energy merge runs/job", "energy merge runs/rank-* --out runs/all")
def merge(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="FOLDER", help="Of a job, or of its ranks, restarts and nodes."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the merged record.json; default that of the job.",
            callback=output_folder,
        ),
    ] = None,
    zone: Zone = None,
    pue: Pue = None,
    wue: Wue = None,
    market: Market = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Merge ledgers of ranks and nodes into one record.

    No joule is counted twice; a rank that is missing is named.
    """
    from energy.facts.site import site_from_options
    from energy.footprint.apply import at_site
    from energy.ledger import merge as ledgers
    from energy.ledger.progress import Progress
    from energy.ledger.together import ledgers_of, merged_folder
    from energy.verbs.replacing import require_nothing_lost

    paths = [path for own in ledgers_of(folders).values() for path in own]
    if out is None:
        output_folder(out := merged_folder(folders))
    with Progress(paths) as progress:
        merged = ledgers.merge(folders, out.resolve().name, progress.advance)
    merged.environment["merged_from"] = [str(path.parent) for path in paths]
    merged = at_site(merged, site_from_options(zone, pue, wue, market))
    require_nothing_lost(merged, out, "name another folder: --out runs/all")
    merged.save(out / "record.json")
    _show(merged, json, csv)


@examples(
    "energy import nvidia-smi.csv --out runs/night",
    "energy import sacct.txt --from sacct --zone FRA",
    "energy import train.log --from megatron --chips 64",
)
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A log of another tool.")],
    kind: Annotated[
        str | None,
        typer.Option("--from", metavar="KIND", help="Of the log; by default, as it looks."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder; default runs/FILE. Several runs have one each in it."),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="K=V", help="A label of the run; repeatable.")
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Of times without one; default UTC.")
    ] = None,
    chips: Annotated[
        int | None, typer.Option(min=1, help="Accelerators, where the log does not tell.")
    ] = None,
    interval: Annotated[
        float | None, typer.Option(min=1e-3, help="Seconds between readings without a time.")
    ] = None,
    zone: Zone = None,
    pue: Pue = None,
    wue: Wue = None,
    market: Market = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Import a log of another tool as a run.

    Leaves a ledger and a record as energy run does; docs/import.md lists the kinds of logs.
    """
    from energy.facts.site import site_from_options
    from energy.importers.imported import Hints
    from energy.local_time import zone_of
    from energy.reports import summary
    from energy.verbs import import_log
    from energy.verbs.run import label_of

    zone_of(timezone)  # refused even where the log has zones of its own
    hints = Hints(file.name, timezone, chips, interval)
    labels = dict(map(label_of, label or []))
    folder = out or Path("runs") / file.stem
    imported = import_log.imported(
        file, kind, folder, hints, labels, site_from_options(zone, pue, wue, market)
    )
    for line in imported.lines:
        say(line)
    data = [record.model_dump(mode="json") for record in imported.records]
    from energy.reports import runs

    rows = [runs.row(record) for record in imported.records]
    if not print_data({"records": data}, as_json=json, as_csv=csv, rows=rows):
        for record in imported.records:
            print("\n".join(summary.lines(record)))


def _show(record: RunRecord, json: bool, csv: bool) -> None:
    """Print a record as data or in a few lines."""
    from energy.reports import runs, summary

    data = record.model_dump(mode="json")
    if not print_data(data, as_json=json, as_csv=csv, rows=[runs.row(record)]):
        print("\n".join(summary.lines(record)))
