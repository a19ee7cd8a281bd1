"""The verb `calibrate`: fits the constants of a machine, or of a cluster and its software."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from energy.console import print_json
from simulator.kit.options import Json, examples

if TYPE_CHECKING:
    from simulator.questions.calibrate.answer import ConstantsAnswer, MachineAnswer


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
        typer.Option(
            "--anew", help="Fit from physical priors; without TABLE, to the published tables."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Fit the physical constants: of a machine to its probe, of a cluster to its throughput."""
    from energy.reports.words import console

    answer: MachineAnswer | ConstantsAnswer
    if tables and len(tables) == 1 and tables[0].suffix == ".json":
        answer = _machine(tables[0], out or Path("machine.toml"))
    else:
        answer = _cluster(tables or [], out or Path("constants.json"), anew)
    if as_json:
        print_json(answer.as_json())
    else:
        answer.page(console())


def _machine(probe: Path, out: Path) -> MachineAnswer:
    from simulator.fit.machine import save_machine
    from simulator.fit.probe import calibrate as calibrate_machine
    from simulator.fit.probe_rows import read_probe
    from simulator.questions.calibrate.answer import MachineAnswer

    machine = calibrate_machine(read_probe(probe), str(probe))
    save_machine(machine, out)
    return MachineAnswer(machine, out)


def _cluster(tables: list[Path], out: Path, anew: bool) -> ConstantsAnswer:
    import json

    from energy.errors import InputError
    from energy.files import write_text_atomic
    from simulator.fit.refit import fit_anew, fit_own
    from simulator.kit.progress import watching
    from simulator.published.shipped import published_tables
    from simulator.published.throughput import read_throughput
    from simulator.questions.calibrate.answer import ConstantsAnswer

    if not tables and not anew:
        raise InputError(
            "expected a probe or a table of throughput",
            "nothing",
            "name it, or --anew for the published tables",
        )
    parts = [read_throughput(path) for path in tables or published_tables()]
    rows = [row for part in parts for row in part.rows if row.measured]
    with watching() as on_progress:
        pool = fit_anew(rows, on_progress) if anew else fit_own(rows)
    write_text_atomic(out, json.dumps(pool.as_dict(), indent=1, ensure_ascii=False) + "\n")
    return ConstantsAnswer(pool, out)
