"""The verbs `init` and `predict`: a scenario, and what it would spend."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from energy.app import Csv, Json, examples, output_file, output_folder
from simulator.kit.answer import present
from simulator.kit.options import (
    TARGET,
    ChipPrice,
    Chips,
    Explain,
    Plot,
    Sequences,
    Set,
    Steps,
    Tokens,
    overridden,
)

ClusterFile = Annotated[
    Path | None,
    typer.Option(
        help="Keep the measured row for other questions in this file.", callback=output_file()
    ),
]

TraceFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write a step as a trace for Perfetto: parts, bubbles, joules.",
        callback=output_file(".json"),
    ),
]


@examples("simulator init my-run.toml", "simulator init my-run.toml --from glam-64b-64e")
def init(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")] = Path(
        "scenario.toml"
    ),
    preset: Annotated[str | None, typer.Option("--from", help="Start from this preset.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a commented scenario file that is valid as it stands."""
    from energy.errors import InputError
    from energy.files import write_text_atomic
    from simulator.scenarios.scenario import starting_text

    if path.exists() and not force:
        raise InputError(f"expected no file at {path}", "one that is there", "--force replaces it")
    write_text_atomic(path, starting_text(preset))
    typer.echo(f"wrote {path}; next: simulator predict {shlex.quote(str(path))}")


@examples(
    "simulator predict glam-64b-64e --explain",
    "simulator predict my-run.toml --zone FR --out runs/my-run",
    "simulator predict glam-mini-16e --hardware machine.toml --steps 200 --out runs/predicted",
    "simulator predict glam-64b-64e --trace step.json",
    "simulator predict glam-8b --measured '41% MFU' --cluster ours.json",
    "simulator predict --model glam-8b --chip h100 --chips 256 --tokens 300e9 --batch 512",
)
def predict(
    name: Annotated[str | None, typer.Argument(metavar="SCENARIO", help=TARGET)] = None,
    model: Annotated[
        str | None, typer.Option(help="Instead of a scenario: a model, or its config.json.")
    ] = None,
    tokens: Tokens = None,
    steps: Steps = None,
    batch: Sequences = None,
    seq_len: Annotated[int | None, typer.Option(help="Tokens of a sequence.")] = None,
    chip: Annotated[str | None, typer.Option(help="A chip of the catalog.")] = None,
    count: Chips = None,
    hardware: Annotated[
        Path | None, typer.Option(help="Instead of a chip: a machine that was calibrated.")
    ] = None,
    zone: Annotated[str | None, typer.Option(help="Grid zone.")] = None,
    chip_price: ChipPrice = None,
    measured: Annotated[
        str | None, typer.Option(help='A rate of this run: "65 tokens/s/chip", 9.96 s, 41% MFU.')
    ] = None,
    cluster: ClusterFile = None,
    overrides: Set = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write record.json into this folder.", callback=output_folder),
    ] = None,
    trace: TraceFile = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Predict FLOP, time, energy, CO2, water and cost of a run."""
    from simulator.questions.predict.answer import prediction
    from simulator.scenarios.request import named, quick

    values = quick(
        tokens=tokens,
        steps=steps,
        batch=batch,
        seq_len=seq_len,
        chip=chip,
        count=count,
        machine=hardware,
        zone=zone,
        chip_price=chip_price,
    )
    answer = prediction(named(name, model, values | overridden(overrides)), measured, cluster)
    if out is not None:
        answer.record.save(out / "record.json")
    if trace is not None:
        answer.save_trace(trace)
    present(answer, as_json=as_json, as_csv=as_csv, explain=explain, plot=plot)
