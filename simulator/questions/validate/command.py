"""The verb `validate`: predictions compared with measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from energy.app import Csv, Json, examples
from simulator.kit.answer import present
from simulator.kit.options import Explain, Plot

Folds = Annotated[
    bool,
    typer.Option(
        "--folds", help="Fit again without each source, model, chip, publisher or family."
    ),
]
GivenOne = Annotated[
    bool,
    typer.Option("--given-one", help="Know a row of each source and chip; judge the others."),
]
Tolerance = Annotated[
    float | None, typer.Option(help="Exit with 5 when an error is larger: 0.2 is 20 %.")
]


@examples(
    "simulator validate --records runs/demo",
    "simulator validate --throughput our-runs.csv",
    "simulator validate --throughput published --folds --json",
    "simulator validate --runs published",
    "simulator validate --serving published --folds",
    "simulator validate --records runs/demo --tolerance 0.2 --json",
)
def validate(
    more: Annotated[
        list[Path] | None,
        typer.Argument(metavar="DIR", help="More folders for --records."),
    ] = None,
    records: Annotated[
        list[Path] | None,
        typer.Option("--records", metavar="DIR", help="Predicted and measured records below DIR."),
    ] = None,
    throughput: Annotated[
        list[str] | None,
        typer.Option(
            "--throughput", metavar="FILE.csv", help="A table of rows, published or calibration."
        ),
    ] = None,
    runs: Annotated[
        str | None,
        typer.Option("--runs", metavar="FILE.csv", help="A table of whole runs, or published."),
    ] = None,
    serving: Annotated[
        str | None,
        typer.Option(metavar="FILE.csv", help="A table of served models, or published."),
    ] = None,
    constants: Annotated[
        Path | None, typer.Option(help="A constants file instead of the published fit.")
    ] = None,
    folds: Folds = False,
    given_one: GivenOne = False,
    tolerance: Tolerance = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Compare predictions with measurements that they never use."""
    from simulator.kit.progress import watching
    from simulator.questions.validate.answer import validate as answer

    with watching() as on_progress:
        validated = answer(
            records=[*records, *(more or [])] if records else [],
            throughput=throughput or [],
            runs=runs,
            serving=serving,
            constants=constants,
            folds=folds,
            given_one=given_one,
            on_progress=on_progress,
        )
    present(validated, as_json=as_json, as_csv=as_csv, explain=explain, plot=plot)
    if tolerance is not None:
        validated.require_within(tolerance)
