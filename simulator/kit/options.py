"""What the verbs of the command `simulator` share: options, examples, overrides."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from energy.app import one_form, output_file

Explain = Annotated[
    bool,
    typer.Option("--explain", help="Print how each number came about.", callback=one_form),
]


Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set a value of the scenario, as TOML."),
]


TARGET = "A preset, a model, its config.json or a scenario file."

Target = Annotated[str, typer.Argument(metavar="SCENARIO", help=TARGET)]

Basis = Annotated[str, typer.Option(help="auto, published or predicted.")]


def tokens_of(text: str) -> float:
    """Tokens as the field writes them: 15T, 300B, 1e12."""
    from energy.units import parsed_count

    try:
        return parsed_count(str(text))
    except ValueError:
        raise typer.BadParameter(f"expected tokens such as 15T, 300B or 1e12; got {text}") from None


def whole_of(text: str) -> int:
    """A whole number as people write it: 512, 4,096 or 2K."""
    from energy.units import parsed_whole

    try:
        return parsed_whole(str(text))
    except ValueError:
        wanted = "expected a whole number such as 512, 4,096 or 2K"
        raise typer.BadParameter(f"{wanted}; got {text}") from None


Tokens = Annotated[
    float | None,
    typer.Option(parser=tokens_of, metavar="TOKENS", help="Tokens of the run: 15T, 300B, 1e12."),
]


Steps = Annotated[
    int | None,
    typer.Option(parser=whole_of, metavar="STEPS", help="Instead of tokens: optimizer steps."),
]


Sequences = Annotated[
    int | None,
    typer.Option("--batch", parser=whole_of, metavar="N", help="Sequences of one optimizer step."),
]


Chips = Annotated[
    int | None, typer.Option("--chips", parser=whole_of, metavar="N", help="How many of them.")
]


ChipPrice = Annotated[
    float | None,
    typer.Option(
        metavar="USD", min=0, help="Dollars an hour of one chip, where no row of prices is named."
    ),
]


ServedOn = Annotated[str, typer.Option("--chip", help="A chip of the catalog.")]
ServedBy = Annotated[
    int, typer.Option("--chips", parser=whole_of, metavar="N", help="How many chips.")
]
Batch = Annotated[float, typer.Option("--batch", help="Sequences in flight.")]
Prompt = Annotated[float, typer.Option("--isl", help="Tokens of a prompt.")]
Osl = Annotated[float, typer.Option("--osl", help="Tokens of an answer.")]
Weights = Annotated[
    str, typer.Option("--precision", help="Weights: bf16, fp16, fp8, int8, fp4, int4.")
]


Reserve = Annotated[
    float | None, typer.Option(help="All machines' energy over that of the busy ones.")
]


BeyondRange = Annotated[
    bool,
    typer.Option(
        "--beyond-range",
        help="Apply a law of loss to runs that are outside the range that it was fitted to.",
    ),
]


Plot = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        metavar="FILE.png|svg|html",
        help="Draw the answer; a page of html has its text, too.",
        callback=output_file(".png", ".svg", ".html", needs="matplotlib"),
    ),
]


def overridden(assignments: list[str] | None, chip_price: float | None = None) -> dict[str, Any]:
    """KEY=VALUE pairs as values by dotted key; the value is TOML, or a word.

    Args:
        assignments: of --set.
        chip_price: of --chip-price, which a pair may replace.
    """
    import tomllib

    from energy.errors import InputError
    from energy.inputs import UNPARSED

    overrides: dict[str, Any] = {} if chip_price is None else {"site.chip_price": chip_price}
    for text in assignments or []:
        key, sign, value = text.partition("=")
        if not sign or not key.strip():
            raise InputError("expected --set KEY=VALUE", text, "for example --set run.tokens=280e9")
        try:
            overrides[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except UNPARSED:
            overrides[key.strip()] = value.strip()
    return overrides


def listed(text: str | None) -> list[str]:
    """The words of an option that takes several, separated by commas."""
    return [word for part in (text or "").split(",") if (word := part.strip())]


def counts(text: str | None, option: str = "--chips") -> list[int]:
    """The whole numbers of an option, separated by commas.

    Raises:
        InputError: a word is no whole number.
    """
    from energy.errors import InputError
    from energy.units import parsed_whole

    try:
        return [parsed_whole(word) for word in listed(text)]
    except ValueError as error:
        wanted = f"expected {option} with whole numbers such as 512 or 2K"
        raise InputError(wanted, text or "") from error
