"""The command `energy`: each verb parses, calls and prints; heavy imports stay inside it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from energy.console import guard, print_json, print_version

app = typer.Typer(
    name="energy",
    help="What a run spends: joules, FLOP, CO2, water and money, with boundary, origin and band.",
    epilog="Exit codes: 0 yes, 2 usage, 3 infeasible, 4 data missing, 5 outside tolerance.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


Zone = Annotated[
    str | None, typer.Option(help="Grid zone (see energy grid); without it, a band over all.")
]


Pue = Annotated[float | None, typer.Option(help="Facility over IT energy; else a band.")]


def main() -> None:
    """Run the command; errors become one line and an exit code."""
    guard(app)


@app.callback()
def energy(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", is_eager=True, callback=print_version
        ),
    ] = False,
) -> None:
    """What a run spends: joules, FLOP, CO2, water and money, with boundary, origin and band."""


@app.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="\b\nExample:\n  energy run --label task=demo -- python train.py --steps 100",
)
def run(
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND...", help="What to run.")],
    out: Annotated[Path | None, typer.Option(help="Folder; default runs/COMMAND-TIME.")] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="K=V", help="A label.")] = None,
    interval: Annotated[float, typer.Option(min=0.05, help="Seconds between samples.")] = 1.0,
    meter: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A meter to read (nvml, rapl, ...); default all."),
    ] = None,
    zone: Zone = None,
    pue: Pue = None,
    second_opinion: Annotated[
        bool,
        typer.Option("--second-opinion", help="Run CodeCarbon beside it; tell the difference."),
    ] = False,
) -> None:
    """Meter any command; its output, signals and exit code pass through."""
    import time

    from energy.facts.site import site_from_options
    from energy.reports import summary
    from energy.verbs import run as engine

    labels = dict(_label(text) for text in label or [])
    stem = f"{Path(command[0]).name}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder = out or Path("runs") / stem
    record, code = engine.run(
        command,
        folder,
        labels,
        site_from_options(zone, pue),
        interval,
        second_opinion,
        meter or "auto",
    )
    for line in [f"record: {folder / 'record.json'}", *summary.lines(record)]:
        print(line, file=sys.stderr)
    sys.exit(code)


@app.command(epilog="\b\nExample:\n  energy record runs/killed --zone FRA")
def record(
    folder: Annotated[Path, typer.Argument(help="Folder that holds a ledger.")],
    zone: Zone = None,
    pue: Pue = None,
    json: Json = False,
) -> None:
    """Write the record of a run that was killed before it could, from its ledger."""
    from energy.facts.site import site_from_options
    from energy.reports import summary
    from energy.verbs import run as engine

    found = engine.rebuild(folder, site_from_options(zone, pue))
    if json:
        print_json(found.model_dump(mode="json"))
    else:
        print("\n".join(summary.lines(found)))


@app.command()
def doctor(
    seconds: Annotated[
        float | None,
        typer.Option(min=0.1, help="How long to watch; 10 with a GPU counter, else 1."),
    ] = None,
    json: Json = False,
) -> None:
    """Show every meter: what it sees, how well, why one is missing and what mends that."""
    from energy.verbs import doctor as engine

    rows = engine.examine(seconds)
    if json:
        print_json({"meters": rows})
        return
    for row in rows:
        watts = (
            ""
            if row["watts"] is None
            else (
                f"  {row['watts']:.1f} W {row['origin']}, least {row['least_w']:.1f} W, "
                f"{row['cost_us']:.0f} us a reading"
            )
        )
        state = row["boundary"] if row["found"] else "missing"
        print(f"{row['meter']:10} {row['name']:24} {state:8}{watts}")
        band = (
            ""
            if row["low"] is None
            else (f"; true value {row['low']:.2f} to {row['high']:.2f} times that (95 %)")
        )
        if row["found"]:
            print(f"{'':11}{row['api']}{band}")
            print(f"{'':11}{row['why']}")
            if row["counter_over_power"] is not None:
                print(f"{'':11}counter over integrated power: {row['counter_over_power']:.3f}")
        else:
            fix = f"; fix: {row['fix']}" if row["fix"] else ""
            print(f"{'':11}{row['why']}{fix}")


@app.command(epilog="\b\nExample:\n  energy watch --prometheus 9400")
def watch(
    interval: Annotated[float, typer.Option(min=0.05, help="Seconds between readings.")] = 1.0,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="How long; else for ever.")] = None,
    prometheus: Annotated[int | None, typer.Option(metavar="PORT", help="Serve metrics.")] = None,
) -> None:
    """Show what every meter says now; or serve it to Prometheus on this machine's own address."""
    from rich.console import Console

    from energy.verbs import watch as engine

    if prometheus is None:
        engine.show(interval, seconds, Console())
        return
    address = f"http://127.0.0.1:{prometheus}/metrics"
    engine.serve(prometheus, interval, seconds, lambda: print(address, file=sys.stderr))


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="Folder that holds a ledger.")],
    json: Json = False,
) -> None:
    """Check a ledger: hash chain, gaps, clocks, failed readings, and its record's sum."""
    from energy.ledger import verify as engine
    from energy.ledger.reader import require_ledger

    findings = engine.verify(require_ledger(folder))
    if json:
        print_json({"checks": [finding.as_dict() for finding in findings]})
    else:
        for finding in findings:
            print(f"{'ok ' if finding.passed else 'BAD'} {finding.check:8} {finding.message}")
    if not all(finding.passed for finding in findings if finding.check in ("chain", "sum")):
        sys.exit(5)


@app.command(epilog="\b\nExample:\n  energy calibrate wall.csv --test later.csv")
def calibrate(
    wall: Annotated[
        Path, typer.Argument(help="CSV: device, model, duration_s, codecarbon_j, wall_j.")
    ],
    test: Annotated[Path | None, typer.Option(help="Other runs, to test the line on.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to keep it.")] = None,
    json: Json = False,
) -> None:
    """Fit gain and offset of this machine against a wall meter; keep its error as the band."""
    from energy.calibration import fit as engine
    from energy.calibration.apply import default_path

    found, scores = engine.calibrate(engine.read_runs(wall), source=wall.name)
    told = {"cv": scores} | ({"test": engine.score(found, engine.read_runs(test))} if test else {})
    place = out or default_path()
    found.save(place)
    if json:
        print_json(told)
        return
    for name, line in found.lines.items():
        print(f"{name}: wall = {line.gain:.3f} x tool + {line.offset_w:.1f} W, {line.runs} runs")
    for kind, words in (("cv", "each model by the others"), ("test", "the test file")):
        for name, row in told.get(kind, {}).items():
            error = row["mean_abs_rel_error"]
            print(
                f"{words}, {name}: mean absolute error {100 * error['before']:.1f} % before, "
                f"{100 * error['after']:.1f} % after ({row['n']} runs)"
            )
    print(f"kept in {place}")


@app.command(epilog="\b\nExample:\n  energy merge runs/rank-* --out runs/all")
def merge(
    folders: Annotated[list[Path], typer.Argument(help="Folders of ranks, restarts and nodes.")],
    out: Annotated[Path, typer.Option(help="Folder for the merged record.json.")],
    zone: Zone = None,
    pue: Pue = None,
    json: Json = False,
) -> None:
    """Merge ledgers of ranks and nodes into one record; no joule is counted twice."""
    from energy.facts.site import site_from_options
    from energy.footprint import apply as footprint
    from energy.ledger import merge as engine
    from energy.reports import summary

    found = footprint.apply(engine.merge(folders, out.name), site_from_options(zone, pue))
    found.save(out / "record.json")
    if json:
        print_json(found.model_dump(mode="json"))
    else:
        print("\n".join(summary.lines(found)))


@app.command(epilog="\b\nExample:\n  energy report runs/demo --html report.html")
def report(
    folders: Annotated[list[Path], typer.Argument(help="Folders with runs somewhere below.")],
    html: Annotated[Path | None, typer.Option(help="Write one self-contained page.")] = None,
    json: Json = False,
) -> None:
    """Tell runs: a page with pictures, a summary in lines, or their records as JSON."""
    from energy.reports import runs as reading
    from energy.reports import summary

    found = reading.find(folders)
    if html is not None:
        from energy.reports.html import write

        write(folders, html)
        print(f"page: {html}", file=sys.stderr)
    if json:
        print_json({"records": [run.record.model_dump(mode="json") for run in found]})
    elif html is None:
        for run in found:
            # "measured" beside joules would be read as their origin.
            told = "a run" if run.measured else "a prediction"
            print("\n".join(summary.lines(run.record)) + f" ({told})")


@app.command(epilog="\b\nExample:\n  energy grid FRA US")
def grid(
    names: Annotated[list[str] | None, typer.Argument(help="Zones; default all.")] = None,
    json: Json = False,
) -> None:
    """List grid zones: grams of CO2e a kWh with band, year and source."""
    from energy.facts import grid as engine

    zones = [engine.zone(name) for name in names] if names else list(engine.zones())
    if json:
        print_json(
            [
                {
                    "id": z.id,
                    "name": z.name,
                    "year": z.year,
                    "intensity": z.g_per_kwh,
                    "status": z.status,
                }
                for z in zones
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


def _label(text: str) -> tuple[str, str]:
    from energy.errors import InputError

    key, equals, value = text.partition("=")
    if not key or not equals:
        raise InputError("expected a label as key=value", text, "--label task=demo")
    return key, value


if __name__ == "__main__":  # python -m energy.cli
    main()
