"""The verb `compare`: runs side by side, and their ratio taken apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from energy.console import print_json
from simulator.kit.options import Explain, Json, Plot, Set, draw, examples, overridden

if TYPE_CHECKING:
    from simulator.kit.style import Panel


@examples(
    "simulator compare glam-64b-64e gpt3-175b --accounting as-published --plot compare.png",
    "simulator compare glam-64b-64e gpt3-175b --equal flop",
    "simulator compare gpt3-175b glam-64b-64e --equal quality --law krajewski-2024",
    "simulator compare glam-64b-64e glam-137b --basis predicted --json",
)
def compare(
    names: Annotated[
        list[str], typer.Argument(metavar="A B [...]", help="Presets, scenario files or records.")
    ],
    basis: Annotated[str, typer.Option(help="auto, published or predicted.")] = "auto",
    accounting: Annotated[
        str | None,
        typer.Option(help="CO2 by location (gross), market (net) or as-published: gross with net."),
    ] = None,
    equal: Annotated[
        str | None,
        typer.Option(
            help="Hold tokens, flop, energy, time or quality equal: later runs are rescaled."
        ),
    ] = None,
    law: Annotated[
        str | None, typer.Option(help="With --equal quality: the law of loss that is used.")
    ] = None,
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Set runs side by side, and take their ratio apart.

    model x machine x mechanisation (PUE) = energy; x map (grid) = CO2.
    """
    from energy.errors import InputError
    from simulator.questions.compare import page as show_compare
    from simulator.questions.compare.equal import held_equal
    from simulator.questions.compare.quality import held_equal as equal_quality
    from simulator.questions.compare.ratio import decompose
    from simulator.runs.sides import choose_basis, read, sides

    if len(names) < 2:
        raise InputError("expected two runs or more to compare", ", ".join(names))
    if law is not None and equal != "quality":
        raise InputError("expected --law with --equal quality", law)
    found = read(names, overridden(overrides))
    chosen = choose_basis(found, basis)
    quality = equal_quality(found, chosen, accounting, law) if equal == "quality" else None
    if quality is not None:
        both, ratios = quality.sides, quality.ratios
    else:
        both = (
            sides(found, chosen, accounting)
            if equal is None
            else held_equal(found, chosen, accounting, equal)
        )
        ratios = [decompose(both[0], side, mixed=accounting is not None) for side in both[1:]]
    told = (both, ratios, chosen, explain, quality)

    def panels() -> list[Panel]:
        from simulator.questions.compare.picture import comparison

        return comparison(both, ratios)

    draw(plot, panels, lambda: show_compare.page(*told), size=(6.5, 2.6))
    print_json(show_compare.as_json(*told)) if as_json else show_compare.page(*told)
