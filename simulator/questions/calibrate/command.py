"""The verb `calibrate`: constants of a machine or of a table of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from energy.console import print_json
from simulator.kit.options import Json, examples
from simulator.kit.progress import watching


@examples(
    "glam probe --out probe.json",
    "simulator calibrate probe.json --out machine.toml",
    "simulator calibrate our-runs.csv --out constants.json",
    "simulator calibrate --anew --out constants.json",
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
    from simulator.fit.machine import save_machine
    from simulator.fit.probe import calibrate as calibrate_machine
    from simulator.fit.probe_rows import read_probe
    from simulator.questions.calibrate import page as show_machine

    machine = calibrate_machine(read_probe(probe), str(probe))
    save_machine(machine, out)
    if as_json:
        print_json(show_machine.told(machine))
    else:
        show_machine.page(machine, out)


def _cluster(tables: list[Path], out: Path, anew: bool, as_json: bool) -> None:
    import json

    from energy.errors import InputError
    from energy.files import write_text_atomic
    from simulator.fit.refit import fit_anew, fit_own
    from simulator.published.shipped import published_tables
    from simulator.published.throughput import read_throughput
    from simulator.questions.calibrate.page_constants import constants_page

    if not tables and not anew:
        raise InputError(
            "expected a probe or a table of throughput",
            "nothing",
            "name it, or --anew for the published tables",
        )
    read = [read_throughput(path) for path in tables or published_tables()]
    rows = [row for table in read for row in table.rows if row.measured]
    with watching() as watch:
        pool = fit_anew(rows, watch) if anew else fit_own(rows)
    write_text_atomic(out, json.dumps(pool.as_dict(), indent=1, ensure_ascii=False) + "\n")
    print_json(pool.as_dict()) if as_json else constants_page(pool, out)
