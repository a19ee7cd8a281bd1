"""The answer of `simulator regions`: places with their factors, or a run moved to each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from energy.errors import InputError
from simulator.kit.answer import Answer
from simulator.questions.regions.places import SORT_KEYS, Place, choose, ordered, size_for_rows

if TYPE_CHECKING:  # what moves a run, which a list of places does without
    from simulator.questions.regions.moved import MovedRuns
    from simulator.runs.sides import RunTarget


@dataclass(frozen=True, repr=False)
class Places(Answer):
    """Grid zones and data centers with their factors.

    Attributes:
        rows: the places, sorted.
    """

    view: ClassVar[str] = "places"

    rows: list[Place]

    @property
    def headline(self) -> str:
        """How many there are."""
        return f"{len(self.rows)} places"

    @property
    def title(self) -> str:
        """The place of the least CO2e a kWh, by the grid."""
        known = [place for place in self.rows if place.location.value is not None]
        if not known:
            return self.headline
        least = min(known, key=lambda place: place.location.value or 0.0)
        return f"{least.id} has the least CO2e of {self.headline}: {least.location.human()}"

    @property
    def panel_size(self) -> tuple[float, float]:
        """Inches of one panel."""
        return size_for_rows(len(self.rows))


def regions(
    *words: str,
    of: RunTarget | None = None,
    kind: str | None = None,
    below: float | None = None,
    sort: str = "co2",
    top: int | None = None,
    basis: str = "auto",
    overrides: Mapping[str, Any] | None = None,
) -> Places | MovedRuns:
    """Grid zones and data centers with their factors, or a run moved to each of them.

        regions("FRA", "SWE")
        regions(of="gpt3-175b", kind="site", top=5)

    Args:
        words: ids, or parts of an id or a name; all places without a word.
        of: the run to move: a scenario, a preset, a model of the catalog, a record, or the path of
            a scenario file or a record; without it the places alone are listed.
        kind: zone, or site for a data center.
        below: highest grams of CO2e per kWh, gross.
        sort: co2, market, pue, water, name or year; with a run, energy too. Least first.
        top: only the first so many.
        basis: auto, published or predicted: where time and watts of a scenario come from.
        overrides: values of the scenario by dotted key.

    Raises:
        InputError: a value is not valid, or the run is unknown.
        MissingDataError: no place matches.
    """
    if top is not None and top < 1:
        raise InputError("expected --top of 1 or more", f"{top}")
    chosen = choose(words, kind=kind, below=below)
    if of is None:
        return Places(ordered(chosen, SORT_KEYS, sort)[:top])
    from simulator.questions.regions.moved import moved_runs

    return moved_runs(of, chosen, basis=basis, sort=sort, top=top, overrides=overrides)
