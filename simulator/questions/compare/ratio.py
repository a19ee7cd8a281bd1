"""Runs side by side, and their ratio taken apart: model x machine x mechanisation x map.

The four factors are those of Patterson et al. (arXiv:2104.10350, arXiv:2204.05149): what is
computed, by which chips, in which building, on which grid. Both sides are RunRecords, so a
published run, a prediction and a measurement are compared by the same code.

What this file refuses: to divide a gross CO2 by a net one unless it is told to, and to call a
comparison fair. It names what is equal on both sides and what is not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from energy.arithmetic import multiply
from energy.errors import MissingDataError
from energy.quantity import Boundary, Quantity
from energy.record import RunRecord
from simulator.runs.sides import METHOD, Side

REFUSED = "gross and net are not compared unless --accounting as-published asks for it"


@dataclass(frozen=True)
class Ratio:
    """What the second run takes over what the first one takes, and what that is made of.

    energy = model x machine x mechanisation, co2 = energy x map, exact to rounding.

    Attributes:
        model: model FLOP.
        machine: joules per model FLOP inside the facility, at `boundary`.
        mechanisation: facility joules over those joules (PUE where the boundary is IT).
        map: grams of CO2e per facility joule.
        energy: facility joules.
        co2: grams of CO2e; missing where a side does not give its own.
        boundary: where the machine's joules stand.
    """

    model: Quantity
    machine: Quantity
    mechanisation: Quantity
    map: Quantity
    energy: Quantity
    co2: Quantity
    boundary: Boundary

    def share(self, factor: str) -> float:
        """Part of the energy ratio that one factor explains, in logarithms; the three sum to 1.

        0 for each where the energies are equal and there is nothing to explain.
        GPT-3 over GLaM: ln 3.15 / ln 2.83 = 1.10: the machine explains more than all of it.
        """
        whole, part = self.energy.value, getattr(self, factor).value
        if not whole or math.isclose(whole, 1, rel_tol=1e-6):
            return 0.0
        return float(math.log(part) / math.log(whole))


def decompose(first: Side, second: Side, *, mixed: bool = False) -> Ratio:
    """Take the ratio of second to first apart.

    GLaM 64B/64E (600B tokens) to GPT-3 as published: 0.906 x 3.15 x 0.991 = 2.83 in energy,
    times 4.88 = 13.8 in CO2 (a net against a gross factor, told only where `mixed` asks for it).

    Args:
        first: what the ratio is to.
        second: what is divided by it.
        mixed: gross CO2 is compared with net all the same; else that ratio is missing.

    Raises:
        MissingDataError: a side has no model FLOP, or no joules at a boundary that both share.
    """
    boundary = _common_boundary(first.record, second.record)
    inner = [side.record.joules_at(boundary) for side in (first, second)]
    pue = [side.record.factors.get("pue") for side in (first, second)]
    grid = [side.record.factors.get(f"grid_{side.accounting}") for side in (first, second)]
    facility = [first.facility_j, second.facility_j]
    flop = [first.record.model_flop, second.record.model_flop]
    for side, count in zip((first, second), flop, strict=True):
        if count.value is None:
            raise MissingDataError(f"expected model FLOP of {side.name}", count.source)
    intensity = [multiply(j, f, "J/FLOP", divide=True) for j, f in zip(inner, flop, strict=True)]
    overhead = [
        _quotient(f, i, known, "1") for f, i, known in zip(facility, inner, pue, strict=True)
    ]
    carbon = [
        _quotient(side.co2_g, f, known, "g/J")
        for side, f, known in zip((first, second), facility, grid, strict=True)
    ]
    grams = [first.co2_g, second.co2_g]
    if first.accounting != second.accounting and not mixed:
        carbon = grams = [Quantity.absent("g", REFUSED)] * 2
    return Ratio(
        model=_over(flop, "model FLOP"),
        machine=_over(intensity, f"{boundary} joules per model FLOP"),
        mechanisation=_over(overhead, f"facility joules per {boundary} joule"),
        map=_over(carbon, "grams of CO2e per facility joule"),
        energy=_over(facility, "facility joules"),
        co2=_over(grams, "grams of CO2e"),
        boundary=boundary,
    )


def held_equal(sides: Sequence[Side]) -> dict[str, bool]:
    """What the runs share, by name; what is not known of every run is left out."""
    found: dict[str, bool] = {}
    for name, values in _held(sides).items():
        if all(value is not None for value in values):
            found[name] = all(_same(value, values[0]) for value in values[1:])
    return found


def warnings(sides: Sequence[Side], *, equal_quality: bool = False) -> list[str]:
    """What a reader must know before quoting the ratio.

    Args:
        sides: the runs.
        equal_quality: their tokens were chosen for one loss.
    """
    found = []
    if len({side.accounting for side in sides}) > 1:
        kinds = ", ".join(f"{side.name} {METHOD[side.accounting]}" for side in sides)
        found.append(
            f"the CO2 factors are not of one kind ({kinds}): net is after clean-energy purchases, "
            "gross is the average of the grid; their ratio mixes the place with the contracts, and "
            "is told only with --accounting as-published"
        )
    if not equal_quality and not held_equal(sides).get("tokens", True):
        found.append(
            "the runs read different numbers of tokens: this compares two training runs, "
            "not two models of equal quality"
        )
    return found


def _held(sides: Sequence[Side]) -> dict[str, list[float | str | None]]:
    records = [side.record for side in sides]
    factors = [record.factors for record in records]
    return {
        "tokens": [record.tokens.value for record in records],
        "model FLOP": [record.model_flop.value for record in records],
        "elapsed time": [record.elapsed_s.value for record in records],
        "facility energy": [side.facility_j.value for side in sides],
        "chips": [side.chips for side in sides],
        "kind of chip": [record.labels.get("chip") for record in records],
        "PUE": [found["pue"].value if "pue" in found else None for found in factors],
        "zone": [record.labels.get("zone") for record in records],
        "CO2 accounting": [METHOD[side.accounting] for side in sides],
    }


def _same(a: float | str | None, b: float | str | None) -> bool:
    if isinstance(a, float | int) and isinstance(b, float | int):
        return math.isclose(a, b, rel_tol=1e-6)
    return a == b


def _common_boundary(first: RunRecord, second: RunRecord) -> Boundary:
    """The widest boundary inside the facility at which both records have joules."""
    for boundary in (Boundary.IT, Boundary.NODE, Boundary.CHIP):
        if all(record.joules_at(boundary).value is not None for record in (first, second)):
            return boundary
    raise MissingDataError(
        "expected joules of both runs at one boundary inside the facility",
        "; ".join(f"{r.name}: {', '.join(r.totals) or 'none'}" for r in (first, second)),
        "give both a site, so that their joules can be raised",
    )


def _quotient(whole: Quantity, part: Quantity, known: Quantity | None, unit: str) -> Quantity:
    """Quotient whole / part, with the relative band of the factor that led from one to the other.

    The factor's own band is used because whole was computed from part: their errors cancel.
    """
    value = multiply(whole, part, unit, divide=True)
    if known is None or known.value is None or value.value is None:
        return value
    scale = value.value / known.value
    return known.scaled(scale, unit).model_copy(update={"value": value.value})


def _over(pair: Sequence[Quantity], what: str) -> Quantity:
    """Second over first; exactly 1 where both sides use the same known number."""
    first, second = pair
    if first.value is not None and first == second:
        return Quantity.exact(1.0, "1", f"{what}: the same on both sides", first.origin)
    found = multiply(second, first, "1", divide=True)
    return found.model_copy(update={"source": f"{what}, second over first"} if found.value else {})
