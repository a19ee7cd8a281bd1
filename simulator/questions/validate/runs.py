"""Whole runs: chip-hours, watts and energy, predicted blind and given what the run itself reports.

chip-hours = work / (predicted rate of a chip * share of its steady rate that a run keeps)
energy = chip-hours * watts of a chip * boundary factors

Blind is from the configuration alone. Conditional is what most tools report: energy given the
run's own hours, hours given its own utilisation. What a run keeps of its steady rate (restarts,
evaluation, checkpoints, a plan that is not the fastest) is the median of the published runs of
other developers; the spread of theirs is the band.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from energy.facts.site import Site, site
from energy.flops import model_flop
from energy.shape import total
from energy.units import J_PER_MWH, S_PER_HOUR
from simulator.fit.pool import Pool
from simulator.fit.throughput import Evaluated, evaluate
from simulator.physics.hardware import Hardware
from simulator.physics.power import watts_of
from simulator.physics.step import Step, step
from simulator.published.runs import RunRow, RunTable, read_runs
from simulator.published.shipped import runs_of
from simulator.runs.hosts import host_ratio

Array = NDArray[np.float64]


FEWEST_RUNS = 8


KEPT = (0.55, 0.78, 0.95)
"""Share of the steady rate that a run keeps, low to high, where too few published runs tell."""


WATTS_BAND = (-0.18, 0.18)
"""80 % band of modelled watts in logarithms: published watts of one chip differ by as much."""


@dataclass(frozen=True)
class Guess:
    """A predicted number with its 80 % band, and the reported one; None where there is none."""

    predicted: float | None
    low: float | None
    high: float | None
    reported: float | None

    @property
    def error(self) -> float | None:
        """Predicted / reported - 1."""
        if self.predicted is None or not self.reported:
            return None
        return self.predicted / self.reported - 1

    @property
    def in_band(self) -> bool | None:
        """Whether the reported number lies in the band."""
        if self.reported is None or self.low is None or self.high is None:
            return None
        return self.low <= self.reported <= self.high


@dataclass(frozen=True)
class WholeRun:
    """One run: what was predicted of it, blind and conditional."""

    row: RunRow
    chip_hours_blind: Guess
    chip_hours_conditional: Guess
    watts_blind: Guess
    energy_blind: Guess
    energy_conditional: Guess


@dataclass(frozen=True)
class Runs:
    """All runs of a table, and why others could not be predicted."""

    runs: tuple[WholeRun, ...]
    skipped: dict[str, str]


def whole_runs(table: RunTable, pool: Pool) -> Runs:
    """Predict every run of a table."""
    if not table.rows:
        return Runs((), table.skipped)
    made = evaluate([row.configuration for row in table.rows], pool)
    hours, watts = _steady_hours(table.rows, made), _watts(made, pool)
    ratios, place = _published_ratios(pool), site(None)
    runs = [
        _run(row, float(h), float(w), kept_share(row.developer, ratios), place)
        for row, h, w in zip(table.rows, hours, watts, strict=True)
    ]
    return Runs(tuple(runs), table.skipped)


def _steady_hours(rows: Sequence[RunRow], made: Evaluated) -> Array:
    """Chip-hours if every step were a steady one: tokens / (tokens/s a chip)."""
    found = []
    for row, rate in zip(rows, made.tokens_per_s, strict=True):
        per_token = float(total(model_flop(row.configuration.shape)))
        # Reported FLOP are the work itself; 6 P a token is not that of an encoder and decoder.
        tokens = row.flop / per_token if row.flop else float(row.tokens or np.nan)
        found.append(tokens / rate / S_PER_HOUR)
    return np.array(found)


def _watts(made: Evaluated, pool: Pool) -> Array:
    """Watts of one chip in each run's steady step."""
    plans = made.plans
    constants = pool.resolve(plans.groups)
    found: Step = step(plans.shape, plans.plan, plans.hardware, constants)
    hardware: Hardware = plans.hardware
    watts = watts_of(found.compute_busy, found.memory_busy, found.link_busy, hardware, constants)
    return np.broadcast_to(np.asarray(watts, float), made.tokens_per_s.shape)


def _published_ratios(pool: Pool) -> list[tuple[str, float]]:
    """ln(steady hours / reported hours) of the published runs, with their developers."""
    rows = [row for row in read_runs(runs_of("published")).rows if row.chip_hours]
    steady = _steady_hours(rows, evaluate([row.configuration for row in rows], pool))
    return [
        (row.developer, float(np.log(h / float(row.chip_hours or np.nan))))
        for row, h in zip(rows, steady, strict=True)
    ]


def kept_share(developer: str, ratios: list[tuple[str, float]]) -> tuple[float, float, float]:
    """Share of the steady rate that a run keeps (low, middle, high), without one's own runs.

    The runs of a developer are alike, and a new run is of a new one: each developer counts as
    one, and the newcomer as one more that may lie beyond them all (two-layer conformal
    prediction, Dunn, Wasserman and Ramdas, arXiv:1809.07441).
    """
    others = sorted((ratio, name) for name, ratio in ratios if name != developer)
    if len(others) < FEWEST_RUNS:
        return KEPT
    runs = Counter(name for _, name in others)
    weight = np.array([1 / runs[name] for _, name in others])
    reached = (np.cumsum(weight) - weight / 2) / (len(runs) + 1) + 0.5 / (len(runs) + 1)
    low, middle, high = np.exp(np.interp((0.1, 0.5, 0.9), reached, [ratio for ratio, _ in others]))
    return float(low), float(middle), float(high)


def _run(
    row: RunRow, steady_hours: float, chip_w: float, kept: tuple[float, float, float], place: Site
) -> WholeRun:
    low, middle, high = kept
    hours = Guess(steady_hours / middle, steady_hours / high, steady_hours / low, row.chip_hours)
    host = host_ratio(row.configuration.chip, chip_w) if chip_w > 0 else None
    node = (host or place.node_over_chip).numbers()
    over = node if row.scope in ("system", "node") else (1.0, 1.0, 1.0)
    spread = np.exp(WATTS_BAND)
    watts = (
        _finite(chip_w * over[0]),
        _finite(chip_w * over[1] * spread[0]),
        _finite(chip_w * over[2] * spread[1]),
    )
    pue = row.pue or (place.pue.numbers()[0] if row.energy_scope == "facility" else 1.0)
    raised = pue if row.energy_scope == "facility" else 1.0

    def energy(hours_: tuple[float | None, float | None, float | None]) -> Guess:
        ends = [
            None if h is None or w is None else h * S_PER_HOUR * w * raised / J_PER_MWH
            for h, w in zip(hours_, watts, strict=True)
        ]
        return Guess(ends[0], ends[1], ends[2], row.energy_mwh)

    given = (row.chip_hours,) * 3
    return WholeRun(
        row,
        hours,
        _given_utilisation(row, hours),
        Guess(*watts, row.watts),
        energy((hours.predicted, hours.low, hours.high)),
        energy(given),
    )


def _given_utilisation(row: RunRow, blind: Guess) -> Guess:
    """Chip-hours from the run's own utilisation: work / (utilisation * peak)."""
    if not row.utilization:
        return replace(blind, predicted=None, low=None, high=None)
    chip, shape = row.configuration.chip, row.configuration.shape
    work = row.flop or float(row.tokens or np.nan) * float(total(model_flop(shape)))
    hours = (
        work / (row.utilization * chip.peak_flop_per_s(row.configuration.precision)) / S_PER_HOUR
    )
    return Guess(hours, hours * 0.9, hours * 1.35, row.chip_hours)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
