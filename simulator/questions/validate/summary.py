"""The errors of many predictions in a few numbers, and a tolerance for them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from energy.errors import ToleranceError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Summary:
    """Errors of some predictions, predicted / reported - 1; None where there are none.

    Attributes:
        n: predictions with a reported figure.
        median_abs_rel_error: of the absolute errors.
        mean_abs_rel_error: likewise.
        p90_abs_rel_error: 90th percentile, likewise.
        median_signed: of the signed errors.
        band_coverage: share of the reported figures within the 80 % band.
        median_band_ratio: median of the upper end of the band over the lower.
        by_publisher: median of the median absolute errors of publishers, each counting as one.
    """

    n: int
    median_abs_rel_error: float | None = None
    mean_abs_rel_error: float | None = None
    p90_abs_rel_error: float | None = None
    median_signed: float | None = None
    band_coverage: float | None = None
    median_band_ratio: float | None = None
    by_publisher: float | None = None

    @classmethod
    def of(
        cls,
        errors: Array,
        in_band: NDArray[np.bool_],
        band_ratio: Array,
        publishers: NDArray[np.str_],
    ) -> Self:
        """Summarize signed relative errors.

        Args:
            errors: predicted / reported - 1 (predictions).
            in_band: whether the reported figure is within the band (predictions).
            band_ratio: upper end of the band over the lower (predictions).
            publishers: who published what the prediction is judged by (predictions).
        """
        if not len(errors):
            return cls(0)
        absolute = np.abs(errors)
        return cls(
            n=len(errors),
            median_abs_rel_error=float(np.median(absolute)),
            mean_abs_rel_error=float(absolute.mean()),
            p90_abs_rel_error=float(np.quantile(absolute, 0.9)),
            median_signed=float(np.median(errors)),
            band_coverage=float(in_band.mean()),
            median_band_ratio=float(np.nanmedian(band_ratio)),
            by_publisher=float(
                np.median([np.median(absolute[publishers == name]) for name in set(publishers)])
            ),
        )

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)

    def require_within(self, tolerance: float, figure: str) -> None:
        """Check the median error against a tolerance.

        Args:
            tolerance: 0.2 is 20 %.
            figure: that is predicted, for the message.

        Raises:
            ToleranceError: the median error is larger.
        """
        error = self.median_abs_rel_error
        if error is not None and error > tolerance:
            raise ToleranceError(
                f"expected a median error of {figure} within {tolerance:.1%}",
                f"{error:.1%}",
                "see the rows",
            )
