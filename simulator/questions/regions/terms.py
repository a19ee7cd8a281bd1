"""How the answer of `simulator regions` came about."""

from __future__ import annotations

from collections.abc import Sequence

from energy.quantity import Boundary
from simulator.questions.regions.answer import Moved, Place
from simulator.runs import terms as derivation
from simulator.terms import Term


def of_moved(own: Sequence[Term], moved: Moved) -> Term:
    """Gross CO2e of a run at a place.

    Args:
        own: how the run's own came about, its CO2e last; none of a record that was read.
        moved: the run there.
    """
    record = moved.record
    if not own:
        at = min(record.totals, key=list(Boundary).index)
        return derivation.carbon(Term(f"{at} energy", record.totals[at]), at, record, "location")
    energy, at = own[-1].children[0], Boundary.FACILITY
    order = list(Boundary)
    while energy.name == f"{at} energy" and at in derivation.STEPS and energy.children:
        energy, at = energy.children[0], order[order.index(at) - 1]
    return derivation.carbon(energy, at, record, "location")


def of_place(place: Place) -> list[Term]:
    """The known factors of a place with their sources."""
    return [
        Term(name, quantity)
        for name, quantity in (
            ("gross", place.location),
            ("net", place.market),
            ("PUE", place.pue),
            ("water of the site", place.wue),
            ("water of the grid", place.ewif),
        )
        if quantity.value is not None
    ]
