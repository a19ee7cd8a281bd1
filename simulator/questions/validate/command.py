"""The verb `validate`: predictions held against measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from energy.console import print_json
from simulator.kit.options import Json, examples


@examples(
    "simulator validate --records runs/demo",
    "simulator validate --throughput our-runs.csv",
    "simulator validate --throughput published --folds --json",
    "simulator validate --runs published",
    "simulator validate --records runs/demo --tolerance 0.2 --json",
)
def validate(
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="[DIR ...]", help="More places for --records.")
    ] = None,
    records: Annotated[
        list[Path] | None,
        typer.Option(
            "--records", metavar="DIR", help="Records, predicted and measured, below DIR."
        ),
    ] = None,
    throughput: Annotated[
        list[str] | None,
        typer.Option("--throughput", metavar="FILE.csv", help="Rows, or the word published."),
    ] = None,
    runs: Annotated[
        str | None,
        typer.Option("--runs", metavar="FILE.csv", help="Whole runs, or the word published."),
    ] = None,
    constants: Annotated[
        Path | None, typer.Option(help="A constants file; without it, the published fit.")
    ] = None,
    folds: Annotated[
        bool, typer.Option("--folds", help="Fit again without each source: slow, honest.")
    ] = False,
    tolerance: Annotated[
        float | None, typer.Option(help="Exit with 5 when an error is larger: 0.2 is 20 %.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Hold predictions against what was measured: own records, published rows, whole runs.

    The predicted figure of a row never depends on its measured one.
    """
    from energy.errors import InputError
    from simulator.fit.pool import load_pool, published_pool

    if not (records or throughput or runs):
        raise InputError(
            "expected something to validate",
            "nothing",
            "name it: --records DIR, --throughput FILE.csv or --runs FILE.csv",
        )
    pool = load_pool(constants) if constants else published_pool()
    told: dict[str, Any] = {}
    if throughput:
        told |= _throughput(throughput, pool, folds, tolerance, as_json)
    if runs:
        told |= _runs(runs, pool, tolerance, as_json)
    if records:
        told |= _records([*records, *(more or [])], tolerance, as_json)
    if as_json:
        print_json(told)


def _throughput(
    names: list[str], pool: Any, folds: bool, tolerance: float | None, as_json: bool
) -> dict[str, Any]:
    from simulator.fit.folds import fold_errors
    from simulator.kit.progress import watching
    from simulator.published.shipped import tables_of
    from simulator.published.throughput import Table, read_throughput
    from simulator.questions.validate import page_throughput as show_validation
    from simulator.questions.validate.throughput import held

    read = [read_throughput(path) for path in tables_of(names)]
    table = Table(
        tuple(row for one in read for row in one.rows),
        {name: why for one in read for name, why in one.skipped.items()},
    )
    with watching() as watch:
        found = held(table, pool)
        left = fold_errors(table.rows, watch) if folds else {}
    told = {}
    if as_json:
        told = show_validation.throughput_json(found, left, table)
    else:
        show_validation.throughput_page(found, left, table)
    error = found.summaries()["all"].median_abs_rel_error
    show_validation.require(error, tolerance, "throughput")
    return told


def _runs(name: str, pool: Any, tolerance: float | None, as_json: bool) -> dict[str, Any]:
    from simulator.published.runs import read_runs
    from simulator.published.shipped import runs_of
    from simulator.questions.validate import page_runs as show_runs
    from simulator.questions.validate import page_throughput as show_validation
    from simulator.questions.validate.runs import whole_runs

    found = whole_runs(read_runs(runs_of(name)), pool)
    told = {}
    if as_json:
        told = show_runs.as_json(found)
    else:
        show_runs.page(found)
    error = show_runs.summary([run.chip_hours_blind for run in found.runs])
    show_validation.require(error["median_abs_rel_error"], tolerance, "chip-hours")
    return told


def _records(places: list[Path], tolerance: float | None, as_json: bool) -> dict[str, Any]:
    from simulator.questions.validate.page_records import agreements
    from simulator.questions.validate.records import agreement, pairs, read_records, require

    found = [agreement(*pair) for pair in pairs(read_records(places))]
    if not as_json:
        agreements(found)
    if tolerance is not None:
        require(found, tolerance)
    return {"agreements": [one.as_json() for one in found]}
