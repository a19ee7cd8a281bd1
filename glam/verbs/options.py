"""Options that several verbs take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RunOrCheckpoint = Annotated[
    Path, typer.Argument(metavar="CHECKPOINT", help="Folder of a run, or a checkpoint in it.")
]


Device = Annotated[str | None, typer.Option(help="auto, cpu or cuda.")]


Precision = Annotated[
    str | None,
    typer.Option(help="float32, bfloat16, or auto: bfloat16 where products in it are faster."),
]


ChosenDevice = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


Meter = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Meter to read; default all. cpu_tree: only this run."),
]
