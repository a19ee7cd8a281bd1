"""The command `glam`: each verb parses, calls and prints; torch is loaded inside the verbs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from energy.console import guard, print_json

app = typer.Typer(
    name="glam",
    help="A GLaM trainer: mixture-of-experts and dense language models, metered by energy.",
    epilog="Exit codes: 0 yes, 2 usage, 3 infeasible, 4 data missing, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


Device = Annotated[str | None, typer.Option(help="auto, cpu or cuda.")]


Meter = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="A meter to read; default all. cpu_tree: this run alone."),
]


def main() -> None:
    """Run the command; errors become one line and an exit code."""
    guard(app)


@app.callback()
def glam() -> None:
    """A GLaM trainer: mixture-of-experts and dense language models, metered by energy."""


@app.command(
    epilog="\b\nExamples:\n  glam train --model glam-mini-16e --out runs/first\n"
    "  glam train --model run.toml --data books/ --out runs/books --resume"
)
def train(
    model: Annotated[str, typer.Option(help="A size (see glam sizes) or a TOML file.")],
    out: Annotated[Path, typer.Option(help="Folder of the run.")],
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="File, folder, Parquet or hf:NAME; repeat. Default: Python's own library."
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimizer steps.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Sequences in a batch.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of weights and data order.")] = None,
    optimizer: Annotated[str | None, typer.Option(help="adafactor or adamw.")] = None,
    router: Annotated[
        str | None, typer.Option(help="dropless, gshard (top-2) or switch (top-1).")
    ] = None,
    device: Device = None,
    machine: Annotated[
        Path | None, typer.Option(help="File of simulator calibrate: the peak that MFU is of.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint.")
    ] = False,
    zone: Annotated[str | None, typer.Option(help="Grid zone, for CO2; else a band.")] = None,
    pue: Annotated[float | None, typer.Option(help="Facility over IT energy; else a band.")] = None,
    meter: Meter = None,
) -> None:
    """Train a model under the meters; leaves record, metrics, ledger and checkpoints."""
    from dataclasses import replace
    from functools import partial

    from energy import Tracker
    from energy.facts.site import site_from_options
    from energy.meters import sources
    from energy.reports import summary
    from glam.config import GlamConfig
    from glam.device import machine_peak
    from glam.training.run import train as run

    sources.require(meter or "auto")
    config = GlamConfig.of(model).with_training(
        steps=steps, batch_sequences=batch, seed=seed, optimizer=optimizer, device=device
    )
    if router is not None:
        config = config.with_router(router)
    if data:
        config = replace(config, corpus=replace(config.corpus, paths=tuple(data)))
    site = site_from_options(zone, pue)
    peak = machine_peak(machine) if machine else None
    record = run(
        config,
        out,
        resume=resume,
        site=site,
        peak_flop_per_s=peak,
        tracker=partial(Tracker, meters=meter or "auto"),
    )
    for line in [*summary.lines(record), f"record: {out / 'record.json'}"]:
        print(line, file=sys.stderr)


@app.command(epilog='\b\nExample:\n  glam generate runs/first --prompt "The function returns"')
def generate(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    prompt: Annotated[str, typer.Option(help="Text to continue.")] = "",
    tokens: Annotated[int, typer.Option(min=1, help="Tokens to add.")] = 100,
    temperature: Annotated[float, typer.Option(min=0, help="0 takes the likeliest.")] = 0.8,
    top_p: Annotated[float, typer.Option(min=0, max=1, help="Nucleus to draw from.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    best: Annotated[
        bool, typer.Option("--best", help="The lowest held-out loss, not the newest checkpoint.")
    ] = False,
    device: Device = None,
) -> None:
    """Continue a prompt with a checkpoint of a run."""
    from glam.generation import generate as pieces

    found = pieces(
        run,
        prompt,
        tokens=tokens,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
        device=device or "auto",
        best=best,
    )
    first = next(found, "")
    print(prompt + first, end="", flush=True)
    for piece in found:
        print(piece, end="", flush=True)
    print()


@app.command()
def sizes(json: Json = False) -> None:
    """List the models that can be trained, with counted parameters."""
    from energy.facts import catalog
    from energy.shape import active_parameters, parameters, total
    from energy.units import count
    from glam.family import builds

    rows: list[dict[str, Any]] = [
        {
            "name": row.name,
            "params_total": total(parameters(row.shape)),
            "params_active": total(active_parameters(row.shape)),
            "shape": row.shape.as_dict(),
        }
        for row in catalog.models()
        if builds(row.shape)
    ]
    if json:
        print_json(rows)
        return
    print(f"{'name':16} {'total':>8} {'active':>8}  layers  width  experts")
    for row in rows:
        shape = row["shape"]
        counts = " ".join(f"{count(row[name]):>8}" for name in ("params_total", "params_active"))
        experts = shape["n_experts"] if shape["n_moe_layers"] else "dense"
        print(f"{row['name']:16} {counts} {shape['n_layers']:>7} {shape['d_model']:>6}  {experts}")


@app.command(epilog="\b\nExample:\n  glam probe --out probe.json && simulator calibrate probe.json")
def probe(
    out: Annotated[Path, typer.Option(help="Where to write the table.")],
    device: Device = None,
    meter: Meter = None,
) -> None:
    """Measure this machine's operations, for simulator calibrate; about 25 s on two cores."""
    import json
    import tempfile

    from energy.files import write_text_atomic
    from energy.meters import sources
    from glam.probing import probe as measure
    from glam.progress import Stages

    sources.require(meter or "auto")
    with tempfile.TemporaryDirectory() as scratch, Stages("measuring this machine") as stages:
        found = measure(device or "auto", Path(scratch), stages.show, meter or "auto")
    found["power"] = {name: q.model_dump(mode="json") for name, q in found["power"].items()}
    write_text_atomic(out, json.dumps(found, indent=1) + "\n")
    print(f"{len(found['rows'])} rows: {out}", file=sys.stderr)


if __name__ == "__main__":  # python -m glam.cli
    main()
