"""The known factors of places with their sources: what `simulator regions --explain` prints."""

from __future__ import annotations

from simulator.questions.regions.answer import Places
from simulator.terms import Term


def terms(places: Places) -> dict[str, Term]:
    """The known factors of each place, by its id and the factor."""
    return {
        f"{place.id}, {name}": Term(name, figure)
        for place in places.rows
        for name, figure in (
            ("gross", place.location),
            ("net", place.market),
            ("PUE", place.pue),
            ("water of the site", place.wue),
            ("water of the grid", place.ewif),
        )
        if figure.value is not None
    }
