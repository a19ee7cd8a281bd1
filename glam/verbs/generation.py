"""The verb that continues a text with a trained model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from energy.app import examples, output_folder
from glam.verbs.options import ChosenDevice, Meter

if TYPE_CHECKING:
    from energy import Tracker


@examples(
    'glam generate runs/first --prompt "The function returns"',
    "glam generate runs/first --tokens 200 --out runs/answer",
)
def generate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    prompt: Annotated[str, typer.Option(help="Text to continue.")] = "",
    tokens: Annotated[int, typer.Option(min=1, help="Tokens to add.")] = 100,
    temperature: Annotated[float, typer.Option(min=0, help="0 takes the likeliest token.")] = 0.8,
    top_p: Annotated[float, typer.Option(min=0, max=1, help="Probability of the nucleus.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Seed of the sampling.")] = 0,
    best: Annotated[
        bool, typer.Option("--best", help="The checkpoint with the lowest validation loss.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Meter it: new folder for record and ledger.", callback=output_folder),
    ] = None,
    meter: Meter = None,
    device: ChosenDevice = "auto",
) -> None:
    """Continue a prompt with a checkpoint of a run.

    By default with its newest. With --out, under the meters: prefill and decode apart.
    """
    from glam.generation import generate as generate_text

    tracker = _tracker_of(out, meter)
    pieces = generate_text(
        run,
        prompt,
        tokens=tokens,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
        device=device,
        best=best,
        meter=tracker,
    )
    first = next(pieces, "")  # errors come before the prompt is printed
    print(prompt + first, end="", flush=True)
    for piece in pieces:
        print(piece, end="", flush=True)
    print()
    if out is not None:
        from energy import RunRecord
        from energy.reports import summary

        record = RunRecord.load(out)
        print(*summary.lines(record), f"record: {out / 'record.json'}", sep="\n", file=sys.stderr)


def _tracker_of(out: Path | None, meter: list[str] | None) -> Tracker | None:
    """The meters of an answer, where it has a folder; an unknown one is refused either way."""
    from energy.errors import InputError
    from energy.ledger.lines import FILE
    from energy.meters import sources

    sources.require(meter or "auto")
    if out is None:
        return None
    if (out / FILE).exists():
        raise InputError("expected a folder without a ledger", str(out), "name another with --out")
    from energy import Tracker

    return Tracker(out, name="generate", meters=meter or "auto")
