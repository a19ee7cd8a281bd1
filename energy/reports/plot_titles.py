"""What each picture of a report says, in a line: the titles of the figures of a page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from energy.inputs import is_number
from energy.parallel import Rank
from energy.reports.plots import averages, compared, smoothed
from energy.reports.runs import Run, pairs
from energy.units import energy, si, significant


def of_losses(runs: Sequence[Run]) -> str:
    """What the runs had spent when they reached the lowest loss that all of them reach."""
    curves = {run.record.name: curve for run in runs if run.measured and (curve := _curve(run))}
    if not curves:
        return "Loss against joules"
    reached = max(min(loss for _, loss in curve) for curve in curves.values())
    spent = {
        name: next(joules for joules, loss in curve if loss <= reached)
        for name, curve in curves.items()
    }
    parts = (f"{name} {energy(joules)}" for name, joules in spent.items())
    return f"To a loss of {reached:.2f} nats: {', '.join(parts)}"


def _curve(run: Run) -> list[tuple[float, float]]:
    """Joules and the smoothed loss, of lines that have both."""
    rows = [r for r in run.metrics if is_number(r.get("energy_j")) and is_number(r.get("loss"))]
    losses = smoothed([row["loss"] for row in rows])
    return [(row["energy_j"], loss) for row, loss in zip(rows, losses, strict=True)]


def of_predictions(runs: Sequence[Run]) -> str:
    """How many measured numbers are in the band of their prediction."""
    inside, total = 0, 0
    for pair in pairs(runs):
        for _, predicted, measured in compared(pair):
            if predicted.value is not None and measured.value:
                _, low, high = predicted.numbers()
                total += 1
                inside += low <= measured.value <= high
    return f"{inside} of {total} measured numbers are within the predicted 80 % band"


def of_power(runs: Sequence[Run]) -> str:
    """The mean watts of each run over the time that was read."""
    parts = []
    for run in runs:
        known = [
            (end - begin, watts)
            for segment in run.segments()
            for begin, end, watts in averages(segment)
            if not math.isnan(watts)
        ]
        seconds = sum(length for length, _ in known)
        if seconds:
            mean = sum(length * watts for length, watts in known) / seconds
            parts.append(f"{run.record.name} {si(mean, 'W')}")
    return f"Mean power: {', '.join(parts)}"


def of_parts(runs: Sequence[Run]) -> str:
    """The part of each predicted step that takes most of its joules."""
    words = []
    for run in runs:
        parts = {
            part.name: part.energy_j.value
            for part in run.record.parts
            if part.energy_j is not None and part.energy_j.value
        }
        if not run.measured and parts:
            largest = max(parts, key=lambda name: parts[name])
            share = parts[largest] / sum(parts.values())
            words.append(f"{largest.replace('_', ' ')} {share:.0%} of {run.record.name}")
    return f"Most joules: {', '.join(words)}" if words else "Where FLOP go"


def of_experts(run: Run) -> str:
    """The fullest expert of a run at its end."""
    loads = [row["expert_load"] for row in run.metrics if row.get("expert_load")]
    if not loads:
        return f"Expert load of {run.record.name}"
    most = max(share * len(layer) for layer in loads[-1] for share in layer)
    return f"{run.record.name}: the fullest expert has {significant(most)} times an even share"


def of_waiting(name: str, ranks: Sequence[Rank]) -> str:
    """The rank that waits most."""
    most = max(ranks, key=lambda rank: rank.waiting_s.value or 0.0)
    share = most.waiting_share.value or 0.0
    return f"{name}: rank {most.rank} waits most, {share:.0%} of its steps"
