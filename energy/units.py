"""Conversion constants and the printing of numbers.

Inside the project every value is SI (J, W, s, g, L); these constants are used at the edge only.
"""

from __future__ import annotations

import math

J_PER_WH = 3.6e3


J_PER_KWH = 3.6e6


J_PER_MWH = 3.6e9


S_PER_HOUR = 3600.0


S_PER_DAY = 86_400.0


G_PER_KG = 1e3


G_PER_T = 1e6


L_PER_M3 = 1e3


GIB = 2.0**30


_PREFIXES = (
    (1e24, "Y"),
    (1e21, "Z"),
    (1e18, "E"),
    (1e15, "P"),
    (1e12, "T"),
    (1e9, "G"),
    (1e6, "M"),
    (1e3, "k"),
    (1.0, ""),
    (1e-3, "m"),
    (1e-6, "µ"),
    (1e-9, "n"),
)


def significant(value: float, digits: int = 3) -> str:
    """Print a number with significant digits, thousands separated; 1287.4 -> '1,290'.

    Very large and very small numbers keep an exponent: 3.478e23 -> '3.48e+23'.
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    exponent = math.floor(math.log10(abs(value)))
    if exponent >= 9 or exponent < -4:
        return f"{value:.{digits - 1}e}"
    rounded = round(value, digits - 1 - exponent)
    # Rounding may carry into the next power of ten (9.996 -> 10.0), so the exponent is read again.
    exponent = math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{max(0, digits - 1 - exponent)}f}"


def si(value: float, unit: str, digits: int = 3) -> str:
    """Print a value with an SI prefix; 1.2e9 and 'FLOP' give '1.20 GFLOP'."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}"
    for scale, prefix in _PREFIXES:
        if abs(value) >= scale * (1 - 0.5 * 10.0**-digits):
            return f"{significant(value / scale, digits)} {prefix}{unit}"
    return f"{value:.{digits - 1}e} {unit}"


def count(value: float) -> str:
    """Print parameters and tokens as the field writes them: 1.16T, 600B, 4.2M, 491,520."""
    for scale, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if value >= 0.9995 * scale:
            return f"{significant(value / scale)}{suffix}"
    return f"{value:,.0f}" if value == round(value) else significant(value)


def energy(joules: float, digits: int = 3) -> str:
    """Print joules in the unit a person reads: J, kJ below 1 Wh-scale, then Wh, kWh, MWh, GWh."""
    if abs(joules) < 1e5:
        return si(joules, "J", digits)
    return si(joules / J_PER_WH, "Wh", digits)


def duration(seconds: float) -> str:
    """Print seconds as a person says them: '12.3 s', '4 min 05 s', '3 h 20 min', '14.8 days'."""
    if seconds < 60:
        return f"{significant(seconds)} s"
    if seconds < S_PER_HOUR:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    if seconds < 2 * S_PER_DAY:
        return f"{int(seconds // S_PER_HOUR)} h {int(seconds % S_PER_HOUR // 60):02d} min"
    return f"{significant(seconds / S_PER_DAY)} days"


def mass(grams: float, digits: int = 3) -> str:
    """Print grams of CO2e as g, kg or t."""
    if abs(grams) >= G_PER_T:
        return f"{significant(grams / G_PER_T, digits)} t"
    if abs(grams) >= G_PER_KG:
        return f"{significant(grams / G_PER_KG, digits)} kg"
    return si(grams, "g", digits)
