"""What `simulator compare --equal quality` adds: the tokens for equal loss, law by law."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console

from energy.reports.terminal import table
from energy.units import count, significant
from simulator.questions.compare.answer import Comparison
from simulator.questions.compare.ratio import Ratio

if TYPE_CHECKING:
    from simulator.quality.match import Match


def headline(first: str, item: Match, ratio: Ratio) -> str:
    """The ratio of the energies at equal loss by the law that is used, and by all laws."""
    own = item.tokens.numbers()[0]
    if ratio.energy.value is None:
        return f"at equal loss {item.name} reads {count(own)} tokens by {item.law.name}"
    middle = ratio.energy.numbers()[0]
    by_law = [middle * tokens / own for tokens in item.by_law.values() if tokens is not None]
    low, high = min(by_law), max(by_law)
    text = (
        f"at equal loss {item.name} takes {significant(middle)} times the energy of {first} by "
        f"{item.law.name}, {significant(low)} to {significant(high)} times by all laws"
    )
    if item.never:
        text += f", and never reaches it by {', '.join(item.never)}"
    return text + (": they do not agree which takes less" if low < 1 < high else "")


def page(comparison: Comparison, console: Console) -> None:
    """Print the tokens for equal loss by each law, and what a reader must know."""
    for item in comparison.matches:
        console.print()
        rows = table(
            "law",
            "tokens for equal loss",
            "",
            title=f"{item.name}: from a loss of {item.own_loss:.3f} to {item.loss:.3f} nat a token",
        )
        rows.columns[-1].justify = "left"
        for name, tokens in item.by_law.items():
            used = "used here" if name == item.law.name else ""
            rows.add_row(name, "never" if tokens is None else count(tokens), used)
        console.print(rows)
        console.print(f"tokens: {item.tokens}", markup=False)
        console.print(f"law: {item.law.source}", markup=False)
    from simulator.quality.laws import checks

    for check in checks(comparison.matches[0].law):
        by_law = "never" if check.by_law is None else f"with {count(check.by_law)}"
        console.print(
            f"check: published as about equal to {check.first} at {count(check.first_tokens)}"
            f" tokens: {check.second} with {count(check.published)}; this law says {by_law} "
            f"({check.source})",
            markup=False,
        )
    for text in comparison.loss_cautions:
        console.print(f"[bold]CAUTION[/bold] {text}")


def as_json(comparison: Comparison) -> dict[str, Any]:
    """The matches with the tokens by each law, the checks of the law, and the cautions."""
    from simulator.quality.laws import checks

    return {
        "matches": [_match(item) for item in comparison.matches],
        "checks": [asdict(check) for check in checks(comparison.matches[0].law)],
        "cautions": comparison.loss_cautions,
    }


def _match(item: Match) -> dict[str, Any]:
    return {
        "name": item.name,
        "law": item.law.name,
        "source": item.law.source,
        "loss": item.loss,
        "own_loss": item.own_loss,
        "tokens": item.tokens,
        "tokens_by_law": item.by_law,
        "decades_outside": item.decades_outside,
    }
