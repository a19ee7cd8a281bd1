"""The verb that times operations on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from energy.app import examples
from glam.verbs.options import ChosenDevice, Meter, Precision


@examples(
    "glam probe --out probe.json",
    "glam probe --out probe.json --processes 4",
    "simulator calibrate probe.json",
)
def probe(
    out: Annotated[Path, typer.Option(help="File to write.")],
    device: ChosenDevice = "auto",
    precision: Precision = None,
    meter: Meter = None,
    processes: Annotated[
        int,
        typer.Option(
            min=1, max=64, help="Also measure up to so many processes at once, and their messages."
        ),
    ] = 1,
) -> None:
    """Time operations on this machine, for simulator calibrate.

    Takes about 25 s on two cores, and with --processes 4 a minute.
    """
    import json

    from energy.files import require_writable, write_text_atomic
    from energy.meters import sources
    from glam.probing.probe import probe as probe_machine
    from glam.progress import Stages

    sources.require(meter or "auto")
    require_writable(out)
    with Stages("measuring this machine") as stages:
        table = probe_machine(
            device,
            precision="auto" if precision is None else precision,
            meters=meter or "auto",
            processes=processes,
            on_progress=stages.show,
        )
    write_text_atomic(out, json.dumps(table, indent=1) + "\n")
    print(f"{len(table['rows'])} rows: {out}", file=sys.stderr)
