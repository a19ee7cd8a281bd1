"""A number that knows its unit, its band and where it came from.

Every number that a person or a program reads out of this project is a `Quantity`. Origins weaken
as numbers are combined (measured, modelled, assumed) and the share of each is kept, so a total
can end with "91 % measured, 7 % modelled, 2 % assumed". Missing is a reason, never a zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from energy.errors import BoundaryError, UnitError


class Origin(StrEnum):
    """Where a number came from, strongest first."""

    MEASURED = "measured"
    MODELLED = "modelled"
    ASSUMED = "assumed"
    MISSING = "missing"

    @property
    def rank(self) -> int:
        """0 for measured, 3 for missing."""
        return list(Origin).index(self)

    def weaker(self, other: Origin) -> Origin:
        """The weaker of two origins, which is that of anything derived from both."""
        return max(self, other, key=lambda origin: origin.rank)


class Boundary(StrEnum):
    """Where a joule was measured, innermost first.

    chip: the device as its own meter sees it (accelerator board with its memory and regulators,
    processor package, memory modules). node: all of one machine, at its power supply.
    it: nodes, switches and storage. facility: with cooling and losses (x PUE).
    generation: with the losses of the grid.
    """

    CHIP = "chip"
    NODE = "node"
    IT = "it"
    FACILITY = "facility"
    GENERATION = "generation"

    def require(self, other: Boundary) -> None:
        """Raise BoundaryError unless both are the same boundary."""
        if self != other:
            raise BoundaryError(
                "joules are added within one boundary",
                f"{self} and {other}",
                f"raise the {min(self, other, key=list(Boundary).index)} joules first, "
                "with a factor that has a source",
            )


class Quantity(BaseModel):
    """Value, unit, band, origin and source.

    Attributes:
        value: in `unit`; None when the origin is missing.
        unit: SI symbol, or "1" for ratios and counts.
        low: lower end of the band; equals `value` for what is exact.
        high: upper end of the band.
        origin: measured, modelled, assumed or missing.
        source: the meter, formula, row or reason that it came from.
        coverage: probability that the band holds the truth.
        shares: part of the value from each origin; sums to 1.
        missing: names of parts that the value leaves out because nobody could read them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    origin: Origin
    source: str = ""
    coverage: float = Field(default=0.8, gt=0, le=1)
    shares: dict[Origin, float] = {}
    missing: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.value is None) != (self.origin is Origin.MISSING):
            raise ValueError("a quantity has no value exactly when its origin is missing")
        if self.value is None:
            if not self.source:
                raise ValueError("a missing quantity gives its reason in `source`")
            return self
        low = self.value if self.low is None else self.low
        high = self.value if self.high is None else self.high
        slack = 1e-9 * max(abs(low), abs(high))
        if not low - slack <= self.value <= high + slack:
            raise ValueError(f"the band {low}..{high} does not hold the value {self.value}")
        object.__setattr__(self, "low", min(low, self.value))
        object.__setattr__(self, "high", max(high, self.value))
        if not self.shares:
            object.__setattr__(self, "shares", {self.origin: 1.0})
        return self

    @classmethod
    def exact(cls, value: float, unit: str, source: str, origin: Origin = Origin.MEASURED) -> Self:
        """A count or a definition: the band is the value itself."""
        return cls(value=value, unit=unit, origin=origin, source=source)

    @classmethod
    def of(
        cls,
        value: float,
        unit: str,
        source: str,
        origin: Origin,
        *,
        relative: float | tuple[float, float] = 0.0,
        coverage: float = 0.8,
    ) -> Self:
        """A value with a relative band: 0.1 is -10 to +10 %, (-0.2, 0.5) is -20 to +50 %."""
        down, up = relative if isinstance(relative, tuple) else (-relative, relative)
        ends = sorted((value * (1 + down), value * (1 + up)))
        return cls(
            value=value,
            unit=unit,
            low=ends[0],
            high=ends[1],
            origin=origin,
            source=source,
            coverage=coverage,
        )

    @classmethod
    def absent(cls, unit: str, reason: str) -> Self:
        """A quantity that is not known, with the reason."""
        return cls(value=None, unit=unit, origin=Origin.MISSING, source=reason)

    @property
    def origins(self) -> str:
        """The origin in words, or the mix of a sum: 'modelled 59 %, assumed 41 %'."""
        shares = {o: self.shares[o] for o in Origin if self.shares.get(o, 0.0) >= 0.005}
        if len(shares) < 2:
            return str(self.origin)
        return ", ".join(f"{origin} {100 * share:.0f} %" for origin, share in shares.items())

    def numbers(self) -> tuple[float, float, float]:
        """Value, low and high as floats; raises ValueError when the quantity is missing."""
        if self.value is None or self.low is None or self.high is None:
            raise ValueError(f"no value: {self.source}")
        return self.value, self.low, self.high

    def scaled(self, factor: float, unit: str | None = None, source: str | None = None) -> Quantity:
        """This quantity times an exact positive number, as in a change of unit."""
        if self.value is None:
            return self.model_copy(update={"unit": unit or self.unit})
        value, low, high = self.numbers()
        return self.model_copy(
            update={
                "value": value * factor,
                "low": low * factor,
                "high": high * factor,
                "unit": unit or self.unit,
                "source": source or self.source,
            }
        )


def multiply(a: Quantity, b: Quantity, unit: str, *, divide: bool = False) -> Quantity:
    """The product (or quotient) of two independent non-negative quantities.

    The relative deviations of each side add in quadrature, in logarithms, so that a factor
    known to -50/+100 % stays asymmetric. The weakest origin wins.
    """
    sign = "/" if divide else "x"
    source = f"({a.source}) {sign} ({b.source})"
    if a.value is None or b.value is None:
        reason = a.source if a.value is None else b.source
        return Quantity.absent(unit, reason)
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
        coverage=min(a.coverage, b.coverage),
        shares=shares,
        missing=tuple(sorted({*a.missing, *b.missing})),
    )


def add(
    parts: Sequence[Quantity] | Iterable[Quantity],
    *,
    names: Sequence[str] = (),
    correlated: bool = True,
    source: str = "sum",
) -> Quantity:
    """The sum of quantities of one unit.

    Args:
        parts: the summands; missing ones are left out and named in `missing`.
        names: a name for each part, used for the missing ones.
        correlated: add the ends of the bands (errors go together: the safe choice), else add
            deviations in quadrature (errors are independent).
        source: what the sum is.

    Returns:
        The sum; missing when there is no part with a value.
    """
    parts = list(parts)
    if not parts:
        raise UnitError("at least one quantity to add", "none")
    unit = parts[0].unit
    for part in parts:
        if part.unit != unit:
            raise UnitError("quantities of one unit", f"{unit} and {part.unit}")
    labels = list(names) or [part.source for part in parts]
    gone = [
        f"{label} ({part.source})" if names else label
        for label, part in zip(labels, parts, strict=True)
        if part.value is None
    ]
    present = [part for part in parts if part.value is not None]
    missing = tuple(sorted({*gone, *(name for part in present for name in part.missing)}))
    if not present:
        return Quantity(
            value=None, unit=unit, origin=Origin.MISSING, missing=missing, source="; ".join(gone)
        )
    triples = [part.numbers() for part in present]
    value = sum(t[0] for t in triples)
    norm = sum if correlated else (lambda deviations: math.hypot(*deviations))
    low = value - norm([t[0] - t[1] for t in triples])
    high = value + norm([t[2] - t[0] for t in triples])
    shares: dict[Origin, float] = {}
    for part, (part_value, _, _) in zip(present, triples, strict=True):
        weight = part_value / value if value else 1 / len(present)
        for origin, share in part.shares.items():
            shares[origin] = shares.get(origin, 0.0) + weight * share
    return Quantity(
        value=value,
        unit=unit,
        low=low,
        high=high,
        source=source,
        shares=shares,
        missing=missing,
        origin=max((part.origin for part in present), key=lambda origin: origin.rank),
        coverage=min(part.coverage for part in present),
    )


def _log_ratio(larger: float, smaller: float) -> float:
    """ln(larger / smaller), 0 for 0/0; a lower end of 0 counts as a millionth."""
    if larger == smaller:
        return 0.0
    floor = max(smaller, larger * 1e-6)
    # The millionth of the smallest number there is, is 0.
    return math.log(larger / floor) if floor else math.log(1e6)
