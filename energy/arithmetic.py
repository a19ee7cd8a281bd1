"""Sums and products of quantities: bands, origins and missing parts are carried through.

The coverage of a result is the least of those of its parts that have a band. Where they differ, as
those of meters (95 %) and of predictions (80 %), its source says so: the wider bands are taken as
they stand, so that the result is rather too wide than too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from energy.errors import UnitError
from energy.quantity import Boundary, MissingPart, Origin, Quantity


def multiply(a: Quantity, b: Quantity, unit: str, *, divide: bool = False) -> Quantity:
    """The product (or quotient) of two independent non-negative quantities.

    The relative deviations of both factors add in quadrature, in logarithms, so that the band of
    a factor known to -50/+100 % stays asymmetric. The weakest origin wins.

    >>> from energy.quantity import Origin
    >>> joules = Quantity.exact(3.6e9, "J", "a meter")
    >>> pue = Quantity.of(1.1, "1", "the site", Origin.ASSUMED, relative=0.1)
    >>> multiply(joules, pue, "J")
    1.10 MWh (80 %: 0.990 to 1.21, assumed)
    """
    sign = "/" if divide else "x"
    if a.value is None or b.value is None:
        reason = a.source if a.value is None else b.source
        return Quantity.absent(unit, reason)
    coverage, remark = _coverage([a, b])
    source = f"({a.source}) {sign} ({b.source}){remark}"
    (av, al, ah), (bv, bl, bh) = a.numbers(), b.numbers()
    if divide:
        bv, bl, bh = 1 / bv, 1 / bh, (1 / bl if bl > 0 else math.inf)
    value = av * bv
    low = value * math.exp(-math.hypot(_log_ratio(av, al), _log_ratio(bv, bl)))
    high = value * math.exp(math.hypot(_log_ratio(ah, av), _log_ratio(bh, bv)))
    shares: dict[Origin, float] = {}
    for origin_a, share_a in a.shares.items():
        for origin_b, share_b in b.shares.items():
            weakest = origin_a.weaker(origin_b)
            shares[weakest] = shares.get(weakest, 0.0) + share_a * share_b
    return Quantity(
        value=value,
        unit=unit,
        low=low,
        high=high if math.isfinite(high) else value * 1e6,
        origin=a.origin.weaker(b.origin),
        source=source,
        coverage=coverage,
        shares=shares,
        missing=tuple(sorted({*a.missing, *b.missing}, key=str)),
    )


def per_token(totals: Mapping[Boundary, Quantity], tokens: Quantity) -> dict[str, Quantity]:
    """Joules of a token at each boundary, by a name such as chip_j_per_token.

    >>> joules = {Boundary.CHIP: Quantity.exact(600.0, "J", "a meter")}
    >>> per_token(joules, Quantity.exact(200, "1", "steps"))
    {'chip_j_per_token': 3.00 J (measured)}

    Args:
        totals: joules by boundary.
        tokens: that were counted; with none, there is nothing to divide by, and no figure.
    """
    if not tokens.value:
        return {}
    return {
        f"{boundary}_j_per_token": multiply(joules, tokens, "J", divide=True)
        for boundary, joules in totals.items()
    }


def add(
    parts: Iterable[Quantity],
    *,
    names: Sequence[str] = (),
    correlated: bool = True,
    source: str = "sum",
) -> Quantity:
    """The sum of quantities of one unit.

    >>> add([Quantity.exact(2.0, "J", "one board"), Quantity.exact(3.0, "J", "another")]).value
    5.0

    Args:
        parts: the summands; missing ones are left out and listed in `missing`.
        names: a name for each part, used for the missing ones.
        correlated: add the ends of the bands (errors go together: the safe choice), else add
            deviations in quadrature (errors are independent).
        source: what the sum is.

    Returns:
        The sum; missing when no part has a value.

    Raises:
        UnitError: there is no part, or the units differ.
    """
    parts = list(parts)
    unit = _common_unit(parts)
    absent = [
        MissingPart(device=name, reason=part.source)
        for name, part in zip(names or [""] * len(parts), parts, strict=True)
        if part.value is None
    ]
    present = [part for part in parts if part.value is not None]
    missing = tuple(sorted({*absent, *(gap for part in present for gap in part.missing)}, key=str))
    if not present:
        reasons = "; ".join(map(str, absent))
        return Quantity(
            value=None, unit=unit, origin=Origin.MISSING, missing=missing, source=reasons
        )
    coverage, remark = _coverage(present)
    value, low, high = _sum_of_bands([part.numbers() for part in present], correlated)
    return Quantity(
        value=value,
        unit=unit,
        low=low,
        high=high,
        source=source + remark,
        shares=_sum_of_shares(present, value),
        missing=missing,
        origin=max((part.origin for part in present), key=lambda origin: origin.rank),
        coverage=coverage,
    )


def _coverage(parts: Sequence[Quantity]) -> tuple[float, str]:
    """The least coverage of the bands of some parts, and a remark if they differ.

    A part that is exact has no band to cover anything.
    """
    stated = sorted({part.coverage for part in parts if not part.is_exact})
    if len(stated) > 1:
        words = " and ".join(f"{100 * coverage:g} %" for coverage in stated)
        return stated[0], f"; bands of {words} combined, and stated as {100 * stated[0]:g} %"
    return (stated or [parts[0].coverage])[0], ""


def _common_unit(parts: Sequence[Quantity]) -> str:
    names = list(dict.fromkeys(part.unit for part in parts))
    if len(names) != 1:
        raise UnitError("expected quantities of one unit", " and ".join(names) or "no quantity")
    return names[0]


def _sum_of_bands(
    bands: Sequence[tuple[float, float, float]], correlated: bool
) -> tuple[float, float, float]:
    """Value, low and high of a sum; deviations add up linearly when correlated."""
    norm = sum if correlated else (lambda deviations: math.hypot(*deviations))
    total = sum(value for value, _, _ in bands)
    below = norm([value - low for value, low, _ in bands])
    above = norm([high - value for value, _, high in bands])
    return total, total - below, total + above


def _sum_of_shares(parts: Sequence[Quantity], total: float) -> dict[Origin, float]:
    """Fraction of a sum by origin: that of each part, weighted with its value."""
    shares: dict[Origin, float] = {}
    for part in parts:
        weight = part.numbers()[0] / total if total else 1 / len(parts)
        for origin, share in part.shares.items():
            shares[origin] = shares.get(origin, 0.0) + weight * share
    return shares


def _log_ratio(larger: float, smaller: float) -> float:
    """ln(larger / smaller), 0 for 0/0; a lower end of 0 counts as a millionth of the upper."""
    if larger == smaller:
        return 0.0
    floor = max(smaller, larger * 1e-6)
    # A millionth of the smallest positive number is 0.
    return math.log(larger / floor) if floor else math.log(1e6)
