"""The verb `validate`: predictions compared with measurements."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from energy.console import print_json
from simulator.kit.options import Json, examples

if TYPE_CHECKING:
    from simulator.fit.pool import Pool
    from simulator.questions.validate.records import Agreement
    from simulator.questions.validate.throughput import ThroughputResult


@examples(
    "simulator validate --records runs/demo",
    "simulator validate --throughput our-runs.csv",
    "simulator validate --throughput published --folds --json",
    "simulator validate --runs published",
    "simulator validate --records runs/demo --tolerance 0.2 --json",
)
def validate(
    more: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[DIR ...]", help="More folders for --records."),
    ] = None,
    records: Annotated[
        list[Path] | None,
        typer.Option("--records", metavar="DIR", help="Predicted and measured records below DIR."),
    ] = None,
    throughput: Annotated[
        list[str] | None,
        typer.Option("--throughput", metavar="FILE.csv", help="A table of rows, or published."),
    ] = None,
    runs: Annotated[
        str | None,
        typer.Option("--runs", metavar="FILE.csv", help="A table of whole runs, or published."),
    ] = None,
    constants: Annotated[
        Path | None, typer.Option(help="A constants file instead of the published fit.")
    ] = None,
    folds: Annotated[
        bool,
        typer.Option("--folds", help="Also fit again without each source, model and chip: slow."),
    ] = False,
    tolerance: Annotated[
        float | None, typer.Option(help="Exit with 5 when an error is larger: 0.2 is 20 %.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare predictions with measurements: own records, published rows, whole runs.

    The predicted figure of a row never depends on its measured one.
    """
    from energy.errors import InputError
    from energy.reports.words import console
    from simulator.fit.pool import load_pool, published_pool
    from simulator.published.runs import read_runs
    from simulator.published.shipped import runs_of
    from simulator.questions.validate.answer import ValidateAnswer
    from simulator.questions.validate.runs import whole_runs

    if not (records or throughput or runs):
        raise InputError(
            "expected something to validate",
            "nothing",
            "name it: --records DIR, --throughput FILE.csv or --runs FILE.csv",
        )
    pool = load_pool(constants) if constants else published_pool()
    answer = ValidateAnswer(
        throughput=_throughput(throughput, pool, folds) if throughput else None,
        runs=whole_runs(read_runs(runs_of(runs)), pool) if runs else None,
        agreements=_agreements([*records, *(more or [])]) if records else None,
    )
    if as_json:
        print_json(answer.as_json())
    else:
        answer.page(console())
    if tolerance is not None:
        answer.require_within(tolerance)


def _throughput(names: list[str], pool: Pool, folds: bool) -> ThroughputResult:
    from simulator.kit.progress import watching
    from simulator.published.shipped import tables_of
    from simulator.published.throughput import Table, read_throughput
    from simulator.questions.validate.throughput import validate_throughput

    tables = [read_throughput(path) for path in tables_of(names)]
    table = Table(
        tuple(row for part in tables for row in part.rows),
        {name: reason for part in tables for name, reason in part.skipped.items()},
    )
    with watching() as on_progress:
        return validate_throughput(table, pool, with_folds=folds, on_progress=on_progress)


def _agreements(places: list[Path]) -> tuple[Agreement, ...]:
    from simulator.questions.validate.records import agreement, pairs, read_records

    return tuple(agreement(*pair) for pair in pairs(read_records(places)))
