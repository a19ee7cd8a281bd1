"""The verbs that say how far a number can be trusted: `doctor`, `calibrate`, `verify`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from energy.app import Csv, Json, examples, output_file
from energy.console import print_data
from energy.guard import printing


@examples("energy doctor", "energy doctor --meter cmd:./plug.sh --seconds 5")
def doctor(
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0.1, max=3600, help="How long to watch; default 10 with a GPU counter, else 1."
        ),
    ] = None,
    meter: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A meter to try (cmd:./plug.sh, ...); default all."),
    ] = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Show every meter, and how to enable the missing ones.

    For each: what it measures, its band, its cost, or why it is missing and what to run. Then what
    stands in the machine and no meter reads.
    """
    from energy.verbs import doctor as meters

    findings = meters.look(seconds, meter or ())
    data = findings.as_dict()
    if not print_data(data, as_json=json, as_csv=csv, rows=data["meters"]):
        print("\n".join(findings.lines()))


@examples("energy calibrate wall.csv --test later.csv", "energy calibrate wall.csv --save")
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
    out: Annotated[
        Path | None, typer.Option(help="Write it to this file.", callback=output_file())
    ] = None,
    json: Json = False,
    csv: Csv = False,
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
    rows = [
        {"test": test, "device": device, **score}
        for test, scores in results.items()
        for device, score in scores.items()
    ]
    if print_data(results, as_json=json, as_csv=csv, rows=rows):
        return
    for name, line in calibration.lines.items():
        print(f"{name}: wall = {line.gain:.3f} x tool + {line.offset_w:.1f} W, {line.runs} runs")
    print("\n".join(_score_lines(results)))
    print("\n".join(f"written to {path}" for path in paths) or "not kept: add --save or --out FILE")


def _score_lines(results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The errors of a calibration before and after, a line per test and class of device."""
    for test, title in (("cv", "each model by the others"), ("test", "the test file")):
        for name, score in results.get(test, {}).items():
            error = score["mean_abs_rel_error"]
            yield (
                f"{title}, {name}: mean absolute error {100 * error['before']:.1f} % before, "
                f"{100 * error['after']:.1f} % after ({score['n']} runs)"
            )


@examples("energy verify runs/demo")
def verify(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder with a ledger.")],
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Check a ledger and the sum in its record.

    Exit code 5 if anything is BAD: hash chain, clocks, gaps, failed readings, time that nobody
    read, readings that cannot be true, and the record's sum.
    """
    from energy.ledger import verify as checks
    from energy.ledger.progress import Progress

    with Progress([folder], checks.PASSES) as progress:
        findings = checks.verify(folder, progress.advance)
    checked = {"checks": [finding.as_dict() for finding in findings]}
    with printing():
        if not print_data(checked, as_json=json, as_csv=csv):
            for finding in findings:
                print(f"{'ok ' if finding.passed else 'BAD'} {finding.check:8} {finding.message}")
    if not all(finding.passed for finding in findings):
        sys.exit(5)
