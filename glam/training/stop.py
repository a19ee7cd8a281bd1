"""Stop rules: limits on tokens, FLOP, joules, seconds and loss that end a run early."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from energy import merge
from energy.errors import InputError, MissingDataError
from energy.flops import model_flop
from energy.ledger import accounting
from energy.ledger.lines import FILE
from energy.ledger.merge import NO_SAMPLES
from energy.quantity import Boundary
from energy.shape import total
from glam.config import GlamConfig, Stop


@dataclass(frozen=True)
class Spent:
    """What a run has spent, over all its attempts.

    Attributes:
        tokens: training tokens; those trained on again count once.
        model_flop: model FLOP of these tokens.
        energy_j: joules at the chip boundary, wasted work included; None if not known.
        elapsed_s: seconds, wasted work included.
        loss: training loss in nats per token.
    """

    tokens: float
    model_flop: float
    energy_j: float | None
    elapsed_s: float
    loss: float


@dataclass(frozen=True)
class EarlierAttempts:
    """What the earlier attempts of a resumed run have spent.

    Attributes:
        energy_j: joules at the chip boundary; None if not known.
        elapsed_s: seconds.
    """

    energy_j: float | None = 0.0
    elapsed_s: float = 0.0


def stop_reason(stop: Stop, spent: Spent) -> str | None:
    """Return the first rule that ends the run, in words; None to go on."""
    for name, limit in asdict(stop).items():
        value = getattr(spent, name)
        if not limit or value is None:
            continue
        if value <= limit if name == "loss" else value >= limit:
            return f"stop.{name} {limit:g} reached: {value:g}"
    return None


def spent_at(
    config: GlamConfig, step: int, energy_j: float | None, elapsed_s: float, loss: float
) -> Spent:
    """Return what a run has spent at a step, over all its attempts.

    Args:
        config: of the run.
        step: optimizer steps done.
        energy_j: joules at the chip boundary; None if not known.
        elapsed_s: seconds.
        loss: training loss of the last step, in nats per token.
    """
    tokens = step * config.tokens_per_step
    flop = tokens * float(total(model_flop(config.shape)))
    return Spent(tokens, flop, energy_j, elapsed_s, loss)


def earlier_attempts(folders: Sequence[Path]) -> EarlierAttempts:
    """Read what the earlier attempts of a run have spent.

    Args:
        folders: those with a ledger of the run, one for each of its processes; joules of a device
            that several of them have read count once.
    """
    try:
        if len(folders) > 1:
            record = merge(folders, "")
        elif folders:
            record = accounting.record(folders[0] / FILE, name="", labels={}, notes=[])
        else:
            return EarlierAttempts()
    except MissingDataError:
        return EarlierAttempts()
    except InputError as error:
        if error.expectation != NO_SAMPLES:
            raise
        return EarlierAttempts()
    total = record.totals.get(Boundary.CHIP)
    return EarlierAttempts(total.value if total else None, record.elapsed_s.value or 0.0)
