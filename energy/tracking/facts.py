"""What a run states in Python of its work and its place, checked before work begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from energy.errors import InputError
from energy.ledger.stated import is_number, require_count

if TYPE_CHECKING:
    from energy.facts.site import Site
    from energy.record import RunRecord


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The facts of a run.

    Attributes:
        zone: grid zone.
        pue: facility over IT energy.
        site: place, building and contracts, in place of `zone` and `pue`.
        chips: devices that the run occupies.
        counts: fields of the record by name, as `energy.ledger.stated.COUNTS` lists them.

    Raises:
        InputError: a number is impossible, or both a site and a zone are stated.
        MissingDataError: there is no such zone.
    """

    zone: str | None
    pue: float | None
    site: Site | None
    chips: int
    counts: dict[str, Any]

    def __post_init__(self) -> None:
        for name, value in self.counts.items():
            require_count(name, value)
        if not (is_number(self.chips) and self.chips > 0):
            raise InputError("expected chips above 0", str(self.chips), "count the devices")
        if self.site is not None and (self.zone, self.pue) != (None, None):
            raise InputError(
                "expected a site, or zone and pue", "both", "energy.site(zone, pue=...) takes both"
            )
        if (self.zone, self.pue) != (None, None):
            self._own_site()  # raises before work begins

    def located(self, record: RunRecord) -> RunRecord:
        """The record with its footprint at the place of the run."""
        from energy.footprint.apply import at_site

        return at_site(record, self.site or self._own_site())

    def _own_site(self) -> Site:
        from energy.facts.site import site

        return site(self.zone, pue=self.pue)
