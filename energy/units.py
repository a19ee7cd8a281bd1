"""Conversion constants, and numbers printed for people.

Inside the project every value is in J, W, s, g or L; other units appear only in input and output.
"""

from __future__ import annotations

import math

J_PER_WH = 3.6e3
J_PER_KWH = 3.6e6
J_PER_MWH = 3.6e9
KWH_PER_MWH = 1e3

S_PER_HOUR = 3600.0
S_PER_DAY = 86_400.0

G_PER_KG = 1e3
G_PER_T = 1e6
G_PER_LB = 453.59237
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
    """Print a number with significant digits and thousands separators; 1287.4 -> '1,290'.

    Very large and very small numbers keep an exponent: 3.478e23 -> '3.48e+23'.
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    exponent = math.floor(math.log10(abs(value)))
    if exponent >= 9 or exponent < -4:
        return f"{value:.{digits - 1}e}"
    rounded = round(value, digits - 1 - exponent)
    # Rounding may carry into the next power of ten (9.996 -> 10.0), hence a new exponent.
    exponent = math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{max(0, digits - 1 - exponent)}f}"


def si(value: float, unit: str) -> str:
    """Print a value with an SI prefix; 1.2e9 and 'FLOP' give '1.20 GFLOP'."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}"
    for scale, prefix in _PREFIXES:
        # 999.5 is printed as 1.00 k: three digits round it up to the next prefix.
        if abs(value) >= 0.9995 * scale:
            return f"{significant(value / scale)} {prefix}{unit}"
    return f"{value:.2e} {unit}"


def count(value: float) -> str:
    """Print parameters and tokens as the field writes them: 1.16T, 600B, 4.2M, 491,520."""
    for scale, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if value >= 0.9995 * scale:
            return f"{significant(value / scale)}{suffix}"
    return f"{value:,.0f}" if value == round(value) else significant(value)


COUNT_SUFFIXES = {"k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}


def parsed_count(text: str) -> float:
    """Read parameters or tokens as the field writes them: 15T, 300B, 1.5e12, 280_000_000_000.

    Raises:
        ValueError: the text is no number.
    """
    plain = text.strip().lower().replace(",", "").replace("_", "").replace(" ", "")
    scale = COUNT_SUFFIXES.get(plain[-1:], 1.0)
    return float(plain[:-1] if scale > 1 else plain) * scale


def parsed_whole(text: str) -> int:
    """Read a count of whole things, as `parsed_count` does: 512, 4,096 or 2K, which are 2,000.

    Raises:
        ValueError: the text is no number, or no whole one.
    """
    number = parsed_count(text)
    if not number.is_integer():
        raise ValueError(f"expected a whole number; got {text}")
    return int(number)


def energy(joules: float, scale: float | None = None) -> str:
    """Print joules in J or kJ below 100 kJ, above that in Wh, kWh, MWh or GWh.

    With `scale`, as for a value of this size, so that both ends of a band have the joules or the
    watt-hours of its middle.
    """
    if abs(joules if scale is None else scale) < 1e5:
        return si(joules, "J")
    return si(joules / J_PER_WH, "Wh")


def duration(seconds: float) -> str:
    """Print seconds as people say them: '12.3 s', '4 min 05 s', '3 h 20 min', '14.8 days'."""
    if seconds < 60:
        return f"{significant(seconds)} s"
    if seconds < S_PER_HOUR:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    if seconds < 2 * S_PER_DAY:
        return f"{int(seconds // S_PER_HOUR)} h {int(seconds % S_PER_HOUR // 60):02d} min"
    return f"{significant(seconds / S_PER_DAY)} days"


def mass(grams: float) -> str:
    """Print grams of CO2e as g, kg or t."""
    if abs(grams) >= G_PER_T:
        return f"{significant(grams / G_PER_T)} t"
    if abs(grams) >= G_PER_KG:
        return f"{significant(grams / G_PER_KG)} kg"
    return si(grams, "g")


def human(value: float, unit: str, scale: float | None = None) -> str:
    """Print a value in the unit a person reads: 1.642e12 and 'J' give '456 MWh'.

    Args:
        value: in `unit`.
        unit: SI symbol, or "1" for counts and ratios.
        scale: choose the unit for a value of this size, so that both ends of a band are printed
            in the unit of its middle; the value itself by default.
    """
    size = abs(value if scale is None else scale)
    if unit == "J":
        return _joules(value, size)
    if unit == "s":
        return duration(value) if size >= 1 else si(value, "s")
    if unit == "g":
        return mass(value)
    if unit == "FLOP":
        return flop(value)
    if unit in ("W", "L", "B", "FLOP/s"):
        return si(value, unit)
    if unit == "1":
        return count(value)
    return f"{significant(value)} {unit}"


def change(ratio: float, digits: int = 0) -> str:
    """Print a relative change with its sign: '+12%'; one that rounds to nothing is '0%'."""
    text = f"{ratio:+.{digits}%}"
    return text if float(text.removesuffix("%")) else text[1:]


def interval(low: float, high: float, unit: str, scale: float) -> tuple[str, str]:
    """Print two ends as `human` does: ('444 to 468', 'MWh').

    Returns:
        The ends, and the unit that both share; ends of different units carry their own, and the
        shared unit is then empty: ('980 kg to 1.05 t', '').
    """
    ends = [human(end, unit, scale) for end in (low, high)]
    numbers, units = zip(*(end.partition(" ")[::2] for end in ends), strict=True)
    if units[0] == units[1]:
        return " to ".join(numbers), units[0]
    return " to ".join(ends), ""


def flop(value: float) -> str:
    """Print FLOP as the field writes them: 3.48e23."""
    return f"{value:.2e}".replace("e+", "e") if value >= 1e6 else f"{value:,.6g}"


def _joules(joules: float, scale: float) -> str:
    """Joules as MWh, kWh or J, whichever suits a value of size `scale`."""
    if scale >= 100 * J_PER_MWH:
        return f"{joules / J_PER_MWH:,.0f} MWh"
    if scale >= 0.1 * J_PER_MWH:
        return f"{significant(joules / J_PER_MWH)} MWh"
    if scale >= 0.1 * J_PER_KWH:
        return f"{significant(joules / J_PER_KWH)} kWh"
    return f"{significant(joules)} J"
