"""Training compute as the European Union counts it (AI Act; Commission Guidelines, July 2025).

Model FLOP of any precision; recomputation to save memory is not counted. The hardware-based
approach uses MFU as its utilization: the "GPU utilization" of a driver measures how often a kernel
runs, not how much it computes, and is not accepted.
"""

from __future__ import annotations

import math
from typing import Literal

from energy.errors import InputError
from energy.units import S_PER_DAY

SYSTEMIC_FLOP = 1e25
"""Article 51(2): above this, a model is presumed to carry systemic risk."""

GENERAL_PURPOSE_FLOP = 1e23
"""Guidelines, section 2.1: above this, a model that generates language, images or video counts as
general-purpose."""

ALLOWED_ERROR = 0.30
"""Guidelines, annex: the allowed error, relative to the reported estimate."""

MODIFIER_SHARE = 1 / 3
"""Guidelines, section 3.2: a modification that takes a larger share of the original's compute makes
its author a provider too."""

# Bounds of the Model Documentation Form (Code of Practice, transparency chapter, July 2025).
_SIZES = (
    (5e8, "≤500M"),
    (5e9, "≤5B"),
    (1.5e10, "≤15B"),
    (5e10, "≤50B"),
    (1e11, "≤100B"),
    (5e11, "≤500B"),
    (1e12, "≤1T"),
    (math.inf, ">1T"),
)


_MONTH_S = 365.25 / 12 * S_PER_DAY

_TIMES = ((1.0, "<1 month"), (3.0, "1–3 months"), (6.0, "3–6 months"), (math.inf, ">6 months"))


def hardware_compute(device_s: float, peak_flop_per_s: float, mfu: float) -> float:
    """Training FLOP from time: C = N * L * H * U (annex, hardware-based approach).

    Example of the annex: 200,000 h of A100 at 3e14 FLOP/s and U = 0.5: 1.08e23.

    Args:
        device_s: N * L, seconds summed over all units.
        peak_flop_per_s: H, dense peak of one unit, of the exact variant.
        mfu: U, model FLOP utilization, 0 to 1.
    """
    if not 0 < mfu <= 1:
        raise InputError("expected a model FLOP utilization above 0 and at most 1", f"{mfu:g}")
    return device_s * peak_flop_per_s * mfu


def dense_compute(parameters: float, tokens: float) -> float:
    """Training FLOP of a large dense Transformer: C = 6 * P * D (annex, architecture-based).

    For dense models only, with P well above the context length / 12. For a mixture of experts,
    count its operations instead (`energy.flops`). 3.8e9 * 3.3e12 * 6 = 7.52e22.
    """
    return 6 * parameters * tokens


def within_allowed_error(reported_flop: float, true_flop: float) -> bool:
    """Whether a report is accurate enough: |true - reported| at most 30 % of the reported value."""
    return abs(true_flop - reported_flop) <= ALLOWED_ERROR * reported_flop


def modifier_is_provider(
    modification_flop: float, original_flop: float | None, *, systemic: bool = False
) -> bool:
    """Whether a modification makes its author a provider: more than a third of the original.

    Args:
        modification_flop: training compute of the modification.
        original_flop: that of the original model; None, for unknown, counts as the threshold.
        systemic: whether the original carries systemic risk: the threshold is then 1e25, else 1e23.
    """
    if original_flop is None:
        original_flop = SYSTEMIC_FLOP if systemic else GENERAL_PURPOSE_FLOP
    return modification_flop > MODIFIER_SHARE * original_flop


def presumed(training_flop: float) -> Literal["systemic risk", "general purpose", "below"]:
    """The presumption that cumulative training compute triggers. GLaM, 3.5e23: general purpose."""
    if training_flop > SYSTEMIC_FLOP:
        return "systemic risk"
    return "general purpose" if training_flop > GENERAL_PURPOSE_FLOP else "below"


def size_bucket(parameters: float) -> str:
    """The form's bucket of total parameters. 1.2e12: ">1T"."""
    return next(name for bound, name in _SIZES if parameters <= bound)


def time_bucket(elapsed_s: float) -> str:
    """The form's bucket of wall-clock time. 51 days: "1–3 months"."""
    return next(name for bound, name in _TIMES if elapsed_s / _MONTH_S < bound)


def rounded(value: float, digits: int = 2) -> float:
    """A figure rounded to significant digits, as the form asks. 3.478e23: 3.5e23."""
    return float(f"{value:.{digits - 1}e}")
