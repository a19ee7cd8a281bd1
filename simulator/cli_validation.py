"""The verbs that fit constants and hold predictions against what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from energy.console import print_json
from simulator.cli_options import Json, examples

validation = typer.Typer(rich_markup_mode=None)


@validation.command(
    epilog=examples(
        "glam probe --out probe.json",
        "simulator calibrate probe.json --out machine.toml",
        "simulator calibrate our-runs.csv --out constants.json",
        "simulator calibrate --anew --out constants.json",
    )
)
def calibrate(
    tables: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[TABLE ...]", help="A probe (JSON), or tables of throughput (CSV)."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The file to write: machine.toml or constants.json.")
    ] = None,
    anew: Annotated[
        bool,
        typer.Option("--anew", help="Forget the published fit; without TABLE, make it again."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Fit the physical constants: of a machine to its probe, of a cluster to its throughput."""
    if tables and len(tables) == 1 and tables[0].suffix == ".json":
        _machine(tables[0], out or Path("machine.toml"), as_json)
    else:
        _cluster(tables or [], out or Path("constants.json"), anew, as_json)


def _machine(probe: Path, out: Path, as_json: bool) -> None:
    from simulator import show_machine
    from simulator.calibrate import calibrate as fitted
    from simulator.calibrate import read_probe, save

    machine = fitted(read_probe(probe), str(probe))
    save(machine, out)
    if as_json:
        print_json(show_machine.told(machine))
    else:
        show_machine.page(machine, out)


def _cluster(tables: list[Path], out: Path, anew: bool, as_json: bool) -> None:
    import json

    from energy.errors import InputError
    from energy.files import write_text_atomic
    from simulator import show_validation
    from simulator.published_rows import published_tables
    from simulator.recalibrate import fit_anew, fit_own
    from simulator.rows import read_throughput

    if not tables and not anew:
        raise InputError(
            "expected a probe or a table of throughput",
            "nothing",
            "name it, or --anew for the published tables",
        )
    read = [read_throughput(path) for path in tables or published_tables()]
    rows = [row for table in read for row in table.rows if row.measured]
    with show_validation.watching() as watch:
        pool = fit_anew(rows, watch) if anew else fit_own(rows)
    write_text_atomic(out, json.dumps(pool.as_dict(), indent=1, ensure_ascii=False) + "\n")
    print_json(pool.as_dict()) if as_json else show_validation.constants_page(pool, out)


@validation.command(
    epilog=examples(
        "simulator validate --records runs/demo",
        "simulator validate --throughput our-runs.csv",
        "simulator validate --throughput published --folds --json",
        "simulator validate --runs published",
        "simulator validate --records runs/demo --tolerance 0.2 --json",
    )
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
    from simulator import pool as pools

    if not (records or throughput or runs):
        raise InputError(
            "expected something to validate",
            "nothing",
            "name it: --records DIR, --throughput FILE.csv or --runs FILE.csv",
        )
    pool = pools.load(constants) if constants else pools.published()
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
    from simulator import show_validation
    from simulator.published_rows import tables_of
    from simulator.recalibrate import fold_errors
    from simulator.rows import Table, read_throughput
    from simulator.show_validation import watching

    read = [read_throughput(path) for path in tables_of(names)]
    table = Table(
        tuple(row for one in read for row in one.rows),
        {name: why for one in read for name, why in one.skipped.items()},
    )
    with watching() as watch:
        found = show_validation.held(table, pool)
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
    from simulator import show_runs, show_validation
    from simulator.published_rows import runs_of
    from simulator.run_rows import read_runs
    from simulator.whole_runs import whole_runs

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
    from simulator import show
    from simulator.agreement import agreement, pairs, read_records, require

    found = [agreement(*pair) for pair in pairs(read_records(places))]
    if not as_json:
        show.agreements(found)
    if tolerance is not None:
        require(found, tolerance)
    return {"agreements": [one.as_json() for one in found]}
