"""The verbs that list the catalog: `models`, `chips` and `prices`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from energy.app import Csv, Json, examples
from simulator.kit.answer import present
from simulator.kit.options import Explain, Plot

if TYPE_CHECKING:
    from simulator.kit.answer import Answer


@examples(
    "simulator models",
    "simulator models glam-64b-64e --json",
    "simulator models downloads/my-model/config.json",
)
def models(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Models, or one config.json; all models by default."),
    ] = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """List models: counted and published parameters, shape, source."""
    from energy.configurations.read import is_configuration
    from simulator.questions.catalog.answer import configured
    from simulator.questions.catalog.answer import models as answer

    if names and len(names) == 1 and is_configuration(names[0]):
        counted = configured(names[0])
        if counted.error is None or as_json:
            present(counted, as_json=as_json, as_csv=as_csv, explain=explain, plot=plot)
        if counted.error is not None:
            raise counted.error
        return
    _list(answer(*(names or [])), as_json, as_csv, explain, plot)


@examples(
    "simulator chips",
    "simulator chips h100 tpu-v4 --json",
    "simulator chips init my-chip.toml",
)
def chips(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Chips; all by default. Or: init FILE.toml."),
    ] = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """List chips: dense peaks, memory, watts; or write your own."""
    from simulator.questions.catalog.answer import chips as answer

    if names and names[0] == "init":
        from energy.facts.own_chip import TEMPLATE

        _write(names[1:] or ["my-chip.toml"], TEMPLATE, "simulator predict ... --chip")
        return
    _list(answer(*(names or [])), as_json, as_csv, explain, plot)


@examples(
    "simulator prices",
    "simulator prices h100 --json",
    "simulator predict glam-mini-16e --set site.chip_price=h100-on-demand-2026",
    "simulator prices init my-prices.toml",
)
def prices(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORD", help="Parts of a row's name, or a price book. Or: init FILE.toml."
        ),
    ] = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """List prices of chip-hours and electricity, or write yours.

    A scenario uses one by naming it, and so does --price: "h100-on-demand-2026", "my-prices.toml"
    for each chip its own, "my-prices.toml:h100" for one of them.
    """
    from energy.facts.price_book import TEMPLATE
    from simulator.questions.catalog.answer import prices as answer

    if words and words[0] == "init":
        _write(words[1:] or ["my-prices.toml"], TEMPLATE, "simulator plan ... --price")
        return
    _list(answer(*(words or [])), as_json, as_csv, explain, plot)


def _list(answer: Answer, as_json: bool, as_csv: bool, explain: bool, plot: Path | None) -> None:
    """End a verb that lists facts: they have sources and no derivation."""
    present(answer, as_json=as_json, as_csv=as_csv, explain=explain, plot=plot)
    if explain and not as_json:
        typer.echo("no derivation: rows of the catalog, each with its source")


def _write(names: list[str], template: str, use: str) -> None:
    """Write a commented file of facts of one's own, valid as it stands."""
    from energy.errors import InputError
    from energy.files import write_text_atomic

    path = Path(names[0])
    if len(names) > 1 or path.suffix != ".toml":
        raise InputError("expected one file ending in .toml", " ".join(names))
    if path.exists():
        raise InputError(f"expected no file at {path}", "one that is there", "name another")
    write_text_atomic(path, template)
    typer.echo(f"wrote {path}; next: {use} {shlex.quote(str(path))}")
