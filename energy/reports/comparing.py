"""Runs side by side: what each spent, its ratio to the first, and in what they are not alike.

Joules are compared at the innermost boundary that all runs have. The bands of a ratio treat the
errors of both runs as independent; those of one meter go together in part, so the true band is
rather narrower.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from energy.arithmetic import multiply
from energy.errors import InputError
from energy.facts.embodied import METHODS, factor_of
from energy.quantity import Boundary, Origin, Quantity
from energy.record import RunRecord

COMPARED = ("elapsed_s", "energy_j", "energy_j_per_token", "co2_g", "cost_usd", "tokens")
"""Quantities of which there are ratios."""


@dataclass(frozen=True)
class Side:
    """A run in a comparison.

    Attributes:
        name: of the run; its folder where two have one name.
        record: its record.
        boundary: of its joules here.
    """

    name: str
    record: RunRecord
    boundary: Boundary

    def quantities(self) -> dict[str, Quantity]:
        """What it spent, by name; J/token has the unit J."""
        joules, tokens = self.record.joules_at(self.boundary), self.record.tokens
        per_token = Quantity.absent("J", tokens.source or "no tokens")
        if tokens.value != 0:
            per_token = multiply(joules, tokens, "J", divide=True)
        return {
            "elapsed_s": self.record.elapsed_s,
            "energy_j": joules,
            "co2_g": self.record.co2_location_g,
            "cost_usd": self.record.cost_usd,
            "tokens": tokens,
            "energy_j_per_token": per_token,
        }

    def over(self, first: Side) -> dict[str, Quantity]:
        """The ratio of each quantity to that of another run."""
        theirs = first.quantities()
        return {
            name: multiply(own, theirs[name], "1", divide=True)
            if theirs[name].value != 0
            else Quantity.absent("1", f"{name} of {first.name} is 0")
            for name, own in self.quantities().items()
        }

    def meters(self) -> set[str]:
        """What was read for the joules that are compared."""
        entries = [e for e in self.record.energy if e.boundary is self.boundary]
        return {entry.api for entry in entries if entry.value is not None and entry.api}


@dataclass(frozen=True)
class Compared:
    """Two or more runs, the first of which the others are divided by."""

    sides: Sequence[Side]

    @property
    def boundary(self) -> Boundary:
        """Of all joules here."""
        return self.sides[0].boundary

    def rows(self) -> list[dict[str, Any]]:
        """A row for each run, with its ratios to the first."""
        first = self.sides[0]
        return [
            {
                "name": side.name,
                "kind": str(side.record.kind),
                "boundary": str(side.boundary),
                **side.quantities(),
                **{f"{name}_ratio": ratio for name, ratio in side.over(first).items()},
            }
            for side in self.sides
        ]

    def differences(self) -> Iterator[str]:
        """In what the runs are not alike, in a line for each other run."""
        first = self.sides[0]
        for side in self.sides[1:]:
            yield from (f"{side.name} against {first.name}: {w}" for w in _unlike(side, first))


def compared(paths: Sequence[Path]) -> Compared:
    """Compare the runs in some folders, or of some record files.

    Raises:
        InputError: there are fewer than two, one cannot be read, or they have no boundary in
            common.
    """
    if len(paths) < 2:
        raise InputError("expected two runs or more to compare", f"{len(paths)}")
    records = [RunRecord.load(path) for path in paths]
    shared = [at for at in Boundary if all(_has(record, at) for record in records)]
    if not shared:
        ends = ", ".join(f"{r.name}: {' '.join(map(str, r.totals)) or 'none'}" for r in records)
        raise InputError(
            "expected runs with joules at one boundary",
            ends,
            "raise each to the facility: energy record FOLDER --pue PUE",
        )
    names = [record.name for record in records]
    return Compared(
        [
            Side(record.name if names.count(record.name) == 1 else str(path), record, shared[0])
            for path, record in zip(paths, records, strict=True)
        ]
    )


def _has(record: RunRecord, boundary: Boundary) -> bool:
    return record.joules_at(boundary).value is not None


def _unlike(side: Side, first: Side) -> Iterator[str]:
    """What makes the joules of two runs unlike."""
    own, theirs = side.record, first.record
    if own.kind is not theirs.kind:
        yield f"{own.kind} against {theirs.kind}"
    for record, name in ((own, side.name), (theirs, first.name)):
        inner = next(at for at in Boundary if _has(record, at))
        if inner is not side.boundary:
            yield f"{name} was metered at the {inner} boundary, compared at {side.boundary}"
    if only := side.meters() ^ first.meters():
        mine = "; ".join(sorted(only & side.meters())) or "nothing else"
        others = "; ".join(sorted(only & first.meters())) or "nothing else"
        yield f"meters: {mine} against {others}"
    yield from _unlike_making(own, theirs)
    yield from _unlike_sums(own.joules_at(side.boundary), theirs.joules_at(side.boundary))
    for name in sorted(own.factors.keys() & theirs.factors.keys()):
        a, b = own.factors[name], theirs.factors[name]
        if a.value != b.value:
            yield f"{name}: {a.human()} against {b.human()}"


def _unlike_making(own: RunRecord, theirs: RunRecord) -> Iterator[str]:
    """Embodied carbon that comes by two methods, which differ three- to fivefold for one board."""
    if own.co2_embodied_g.value is None or theirs.co2_embodied_g.value is None:
        return
    by = [
        next((method for method in METHODS if factor_of(method) in record.factors), "")
        for record in (own, theirs)
    ]
    if by[0] != by[1]:
        yield (
            f"embodied carbon by two methods: {by[0] or 'stated'} against {by[1] or 'stated'}; "
            "these differ three- to fivefold for the same board, so that no ratio holds"
        )


def _unlike_sums(own: Quantity, theirs: Quantity) -> Iterator[str]:
    """Differences in origin and in what was not read."""
    shares = [quantity.shares.get(Origin.MEASURED, 0.0) for quantity in (own, theirs)]
    if abs(shares[0] - shares[1]) > 0.05:
        yield f"{100 * shares[0]:.0f} % measured against {100 * shares[1]:.0f} %"
    gone = [{part.device or part.reason for part in q.missing} for q in (own, theirs)]
    if gone[0] != gone[1]:
        words = [", ".join(sorted(names)) or "nothing" for names in gone]
        yield f"without {words[0]} against without {words[1]}"
