"""The ratio of two runs, taken apart: model x machine x mechanization x map.

The four factors are those of Patterson et al. (arXiv:2104.10350, arXiv:2204.05149): what is
computed, by which chips, in which building, on which grid. Both sides are RunRecords, so a
published run, a prediction and a measurement are compared by the same code.

A gross CO2e is divided by a net one only on request, and no comparison is called fair: the figures
that are equal on all sides are listed, and so are the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from energy.arithmetic import multiply
from energy.errors import MissingDataError
from energy.quantity import Boundary, Quantity
from energy.record import RunRecord
from simulator.runs.sides import METHOD, Side

REFUSED = "gross and net CO2e are not divided unless --accounting as-published requests it"

Pair = tuple[Quantity, Quantity]


@dataclass(frozen=True)
class Ratio:
    """What the second run uses over what the first uses, and the factors of that ratio.

    energy = model x machine x mechanization, co2 = energy x map, exact to rounding.

    Attributes:
        model: model FLOP.
        machine: joules per model FLOP inside the facility, at `boundary`.
        mechanization: facility joules over those joules (PUE where the boundary is IT).
        map: grams of CO2e per facility joule.
        energy: facility joules.
        co2: grams of CO2e; missing where a side does not have its own.
        boundary: where the joules of the machine are counted.
    """

    model: Quantity
    machine: Quantity
    mechanization: Quantity
    map: Quantity
    energy: Quantity
    co2: Quantity
    boundary: Boundary

    def share(self, factor: str) -> float:
        """Part of the energy ratio that a factor explains, in logarithms; the three sum to 1.

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
    times 4.88 = 13.8 in CO2e (gross over net, only with `mixed`).

    Args:
        first: the denominator.
        second: the numerator.
        mixed: divide gross CO2e by net all the same; else that ratio is missing.

    Raises:
        MissingDataError: a side has no model FLOP, or no joules at a boundary that both share.
    """
    boundary = _common_boundary(first.record, second.record)

    def both(figure: Callable[[Side], Quantity]) -> Pair:
        return figure(first), figure(second)

    def intensity(side: Side) -> Quantity:
        flop = side.record.model_flop
        if flop.value is None:
            raise MissingDataError(f"expected model FLOP of {side.name}", str(flop))
        return multiply(side.record.joules_at(boundary), flop, "J/FLOP", divide=True)

    def overhead(side: Side) -> Quantity:
        pue = side.record.factors.get("pue")
        return _quotient(side.facility_j, side.record.joules_at(boundary), pue, "1")

    def carbon(side: Side) -> Quantity:
        grid = side.record.factors.get(f"grid_{side.accounting}")
        return _quotient(side.co2_g, side.facility_j, grid, "g/J")

    machine = both(intensity)
    co2, grams_per_joule = both(lambda side: side.co2_g), both(carbon)
    if first.accounting != second.accounting and not mixed:
        refused = Quantity.absent("g", REFUSED)
        co2 = grams_per_joule = (refused, refused)
    return Ratio(
        model=_over(both(lambda side: side.record.model_flop), "model FLOP"),
        machine=_over(machine, f"{boundary} joules per model FLOP"),
        mechanization=_over(both(overhead), f"facility joules per {boundary} joule"),
        map=_over(grams_per_joule, "grams of CO2e per facility joule"),
        energy=_over(both(lambda side: side.facility_j), "facility joules"),
        co2=_over(co2, "grams of CO2e"),
        boundary=boundary,
    )


def equal_figures(sides: Sequence[Side]) -> dict[str, bool]:
    """Whether each figure is equal on all sides, by name; without those that a side lacks."""
    return {
        name: all(_same(value, values[0]) for value in values[1:])
        for name, values in _figures(sides).items()
        if all(value is not None for value in values)
    }


def cautions(sides: Sequence[Side], *, equal_loss: bool = False) -> list[str]:
    """What a reader must know before quoting the ratio.

    Args:
        sides: the runs.
        equal_loss: their tokens were chosen for one loss.
    """
    texts = []
    if len({side.accounting for side in sides}) > 1:
        kinds = ", ".join(f"{side.name} {METHOD[side.accounting]}" for side in sides)
        texts.append(
            f"the CO2 factors are not of one kind ({kinds}): net is after clean-energy purchases, "
            "gross is the average of the grid; their ratio mixes the place with the contracts, and "
            "is printed only with --accounting as-published"
        )
    if not equal_loss and not equal_figures(sides).get("tokens", True):
        texts.append(
            "the runs read different numbers of tokens: this compares two training runs, "
            "not two models of equal quality"
        )
    return texts


def _figures(sides: Sequence[Side]) -> dict[str, list[float | str | None]]:
    records = [side.record for side in sides]
    pues = [record.factors.get("pue") for record in records]
    return {
        "tokens": [record.tokens.value for record in records],
        "model FLOP": [record.model_flop.value for record in records],
        "elapsed time": [record.elapsed_s.value for record in records],
        "facility energy": [side.facility_j.value for side in sides],
        "chips": [side.chips for side in sides],
        "kind of chip": [record.labels.get("chip") for record in records],
        "PUE": [None if pue is None else pue.value for pue in pues],
        "zone": [record.labels.get("zone") for record in records],
        "CO2 accounting": [METHOD[side.accounting] for side in sides],
    }


def _same(a: float | str | None, b: float | str | None) -> bool:
    if isinstance(a, float | int) and isinstance(b, float | int):
        return math.isclose(a, b, rel_tol=1e-6)
    return a == b


def _common_boundary(first: RunRecord, second: RunRecord) -> Boundary:
    """The widest boundary inside the facility at which both records have joules.

    Of chips whose watts are not known no joules are known at any: then all of the energy is missing
    in the ratio, and FLOP, time and dollars are compared.
    """
    if any(_without_watts(record) for record in (first, second)):
        return Boundary.IT
    for boundary in (Boundary.IT, Boundary.NODE, Boundary.CHIP):
        if all(record.joules_at(boundary).value is not None for record in (first, second)):
            return boundary
    raise MissingDataError(
        "expected joules of both runs at one boundary inside the facility",
        "; ".join(f"{r.name}: {', '.join(r.totals) or 'none'}" for r in (first, second)),
        "name the site of both, so that their joules can be raised",
    )


def _without_watts(record: RunRecord) -> bool:
    """Whether a record has boundaries, and joules at none of them."""
    return bool(record.totals) and all(joules.value is None for joules in record.totals.values())


def _quotient(whole: Quantity, part: Quantity, known: Quantity | None, unit: str) -> Quantity:
    """Quotient whole / part, with the relative band of the factor that led from one to the other.

    The factor's own band is used because whole was computed from part: their errors cancel.
    """
    value = multiply(whole, part, unit, divide=True)
    if known is None or known.value is None or value.value is None:
        return value
    scale = value.value / known.value
    return known.scaled(scale, unit).model_copy(update={"value": value.value})


def _over(pair: Pair, what: str) -> Quantity:
    """Second over first; exactly 1 where both sides use the same known number."""
    first, second = pair
    if first.value is not None and first == second:
        return Quantity.exact(1.0, "1", f"{what}: the same on both sides", first.origin)
    ratio = multiply(second, first, "1", divide=True)
    return ratio.model_copy(update={"source": f"{what}, second over first"} if ratio.value else {})
