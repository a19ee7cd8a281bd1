"""What `simulator compare --equal quality` adds to the page: tokens for equal loss, law by law."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from energy.reports.words import console, table
from energy.units import count
from simulator.quality.laws import checks
from simulator.quality.match import Match
from simulator.questions.compare.quality import EqualQuality, cautions


def page(found: EqualQuality) -> None:
    """Print the tokens for equal loss by each law, and what a reader must know."""
    out = console()
    for one in found.matches:
        out.print()
        rows = table(
            "law",
            "tokens for equal loss",
            "",
            title=f"{one.name}: from a loss of {one.own_loss:.3f} to {one.loss:.3f} nat a token",
        )
        rows.columns[-1].justify = "left"
        for name, tokens in one.by_law.items():
            used = "used here" if name == one.law.name else ""
            rows.add_row(name, "never" if tokens is None else count(tokens), used)
        out.print(rows)
        out.print(f"tokens: {one.tokens}", markup=False)
        out.print(f"law: {one.law.source}", markup=False)
    for check in checks(found.matches[0].law):
        said = "never" if check.by_law is None else f"with {count(check.by_law)}"
        out.print(
            f"check: published as about equal to {check.first} at {count(check.first_tokens)}"
            f" tokens: {check.second} with {count(check.published)}; this law says {said} "
            f"({check.source})",
            markup=False,
        )
    for text in cautions(found):
        out.print(f"[bold]CAUTION[/bold] {text}")


def as_json(found: EqualQuality) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "matches": [_match(one) for one in found.matches],
        "checks": [asdict(check) for check in checks(found.matches[0].law)],
        "cautions": cautions(found),
    }


def _match(one: Match) -> dict[str, Any]:
    return {
        "name": one.name,
        "law": one.law.name,
        "source": one.law.source,
        "loss": one.loss,
        "own_loss": one.own_loss,
        "tokens": one.tokens,
        "tokens_by_law": one.by_law,
        "decades_outside": one.decades_outside,
    }
