"""The verb `calibrate`: fits the constants of a machine, or of a cluster and its software."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from energy.app import Csv, Json, examples
from simulator.kit.answer import present
from simulator.kit.options import Explain, Plot


@examples(
    "glam probe --out probe.json",
    "simulator calibrate probe.json --out machine.toml",
    "simulator calibrate our-runs.csv --out constants.json",
    "simulator calibrate --anew --out constants.json",
    "simulator calibrate --newcomers --out constants.json",
    "simulator calibrate --serving published --out serving.json",
)
def calibrate(
    tables: Annotated[
        list[Path] | None,
        typer.Argument(metavar="TABLE", help="A probe (JSON), or tables of throughput (CSV)."),
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
    newcomers: Annotated[
        bool,
        typer.Option(
            "--newcomers",
            help="Fit only what to expect of publishers that no fit saw, to the published tables.",
        ),
    ] = False,
    serving: Annotated[
        str | None,
        typer.Option(metavar="FILE.csv", help="Fit those of serving to this table, or published."),
    ] = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Fit the physical constants of a machine or a cluster.

    Those of a machine to its probe, those of a cluster to its throughput.
    """
    from energy.files import require_writable
    from simulator.kit.progress import watching
    from simulator.questions.calibrate.answer import calibrate as answer
    from simulator.questions.calibrate.answer import calibrate_serving, is_probe

    paths = tables or []
    path = out or Path("machine.toml" if is_probe(paths) else "constants.json")
    if serving and (paths or anew or newcomers):
        raise typer.BadParameter("expected --serving alone")
    if serving:
        path = out or Path("serving.json")
    require_writable(path)
    with watching() as on_progress:
        fitted = (
            calibrate_serving(serving, path, on_progress)
            if serving
            else answer(*paths, out=path, anew=anew, newcomers=newcomers, on_progress=on_progress)
        )
    present(fitted, as_json=as_json, as_csv=as_csv, explain=explain, plot=plot)
