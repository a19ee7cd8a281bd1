"""A number with its unit, its confidence band and its origin.

Every number that a person or a program reads from this project is a `Quantity`. A result is as
weak as the weakest of its inputs (measured, modelled, assumed), and the share of each origin is
kept, so that a total can end with "91 % measured, 7 % modelled, 2 % assumed". A missing value
carries a reason and is never zero.
"""

from __future__ import annotations

from enum import StrEnum
from html import escape
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from energy import units
from energy.errors import BoundaryError

EXACT = "exact"
"""What stands in place of a band that has no width."""


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
        """The weaker of two origins, which is the origin of anything derived from both."""
        return max(self, other, key=lambda origin: origin.rank)


class Boundary(StrEnum):
    """Where a joule was measured, innermost first.

    chip: the device as its own meter sees it (accelerator board with its memory and regulators,
    processor package, memory modules). node: a whole machine, at its power supply.
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
                "expected joules of one boundary",
                f"{self} and {other}",
                f"raise the {min(self, other, key=list(Boundary).index)} joules first, "
                "with a factor that has a source",
            )


class MissingPart(BaseModel):
    """A part of a sum that has no value.

    Attributes:
        device: name of the part, such as a device; empty when the part has no name.
        reason: why it has no value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str = ""
    reason: str

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        """Read the form of schema 1.0, the text "device (reason)"."""
        if not isinstance(value, str):
            return value
        device, opening, reason = value.partition(" (")
        if not opening or not reason.endswith(")"):
            return {"reason": value}
        return {"device": device, "reason": reason.removesuffix(")")}

    def __str__(self) -> str:
        return f"{self.device} ({self.reason})" if self.device else self.reason


class Quantity(BaseModel):
    """Value, unit, band, origin and source.

    Attributes:
        value: in `unit`; None when the origin is missing.
        unit: SI symbol, or "1" for ratios and counts.
        low: lower end of the band; equals `value` when the quantity is exact.
        high: upper end of the band.
        origin: measured, modelled, assumed or missing.
        source: the meter, formula or table row behind the value, or the reason why it is missing.
        coverage: probability that the band contains the true value.
        shares: fraction of the value by origin; sums to 1.
        missing: parts that the value leaves out because they could not be read.
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
    missing: tuple[MissingPart, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.value is None) != (self.origin is Origin.MISSING):
            raise ValueError("a quantity has no value exactly when its origin is missing")
        if self.value is None:
            if not self.source:
                raise ValueError("a missing quantity needs its reason in `source`")
            return self
        low = self.value if self.low is None else self.low
        high = self.value if self.high is None else self.high
        slack = 1e-9 * max(abs(low), abs(high))
        if not low - slack <= self.value <= high + slack:
            raise ValueError(f"the band {low}..{high} does not contain the value {self.value}")
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
        low, high = sorted((value * (1 + down), value * (1 + up)))
        return cls(
            value=value,
            unit=unit,
            low=low,
            high=high,
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

    def scaled(self, factor: float, unit: str | None = None, source: str | None = None) -> Self:
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

    def human(self) -> str:
        """The value in the unit a person reads: '456 MWh'; 'missing' without a value."""
        return "missing" if self.value is None else units.human(self.value, self.unit)

    @property
    def is_exact(self) -> bool:
        """Whether the band has no width to speak of."""
        value, low, high = self.numbers()
        return high - low <= 1e-6 * abs(value)

    @property
    def percent(self) -> str:
        """The coverage of the band: '95 %'."""
        return f"{100 * self.coverage:g} %"

    def band(self) -> str:
        """Coverage, and both ends in the unit of `human`: '80 %: 444 to 468 MWh'.

        'exact' for a band without width; empty when the quantity is missing.
        """
        if self.value is None or self.is_exact:
            return self.ends()
        return f"{self.percent}: {self.ends()}"

    def ends(self) -> str:
        """The band without its coverage, for a column whose title names that."""
        if self.value is None:
            return ""
        return EXACT if self.is_exact else " ".join(self._ends()).rstrip()

    def __str__(self) -> str:
        """Value, band and origin: '456 MWh (80 %: 444 to 468, modelled)'; no band when exact."""
        if self.value is None:
            return f"missing ({self.source})"
        value = self.human()
        if self.is_exact:
            return f"{value} ({self.origin})"
        ends, unit = self._ends()
        band = ends if unit == value.partition(" ")[2] else f"{ends} {unit}".rstrip()
        return f"{value} ({self.percent}: {band}, {self.origin})"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Value, band and origin in one line, for notebooks; the source shows under the pointer."""
        if self.value is None:
            return f"<b>missing</b> <small>{escape(self.source)}</small>"
        text = f"<b>{escape(self.human())}</b> <small>{escape(self.band())}, {self.origin}</small>"
        return f'<span title="{escape(self.source)}">{text}</span>'

    def _ends(self) -> tuple[str, str]:
        """Both ends of the band, and their unit where it is the same."""
        value, low, high = self.numbers()
        return units.interval(low, high, self.unit, abs(value))
