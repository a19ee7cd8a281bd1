"""The verbs of training: which models there are, and a run of one."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from energy.app import Csv, Json, Pue, Zone, examples
from energy.console import print_data
from glam.verbs.options import Device, Meter, Precision

Data = Annotated[
    list[str] | None,
    typer.Option(
        help="File, folder, Parquet or hf:NAME; repeatable. Default: Python's own library."
    ),
]


Resume = Annotated[bool, typer.Option("--resume", help="Continue from the last checkpoint.")]


Group = Annotated[
    bool, typer.Option("--group", help="Let your group read the run; else only you may.")
]


Router = Annotated[
    str | None, typer.Option(help="dropless, glam or gshard (top-2), or switch (top-1).")
]


RouterOf = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Router of mixtral, qwen3_moe, ..., or a config.json."),
]


Machine = Annotated[
    Path | None, typer.Option(help="File of simulator calibrate, for the peak of MFU.")
]


ExpertParallel = Annotated[
    int, typer.Option(min=1, help="Processes of torchrun that share out the experts.")
]


DataParallel = Annotated[
    int, typer.Option(min=0, help="Copies of each expert. Default: processes over the above.")
]


Shard = Annotated[
    bool, typer.Option("--shard", help="Divide weights and optimizer among their copies.")
]


Balance = Annotated[
    str, typer.Option(help="Loads that are balanced: of the global batch, or local.")
]


Timeout = Annotated[float, typer.Option(min=1, help="Seconds to wait for another process.")]


@examples("glam sizes")
def sizes(json: Json = False, csv: Csv = False) -> None:
    """List the models that can be trained, with parameter counts."""
    from dataclasses import asdict

    from energy.facts import catalog
    from energy.shape import active_parameters, parameters, total
    from energy.units import count
    from glam.family import builds, default_architecture, family_of

    rows: list[dict[str, Any]] = [
        {
            "name": row.name,
            "params_total": total(parameters(row.shape)),
            "params_active": total(active_parameters(row.shape)),
            "shape": row.shape.as_dict(),
            "family": family_of(default_architecture(row.shape)),
            "architecture": asdict(default_architecture(row.shape)),
        }
        for row in catalog.models()
        if builds(row.shape)
    ]
    if print_data(rows, as_json=json, as_csv=csv):
        return
    from energy.reports.terminal import console, table

    lines = table("name", "total", "active", "layers", "width", "experts", "family")
    for row in rows:
        shape = row["shape"]
        experts = str(shape["n_experts"]) if shape["n_moe_layers"] else "dense"
        counts = (count(row[name]) for name in ("params_total", "params_active"))
        size = (str(shape["n_layers"]), str(shape["d_model"]), experts)
        lines.add_row(row["name"], *counts, *size, row["family"])
    console().print(lines)
    for family, fields in {row["family"]: row["architecture"] for row in rows}.items():
        print(f"\n{family}: " + ", ".join(f"{name} {value}" for name, value in fields.items()))


@examples(
    "glam train --model glam-mini-16e --out runs/first",
    "glam train --model recipe.toml --data books/ --out runs/books --resume",
)
def train(
    model: Annotated[str, typer.Option(help="A model (glam sizes), or the TOML file of one.")],
    out: Annotated[Path, typer.Option(help="Folder of the run.")],
    data: Data = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimizer steps.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Sequences per batch.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of weights and data order.")] = None,
    optimizer: Annotated[str | None, typer.Option(help="adafactor or adamw.")] = None,
    family: Annotated[str | None, typer.Option(help="glam, or plain: from its paper.")] = None,
    router: Router = None,
    router_of: RouterOf = None,
    device: Device = None,
    precision: Precision = None,
    machine: Machine = None,
    resume: Resume = False,
    group: Group = False,
    zone: Zone = None,
    pue: Pue = None,
    meter: Meter = None,
    expert_parallel: ExpertParallel = 1,
    data_parallel: DataParallel = 0,
    shard: Shard = False,
    balance: Balance = "global",
    timeout: Timeout = 600,
) -> None:
    """Train a model under the meters.

    Writes record, metrics, ledger and checkpoints.
    """
    from energy import Tracker
    from energy.facts.site import site_from_options
    from energy.meters import sources
    from energy.reports import summary
    from glam.config import GlamConfig
    from glam.device import machine_peak
    from glam.distributed.connect import said_once
    from glam.distributed.degrees import Parallelism, is_first
    from glam.training.run import train as train_model

    with said_once(timeout):
        sources.require(meter or "auto")
        if group:
            os.umask(os.umask(0) & ~0o050)  # files that a run has besides ledger and record
        changes = {"steps": steps, "batch_sequences": batch, "seed": seed, "optimizer": optimizer}
        config = GlamConfig.of(model).with_training(device=device, precision=precision, **changes)
        config = config.with_family(family).with_router(router).with_router_of(router_of)
        config = config.with_corpus_paths(data) if data else config
        run = partial(
            train_model,
            resume=resume,
            group=group,
            site=site_from_options(zone, pue),
            peak_flop_per_s=machine_peak(machine) if machine else None,
            tracker=partial(Tracker, meters=meter or "auto"),
            parallelism=Parallelism(expert_parallel, data_parallel, shard, balance, timeout),
        )
    record = run(config, out)
    if is_first():
        print(*summary.lines(record), f"record: {out / 'record.json'}", sep="\n", file=sys.stderr)
