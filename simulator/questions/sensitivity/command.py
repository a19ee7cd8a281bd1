"""The verb `sensitivity`: which assumption moves the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from simulator.kit.options import Explain, Json, Plot, Set, draw, examples, overridden, tell

if TYPE_CHECKING:
    from simulator.kit.style import Panel


@examples(
    "simulator sensitivity gpt3-175b --basis published",
    "simulator sensitivity glam-mini-16e --of energy --plot tornado.png",
)
def sensitivity(
    name: Annotated[str, typer.Argument(metavar="SCENARIO", help="A preset or a scenario file.")],
    of: Annotated[str, typer.Option(help="The answer: time, energy or co2.")] = "co2",
    basis: Annotated[str, typer.Option(help="auto, published or predicted.")] = "predicted",
    accounting: Annotated[
        str, typer.Option(help="CO2 by location (gross), market (net) or as-published.")
    ] = "as-published",
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Say which assumption moves the answer: a tornado, then all of them together."""
    from simulator.questions.sensitivity import answer as moved
    from simulator.questions.sensitivity import page as show_sensitivity
    from simulator.runs.sides import choose_basis, read, sides

    found = read([name], overridden(overrides))
    (side,) = sides(found, choose_basis(found, basis), accounting)
    answer = moved.answer(side.trees, of)
    told = (side.name, answer, moved.tornado(answer), moved.together(answer))

    def panels() -> list[Panel]:
        from simulator.questions.sensitivity.picture import tornado

        return [lambda axes: tornado(*told, axes)]

    draw(plot, panels, lambda: show_sensitivity.page(*told))
    tell(
        lambda: show_sensitivity.page(*told),
        lambda: show_sensitivity.as_json(*told),
        answer if explain else None,
        as_json,
    )
