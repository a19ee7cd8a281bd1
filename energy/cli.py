"""The command `energy`: each verb parses, calls and prints; heavy imports stay inside it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from energy.app import new_app
from energy.console import guard, print_json

app = new_app(
    "energy",
    "What a run spends: joules, FLOP, CO2, water and money, with boundary, origin and band.",
    "0 yes, 2 usage, 3 infeasible, 4 data missing, 5 outside tolerance",
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Zone = Annotated[
    str | None,
    typer.Option(help="Grid zone (see energy grid); without it, a band over all zones."),
]
Pue = Annotated[
    float | None, typer.Option(help="Facility over IT energy; without it, a band is assumed.")
]


def main() -> None:
    """Run the command; an expected error becomes one line and an exit code."""
    guard(app)


@app.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="\b\nExample:\n  energy run --label task=demo -- python train.py --steps 100",
)
def run(
    command: Annotated[list[str], typer.Argument(metavar="COMMAND", help="What to run, after --.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder; default runs/COMMAND-TIME. Each rank has its own in it."),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="K=V", help="A label of the run; repeatable.")
    ] = None,
    interval: Annotated[float, typer.Option(min=0.05, help="Seconds between samples.")] = 1.0,
    meter: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A meter to read (nvml, rapl, ...); default all."),
    ] = None,
    zone: Zone = None,
    pue: Pue = None,
    second_opinion: Annotated[
        bool,
        typer.Option("--second-opinion", help="Run CodeCarbon too and report the difference."),
    ] = False,
    power_limit: Annotated[
        float | None,
        typer.Option(metavar="W", help="Power limit of each NVIDIA board during the run."),
    ] = None,
) -> None:
    """Meter any command.

    Its output, signals and exit code pass through.
    """
    from energy.facts.site import site_from_options
    from energy.ledger.job import job
    from energy.reports import summary
    from energy.verbs import run as runs

    folder = runs.folder_of(command, out, job())
    measured, code = runs.run(
        command,
        folder,
        labels=dict(map(runs.label_of, label or [])),
        site=site_from_options(zone, pue),
        interval_s=interval,
        second_opinion=second_opinion,
        meters=meter or "auto",
        power_limit_w=power_limit,
    )
    for line in [*runs.heading(folder, job()), *summary.lines(measured)]:
        print(line, file=sys.stderr)
    sys.exit(code)


@app.command(epilog="\b\nExample:\n  energy record runs/killed --zone FRA")
def record(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder with a ledger.")],
    zone: Zone = None,
    pue: Pue = None,
    json: Json = False,
) -> None:
    """Write the record of a killed run from its ledger."""
    from energy.facts.site import site_from_options
    from energy.reports import summary
    from energy.verbs import run as runs

    rebuilt = runs.rebuild(folder, site_from_options(zone, pue))
    if json:
        print_json(rebuilt.model_dump(mode="json"))
    else:
        print("\n".join(summary.lines(rebuilt)))


@app.command()
def doctor(
    seconds: Annotated[
        float | None,
        typer.Option(min=0.1, help="How long to watch; default 10 with a GPU counter, else 1."),
    ] = None,
    meter: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A meter to try (cmd:./plug.sh, ...); default all."),
    ] = None,
    json: Json = False,
) -> None:
    """Show every meter, and how to enable the missing ones.

    For each: what it measures, its band, its cost, or why it is missing and what to run. Then what
    stands in the machine and no meter reads.
    """
    from energy.verbs import doctor as meters

    findings = meters.look(seconds, meter or ())
    if json:
        print_json(findings.as_dict())
    else:
        print("\n".join(findings.lines()))


@app.command(epilog="\b\nExample:\n  energy watch --prometheus 9400")
def watch(
    interval: Annotated[float, typer.Option(min=0.05, help="Seconds between readings.")] = 1.0,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="How long; default until Ctrl-C.")
    ] = None,
    prometheus: Annotated[
        int | None,
        typer.Option(
            metavar="PORT", min=1, max=65535, help="Serve to Prometheus on this port instead."
        ),
    ] = None,
) -> None:
    """Show current readings, or serve them to Prometheus.

    The server listens on the loopback address only.
    """
    from rich.console import Console

    from energy.verbs import watch as readings

    if prometheus is None:
        readings.show(interval, seconds, Console())
        return
    address = f"http://127.0.0.1:{prometheus}/metrics"
    readings.serve(prometheus, interval, seconds, lambda: print(address, file=sys.stderr))


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder with a ledger.")],
    json: Json = False,
) -> None:
    """Check a ledger and the sum in its record.

    Exit code 5 if anything is BAD: hash chain, clocks, gaps, failed readings, time that nobody
    read, readings that cannot be true, and the record's sum.
    """
    from energy.ledger import verify as checks
    from energy.ledger.progress import Progress

    with Progress([folder], checks.PASSES) as progress:
        findings = checks.verify(folder, progress.advance)
    if json:
        print_json({"checks": [finding.as_dict() for finding in findings]})
    else:
        for finding in findings:
            print(f"{'ok ' if finding.passed else 'BAD'} {finding.check:8} {finding.message}")
    if not all(finding.passed for finding in findings):
        sys.exit(5)


@app.command(
    epilog="\b\nExamples:\n  energy calibrate wall.csv --test later.csv\n"
    "  energy calibrate wall.csv --save"
)
def calibrate(
    wall: Annotated[
        Path,
        typer.Argument(
            metavar="WALL.csv",
            help="With record (a run's folder) and wall_j, or CodeCarbon's joules: device, model, "
            "duration_s, codecarbon_j, wall_j.",
        ),
    ],
    test: Annotated[Path | None, typer.Option(help="Other runs, to test the fit on.")] = None,
    save: Annotated[
        bool, typer.Option("--save", help="Keep it: later records of these meters use it.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write it to this file.")] = None,
    json: Json = False,
) -> None:
    """Calibrate this machine against a wall meter.

    Fits a gain and an offset; the cross-validated error becomes the band of later records. Nothing
    is kept without --save. With it, later records of the same meters and boards on this machine
    have joules at the wall too.
    """
    from energy.calibration import fit
    from energy.calibration.apply import OURS, default_path
    from energy.errors import InputError

    calibration, scores = fit.calibrate(fit.read_runs(wall), source=wall.name)
    if save and any(line.tool != OURS for line in calibration.lines.values()):
        raise InputError(
            "expected records of ours in a calibration to keep",
            f"joules of another tool in {wall}",
            "name runs metered by energy in a column `record`; --out FILE writes these lines",
        )
    results = {"cv": scores}
    if test:
        results["test"] = fit.score(calibration, fit.read_runs(test))
    paths = [path for path in (out, default_path() if save else None) if path is not None]
    for path in paths:
        calibration.save(path)
    if json:
        print_json(results)
        return
    for name, line in calibration.lines.items():
        print(f"{name}: wall = {line.gain:.3f} x tool + {line.offset_w:.1f} W, {line.runs} runs")
    print("\n".join(_score_lines(results)))
    print("\n".join(f"written to {path}" for path in paths) or "not kept: add --save or --out FILE")


@app.command(epilog="\b\nExample:\n  energy merge runs/rank-* --out runs/all")
def merge(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER", help="Of ranks, restarts and nodes.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the merged record.json.")],
    zone: Zone = None,
    pue: Pue = None,
    json: Json = False,
) -> None:
    """Merge ledgers of ranks and nodes into one record.

    No joule is counted twice.
    """
    from energy.facts.site import site_from_options
    from energy.footprint.apply import at_site
    from energy.ledger import merge as ledgers
    from energy.ledger.progress import Progress
    from energy.reports import summary

    with Progress(folders) as progress:
        merged = ledgers.merge(folders, out.name, progress.advance)
    merged = at_site(merged, site_from_options(zone, pue))
    merged.save(out / "record.json")
    if json:
        print_json(merged.model_dump(mode="json"))
    else:
        print("\n".join(summary.lines(merged)))


@app.command(epilog="\b\nExample:\n  energy report runs/demo --html report.html")
def report(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER", help="With runs at any depth.")
    ],
    html: Annotated[Path | None, typer.Option(help="Write one self-contained page.")] = None,
    json: Json = False,
) -> None:
    """Report runs as lines, an HTML page or JSON."""
    from energy.reports import runs as records
    from energy.reports import summary

    runs = records.find(folders)
    if html is not None:
        from energy.reports.html import write

        write(runs, html)
        print(f"page: {html}", file=sys.stderr)
    if json:
        print_json({"records": [run.record.model_dump(mode="json") for run in runs]})
    elif html is None:
        for run in runs:
            # "measured" next to joules would read as their origin.
            kind = "a run" if run.measured else "a prediction"
            print("\n".join(summary.lines(run.record)) + f" ({kind})")


@app.command(epilog="\b\nExample:\n  energy grid FRA US")
def grid(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="ZONE", help="Zones; default all.")
    ] = None,
    json: Json = False,
) -> None:
    """List grid zones: grams of CO2e per kWh, year, source."""
    from energy.facts import grid as facts

    zones = [facts.zone(name) for name in names] if names else list(facts.zones())
    if json:
        print_json(
            [
                {
                    "id": zone.id,
                    "name": zone.name,
                    "year": zone.year,
                    "intensity": zone.g_per_kwh,
                    "status": zone.status,
                }
                for zone in zones
            ]
        )
        return
    for zone in zones:
        value, low, high = zone.g_per_kwh.numbers()
        year = zone.year or "year unknown"
        print(
            f"{zone.id:24} {value:6.0f} g/kWh ({low:.0f} to {high:.0f})  {year}  {zone.name}; "
            f"{zone.source}"
        )


@app.command()
def schema() -> None:
    """Print the JSON schema of a record."""
    from energy.record import json_schema

    print(json_schema(), end="")


def _score_lines(results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The errors of a calibration before and after, a line per test and class of device."""
    for test, title in (("cv", "each model by the others"), ("test", "the test file")):
        for name, score in results.get(test, {}).items():
            error = score["mean_abs_rel_error"]
            yield (
                f"{title}, {name}: mean absolute error {100 * error['before']:.1f} % before, "
                f"{100 * error['after']:.1f} % after ({score['n']} runs)"
            )


if __name__ == "__main__":  # python -m energy.cli
    main()
