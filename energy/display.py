"""How a record shows itself where it is looked at: a notebook, IPython, a terminal with rich.

A small table of the quantities that a reader looks for first, with bands and origins. Its colors
are those of the page around it, so that it reads in the dark as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from energy.console import unmarked
from energy.quantity import Quantity
from energy.tables import html_table, text_table

FIRST = {
    "tokens": "tokens",
    "params_total": "parameters",
    "params_active": "  active a token",
    "model_flop": "model FLOP",
    "elapsed_s": "time",
}

LAST = {
    "co2_location_g": "CO2e, location (gross)",
    "co2_market_g": "CO2e, market (net)",
    "co2_embodied_g": "CO2e, embodied",
    "water_l": "water",
    "cost_usd": "cost",
    "mfu": "MFU",
}


class Printer(Protocol):
    """What IPython prints with."""

    indentation: int

    def text(self, text: str) -> None:
        """Print text."""


class Displayed:
    """A record with named quantities that is shown as a small table."""

    def quantities(self) -> dict[str, Quantity]:
        """Its quantities by name."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        shown, absent = headlines(self.quantities())
        return html_table(shown, caption=repr(self), note=absent)

    def _repr_pretty_(self, printer: Printer, cycle: bool) -> None:
        # In a list of records, each is a line.
        printer.text(repr(self) if cycle or printer.indentation else self._text())

    def __rich__(self) -> Any:
        return unmarked(self._text())

    def _text(self) -> str:
        shown, absent = headlines(self.quantities())
        return "\n".join(part for part in (repr(self), text_table(shown), absent) if part)


def headlines(quantities: Mapping[str, Quantity]) -> tuple[dict[str, Quantity], str]:
    """The quantities that a reader looks for first, by label; and which of them are missing.

    Of the joules, those of the innermost boundary and of the outermost before the grid's losses.
    """
    energies = [name for name in quantities if name.startswith("energy_")]
    energies = [name for name in energies if name != "energy_generation_j"]
    ends = dict.fromkeys([*energies[:1], *energies[-1:]])
    joules = {name: f"energy, {name.split('_')[1]}" for name in ends}
    rows = {
        label: quantities[name]
        for name, label in {**FIRST, **joules, **LAST}.items()
        if name in quantities
    }
    shown = {label: quantity for label, quantity in rows.items() if quantity.value is not None}
    absent = [label.strip() for label in rows if label not in shown]
    return shown, f"missing: {'; '.join(absent)}" if absent else ""
