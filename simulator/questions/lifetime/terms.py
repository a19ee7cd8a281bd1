"""How the days of `simulator lifetime` came about."""

from __future__ import annotations

from simulator.questions.lifetime.answer import Lifetime, tree
from simulator.terms import Term


def terms(answer: Lifetime) -> dict[str, Term]:
    """A tree for each model."""
    return {life.name: tree(life, answer.tokens_per_day) for life in answer.lives}
