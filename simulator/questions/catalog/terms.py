"""Rows of the catalog are facts: nothing was computed."""

from __future__ import annotations

from simulator.questions.catalog.answer import Chips, Models, Prices
from simulator.terms import Term


def terms(_: Models | Chips | Prices) -> dict[str, Term]:
    """No terms."""
    return {}
