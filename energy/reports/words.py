"""Numbers in words and tables for a terminal: the one look of every page of every command."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from energy import units
from energy.quantity import Quantity
from energy.units import J_PER_KWH, J_PER_MWH


def console() -> Console:
    """The terminal; a file or a pipe gets lines wide enough for any table."""
    found = Console(highlight=False, soft_wrap=False)
    return found if found.is_terminal else Console(highlight=False, width=160)


def table(*columns: str, title: str = "") -> Table:
    """A table of the house: first column to the left, numbers to the right."""
    found = Table(
        box=None,
        title=title or None,
        title_justify="left",
        title_style="bold",
        pad_edge=False,
        padding=(0, 1),
    )
    for position, name in enumerate(columns):
        found.add_column(name, justify="right" if position else "left", overflow="fold")
    return found


def human(quantity: Quantity) -> str:
    """A quantity in the unit a person reads."""
    return "missing" if quantity.value is None else _in_words(quantity.value, quantity)


def band(quantity: Quantity) -> str:
    """The two ends in the unit of `human`, 'exact' without width, nothing for what is missing."""
    if quantity.value is None:
        return ""
    value, low, high = quantity.numbers()
    if high - low <= 1e-6 * abs(value):
        return "exact"
    ends = [_in_words(end, quantity) for end in (low, high)]
    numbers, words = zip(*(end.partition(" ")[::2] for end in ends), strict=True)
    return f"{numbers[0]} to {ends[1]}" if words[0] == words[1] else " to ".join(ends)


def told(quantity: Quantity) -> str:
    """Value, band and origin in one cell: '456 MWh (444 to 468 MWh, modelled)'.

    A number without width, such as a count, shows no band.
    """
    if quantity.value is None:
        return f"missing ({quantity.source})"
    ends = band(quantity)
    return f"{human(quantity)} ({ends + ', ' if ends != 'exact' else ''}{quantity.origin})"


def flop(value: float) -> str:
    """FLOP as the field writes them: 3.48e23."""
    return f"{value:.2e}".replace("e+", "e") if value >= 1e6 else f"{value:,.6g}"


def _in_words(value: float, quantity: Quantity) -> str:
    unit, scale = quantity.unit, abs(quantity.value or 0.0)
    if unit == "J":
        return _energy(value, scale)
    if unit == "s":
        return units.duration(value) if scale >= 1 else units.si(value, "s")
    if unit == "g":
        return units.mass(value)
    if unit == "FLOP":
        return flop(value)
    if unit in ("W", "L", "B"):
        return units.si(value, unit)
    if unit == "1":
        return units.count(value)
    return f"{units.significant(value)} {unit}"


def _energy(joules: float, scale: float) -> str:
    """Joules in one unit for the value and both ends of its band."""
    if scale >= 0.1 * J_PER_MWH:
        megawatt_hours = joules / J_PER_MWH
        digits = (
            f"{megawatt_hours:,.0f}"
            if scale >= 100 * J_PER_MWH
            else (units.significant(megawatt_hours))
        )
        return f"{digits} MWh"
    if scale >= 0.1 * J_PER_KWH:
        return f"{units.significant(joules / J_PER_KWH)} kWh"
    return f"{units.significant(joules)} J"
