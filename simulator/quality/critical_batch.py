"""What a batch costs in tokens: a larger one takes fewer steps to a loss, but more tokens.

tokens(B) = least * (1 + B / critical), steps(B) = least * (1 + critical / B) (McCandlish et al.,
arXiv:1812.06162, equation 2.11; Kaplan et al., arXiv:2001.08361, equation 5.4): at the critical
batch a run takes twice the least tokens and twice the least steps. The constants, with their papers
and the reference points that they are compared with, are in `scaling_laws.toml`.
"""

from __future__ import annotations

from dataclasses import dataclass

from energy.errors import InputError
from energy.quantity import Origin, Quantity
from energy.units import significant
from simulator.quality.laws import DEFAULT_LAW, law, of_batches, size_of
from simulator.scenarios.scenario import Scenario, with_overrides


@dataclass(frozen=True)
class Priced:
    """A run with another batch, and the tokens that it then needs to its loss.

    Attributes:
        scenario: with that batch and those tokens.
        critical_tokens: of a step, at which tokens are twice the least.
        times: tokens over those of the batch that the run had, with the band of the critical batch.
        note: both in words.
    """

    scenario: Scenario
    critical_tokens: Quantity
    times: Quantity
    note: str


def critical_tokens(loss: float) -> Quantity:
    """Tokens of the critical batch at a loss in nat per token.

    B* / loss^(1 / alpha): 2e8 / 3.34^4.76 = 6.4e5, where MLPerf's reference points of gpt-oss-20b
    give 5.9e5. Larger near the end of a run than at its beginning, so here it is that of the end.

    >>> f"{critical_tokens(3.34).value:.2g}"
    '6.4e+05'
    """
    row = of_batches()
    value = row["tokens"] / loss ** (1 / row["alpha"])
    return Quantity(
        value=value,
        low=value / row["factor"],
        high=value * row["factor"],
        unit="1",
        origin=Origin.MODELLED,
        source=f"{row['title']}: {row['source']} ({row['status']}); band: {row['band']}",
    )


def times_the_tokens(batch: float, before: float, critical: Quantity) -> Quantity:
    """Tokens to one loss with a batch, over those with the batch before; all in tokens of a step.

    From 16 to 64 sequences at a critical batch of 71: (1 + 64 / 71) / (1 + 16 / 71) = 1.55.

    >>> critical = Quantity.exact(71, "1", "MLPerf")
    >>> round(times_the_tokens(64, 16, critical).value, 2)
    1.55
    """
    value, *ends = ((1 + batch / at) / (1 + before / at) for at in critical.numbers())
    return Quantity(
        value=value,
        low=min(ends),
        high=max(ends),
        unit="1",
        origin=Origin.MODELLED,
        source=f"(1 + batch / critical) over the same before; {critical.source}",
    )


def with_batch(scenario: Scenario, sequences: int) -> Priced:
    """A run with so many sequences a step, and the tokens with which it has the loss that it had.

    Raises:
        InputError: the batch is not above 0, or the run is not pre-training.
    """
    if sequences < 1:
        raise InputError("expected --batch of 1 or more", f"{sequences}")
    if not scenario.workload.is_pre_training:
        raise InputError(
            "expected pre-training, of whose batches the law speaks",
            scenario.workload.kind,
            "set the batch of each with run.batch_sequences",
        )
    shape = scenario.model.resolve()
    own = scenario.run.sequences(float(shape.seq_len))
    critical = critical_tokens(law(DEFAULT_LAW).loss(size_of(shape), scenario.tokens))
    step, before = (float(count) * float(shape.seq_len) for count in (sequences, own))
    times = times_the_tokens(step, before, critical)
    value, low, high = times.numbers()
    table = scenario.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    changed = {
        "run.tokens": scenario.tokens * value,
        "run.steps": None,
        "run.batch_sequences": sequences,
        "run.batch_tokens": None,
    }
    share = significant(critical.numbers()[0] / 1e6)
    note = (
        f"batch: {sequences:,} sequences need {value:.2f} ({low:.2f} to {high:.2f}) times the "
        f"tokens of {own:,.0f} to the same loss; critical batch {share}M tokens by "
        f"{of_batches()['title']}, in no band here"
    )
    priced = with_overrides(table, changed, f"scenario {scenario.name}")
    return Priced(scenario=priced, critical_tokens=critical, times=times, note=note)


@dataclass(frozen=True)
class ReferencePoint:
    """Runs of one model to one loss with several batches, as published.

    Attributes:
        name: of the model.
        loss: that all of them reached.
        seq_len: tokens of a sequence.
        batches: sequences of a step.
        sequences: mean number that each took.
        source: citation.
    """

    name: str
    loss: float
    seq_len: int
    batches: tuple[int, ...]
    sequences: tuple[float, ...]
    source: str


def reference_points() -> list[ReferencePoint]:
    """What the law is compared with; nothing of it is fitted to them."""
    return [
        ReferencePoint(
            name=row["name"],
            loss=row["loss"],
            seq_len=row["seq_len"],
            batches=tuple(row["batches"]),
            sequences=tuple(row["sequences"]),
            source=row["source"],
        )
        for row in of_batches()["reference"]
    ]
