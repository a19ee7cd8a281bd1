"""The verb `power`: the load that a site sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from simulator.kit.options import Explain, Json, Plot, Set, draw, examples, overridden, tell

if TYPE_CHECKING:
    from simulator.kit.style import Panel


@examples(
    "simulator power glam-64b-64e",
    "simulator power gpt3-175b --plot power.html",
    "simulator power glam-8b-64e --set hardware.count=512 --explain --json",
)
def power(
    name: Annotated[str, typer.Argument(metavar="SCENARIO", help="A preset or a scenario file.")],
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Say what the site sees: megawatts over a step and the run, peak, least, ramp."""
    from simulator.questions.power import page as show_power
    from simulator.questions.power.answer import load_profile
    from simulator.scenarios.scenario import load

    found = load_profile(load(name, overridden(overrides)))

    def panels() -> list[Panel]:
        from simulator.questions.power.picture import load_panels as drawn

        return drawn(found)

    draw(plot, panels, lambda: show_power.page(found), size=(8, 3.2))
    tree = found.tree() if explain else None
    tell(lambda: show_power.page(found), lambda: show_power.as_json(found), tree, as_json)
