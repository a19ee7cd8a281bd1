"""The attempts and ranks of a job in words, and as tables of a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from energy import units
from energy.parallel import Attempt, Rank
from energy.quantity import Quantity
from energy.record import RunRecord

SHOWN_RANKS = 64
"""Ranks that the page shows: those that wait least and those that wait most."""


def lines(record: RunRecord) -> Iterator[str]:
    """What was lost by each attempt that died, the goodput, and who waits for whom."""
    for attempt in record.attempts:
        if attempt.wasted_s.value:
            yield (
                f"attempt {attempt.name}: lost {units.duration(attempt.wasted_s.value)}, "
                f"{_amount(attempt.wasted_j)} of {_amount(attempt.energy_j)}"
            )
    goodput = record.metrics.get("goodput")
    if len(record.attempts) > 1 and goodput is not None and goodput.value is not None:
        yield f"goodput: {100 * goodput.value:.3g} % of the time of {len(record.attempts)} attempts"
    waits = [rank for rank in record.ranks if rank.waiting_s.value is not None]
    if waits and any(rank.waiting_s.value for rank in waits):
        slow = max(waits, key=lambda rank: rank.slowest)
        share = sum(rank.waiting_share.value or 0.0 for rank in waits) / len(waits)
        joules = sum(rank.waiting_j.value or 0.0 for rank in waits)
        yield (
            f"slowest: rank {slow.rank} ({slow.host}), in {slow.slowest:,} of {slow.steps:,} "
            f"steps; ranks wait {100 * share:.3g} % of their steps, {units.energy(joules)}"
        )


def tables(record: RunRecord) -> str:
    """Tables of the attempts and the ranks for a page; empty without any."""
    return _attempts(record.attempts) + _ranks(record.ranks)


def _attempts(attempts: Sequence[Attempt]) -> str:
    if not attempts:
        return ""
    titles = (
        "attempt",
        "ended",
        "ranks",
        "time",
        "energy",
        "lost time",
        "lost energy",
        "lost FLOP",
    )
    rows = [
        (
            attempt.name,
            "died" if attempt.died else "in order",
            str(attempt.ranks),
            *map(
                _cell,
                (attempt.elapsed_s, attempt.energy_j, attempt.wasted_s, attempt.wasted_j),
            ),
            _cell(attempt.wasted_flop),
        )
        for attempt in attempts
    ]
    return _table("Attempts", titles, rows)


def _ranks(ranks: Sequence[Rank]) -> str:
    if not ranks:
        return ""
    titles = ["rank", "machine", "devices", "energy", "work of a step", "slowest in"]
    titles += ["waits", "of its steps", "energy of waiting"]
    ordered = sorted(ranks, key=lambda rank: (-rank.slowest, rank.waiting_s.value or 0.0))
    half = SHOWN_RANKS // 2
    shown = ordered if len(ordered) <= SHOWN_RANKS else [*ordered[:half], *ordered[-half:]]
    rows = [
        (
            str(rank.rank),
            rank.host,
            ", ".join(rank.devices),
            _cell(rank.energy_j),
            _cell(rank.step_s),
            f"{rank.slowest:,} of {rank.steps:,}",
            _cell(rank.waiting_s),
            "" if rank.waiting_share.value is None else f"{100 * rank.waiting_share.value:.3g} %",
            _cell(rank.waiting_j),
        )
        for rank in shown
    ]
    left = len(ordered) - len(shown)
    return _table("Ranks" + (f"; {left:,} more in record.json" if left else ""), titles, rows)


def _table(caption: str, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return (
        f'<div class="scroll"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _amount(quantity: Quantity) -> str:
    """A quantity as a person reads it; why it is missing."""
    if quantity.value is None:
        return f"missing ({quantity.source})"
    if quantity.unit == "s":
        return units.duration(quantity.value)
    return units.energy(quantity.value) if quantity.unit == "J" else quantity.human()


def _cell(quantity: Quantity) -> str:
    """The same with its band and origin, where it has a band."""
    return str(quantity) if quantity.unit == "J" else _amount(quantity)
