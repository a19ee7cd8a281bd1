"""The verbs that list the catalog: `models`, `chips` and `prices`."""

from __future__ import annotations

from typing import Annotated

import typer

from energy.console import print_json
from simulator.kit.options import Json, examples


@examples("simulator models", "simulator models glam-64b-64e --json")
def models(
    names: Annotated[list[str] | None, typer.Argument(help="Models; all without one.")] = None,
    as_json: Json = False,
) -> None:
    """List models: counted and published parameters, shape, source."""
    from energy.facts import catalog
    from simulator.questions.catalog import page as show_catalog

    rows = [catalog.model(name) for name in names] if names else list(catalog.models())
    print_json(show_catalog.models_json(rows)) if as_json else show_catalog.models(rows)


@examples("simulator chips", "simulator chips h100 tpu-v4 --json")
def chips(
    names: Annotated[list[str] | None, typer.Argument(help="Chips; all without one.")] = None,
    as_json: Json = False,
) -> None:
    """List chips: dense peaks, memory, watts, source."""
    from energy.facts import catalog
    from simulator.questions.catalog import page as show_catalog

    rows = [catalog.chip(name) for name in names] if names else list(catalog.chips())
    print_json(show_catalog.chips_json(rows)) if as_json else show_catalog.chips(rows)


@examples(
    "simulator prices",
    "simulator prices h100 --json",
    "simulator predict glam-mini-16e --set site.chip_price=h100-on-demand-2026",
)
def prices(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[WORD ...]", help="Parts of a row's name.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List dated prices of chip-hours and electricity; a scenario uses one by naming it."""
    from energy.errors import MissingDataError
    from energy.facts import prices as table
    from simulator.questions.catalog import page as show_catalog

    rows = [
        row for row in table.prices() if not words or any(word.lower() in row.id for word in words)
    ]
    if not rows:
        raise MissingDataError("expected a price", ", ".join(words or []), "simulator prices")
    print_json(show_catalog.prices_json(rows)) if as_json else show_catalog.prices(rows)
