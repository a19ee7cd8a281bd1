"""The verb that continues a text with a trained model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from energy.app import Csv, Json, examples, output_folder
from energy.console import print_data
from glam.verbs.options import ChosenDevice, Meter

if TYPE_CHECKING:
    from energy import Tracker


@examples(
    'glam generate runs/first --prompt "The function returns"',
    "glam generate runs/first --tokens 200 --out runs/answer",
    "glam generate runs/first --prompts prompts.txt --batch 16 --json",
)
def generate(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder of a run, or a checkpoint in it.")
    ],
    prompt: Annotated[str, typer.Option(help="Text to continue.")] = "",
    prompts: Annotated[
        Path | None,
        typer.Option(help='File of many: a text a line, or lines of {"prompt": ...} (.jsonl).'),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Of --prompts: most at a time.")] = 8,
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
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Continue one prompt, or many in batches, with a trained model.

    By default with its newest checkpoint. With --out, under the meters: prefill and decode apart.
    """
    from glam.generation.text import generate as generate_text

    many = _prompts(prompts, prompt)
    settings: dict[str, Any] = {
        "tokens": tokens,
        "temperature": temperature,
        "top_p": top_p,
        "seed": seed,
        "device": device,
        "best": best,
        "meter": _tracker_of(out, meter),
    }
    if prompts is None and not (json or csv):
        pieces = generate_text(run, prompt, **settings)
        first = next(pieces, "")  # errors come before the prompt is printed
        print(prompt + first, end="", flush=True)
        for piece in pieces:
            print(piece, end="", flush=True)
        print()
    else:
        _answer_all(run, many, batch, settings, as_json=json, as_csv=csv)
    if out is not None:
        _summarize(out)


def _summarize(out: Path) -> None:
    """Print on stderr what the answers took."""
    from energy import RunRecord
    from energy.reports import summary
    from energy.units import significant

    record = RunRecord.load(out)
    lines = list(summary.lines(record))
    figures = record.metrics
    if joules := figures.get("decode_j_per_token"):
        rate, batch = (figures[name].numbers()[0] for name in ("decode_tokens_per_s", "mean_batch"))
        lines.append(
            f"decode: {significant(rate)} tokens/s, {joules.human()} a token ({joules.origins}), "
            f"{figures['itl_s'].human()} between tokens, {significant(batch)} texts at a time"
        )
    print(*lines, f"record: {out / 'record.json'}", sep="\n", file=sys.stderr)


def _prompts(file: Path | None, prompt: str) -> list[str]:
    """The prompts of a file, or the one prompt."""
    from energy.errors import InputError
    from glam.generation.prompts import read_prompts

    if file is None:
        return [prompt]
    if prompt:
        raise InputError("expected --prompt or --prompts", "both", "leave one of them away")
    return read_prompts(file)


def _answer_all(
    run: Path,
    prompts: list[str],
    batch: int,
    settings: dict[str, Any],
    *,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Print the answers in the order of the prompts, each as soon as those before it are there."""
    from dataclasses import asdict

    from glam.generation.text import Answer, generate_all

    answers: dict[int, Answer] = {}
    printed = 0
    for answer in generate_all(run, prompts, batch=batch, **settings):
        answers[answer.number] = answer
        while not (as_json or as_csv) and printed in answers:
            ready = answers[printed]
            print(f"[{printed + 1} of {len(prompts)}] {ready.prompt}{ready.text}", flush=True)
            printed += 1
    rows = [asdict(answers[number]) for number in sorted(answers)]
    print_data({"answers": rows}, as_json=as_json, as_csv=as_csv, rows=rows)


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
