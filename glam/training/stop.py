"""When a run ends before its last step: budgets of tokens, FLOP, joules and seconds, or a loss."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from energy.errors import MissingDataError
from energy.ledger import accounting
from energy.quantity import Boundary
from glam.config import Stop


@dataclass(frozen=True)
class Spent:
    """Where a run stands, all its attempts together; None where nobody could read it.

    Attributes:
        tokens: trained on, what was done again counted once.
        model_flop: of these tokens.
        energy_j: at the chip boundary, wasted work included.
        elapsed_s: wasted work included.
        loss: training loss, nats a token.
    """

    tokens: float
    model_flop: float
    energy_j: float | None
    elapsed_s: float
    loss: float


def reached(stop: Stop, spent: Spent) -> str | None:
    """The first rule that ends the run, in words, or None to go on."""
    for name, limit in asdict(stop).items():
        value = getattr(spent, name)
        if not limit or value is None:
            continue
        if value <= limit if name == "loss" else value >= limit:
            return f"stop.{name} {limit:g} reached: {value:g}"
    return None


def spent_before(ledger: Path) -> tuple[float | None, float]:
    """Joules and seconds of the earlier attempts of a run; none and 0 s where there are none."""
    try:
        record = accounting.record(ledger, name="", labels={}, notes=[])
    except MissingDataError:
        return 0.0, 0.0
    total = record.totals.get(Boundary.CHIP)
    return (total.value if total else None), record.elapsed_s.value or 0.0
