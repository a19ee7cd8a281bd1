"""The published example of the ladder: a median prompt of a large provider, 0.24 Wh."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simulator.facts.tables import table
from simulator.kit.answer import Answer
from simulator.serving.account import Rung, published_prompt
from simulator.terms import Term


@dataclass(frozen=True, kw_only=True, repr=False)
class Prompt(Answer):
    """A prompt whose parts were published.

    Attributes:
        ladder: computed from its chip joules and three ratios.
        published: its row, which has the shares.
    """

    view = "prompt"

    ladder: list[Rung]
    published: Mapping[str, float | str]

    @property
    def total_wh(self) -> float:
        """Watt-hours of the facility, as the ladder has them."""
        return float(self.ladder[-1].total.numbers()[0]) / 3600

    @property
    def headline(self) -> str:
        """Computed against published."""
        return (
            f"a published median prompt: {self.total_wh:.3f} Wh by the ladder, "
            f"{self.published['energy_wh']} Wh published"
        )

    def terms(self) -> Mapping[str, Term]:
        """No terms: the page has every factor."""
        return {}


def published() -> Prompt:
    """The published prompt through our ladder."""
    return Prompt(ladder=published_prompt(), published=table("serving.toml")["published_prompt"])
