"""The counts of a configuration follow from its shape: nothing was predicted."""

from __future__ import annotations

from simulator.questions.catalog.answer import Configured
from simulator.terms import Term


def terms(_: Configured) -> dict[str, Term]:
    """No terms."""
    return {}
