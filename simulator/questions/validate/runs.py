"""Whole runs: chip-hours, watts and energy, predicted blind and from what the run itself reports.

chip-hours = work / (predicted rate of a chip * share of its steady rate that a run keeps)
energy = chip-hours * watts of a chip * boundary factors

Blind is from the configuration alone. Conditional is what most tools report: energy from the run's
own hours, hours from its own utilization. What a run keeps of its steady rate follows from the runs
of other developers (`simulator.questions.validate.kept`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.facts.site import Site, site
from energy.units import J_PER_MWH, S_PER_HOUR
from simulator.fit.pool import Pool
from simulator.fit.throughput import Evaluated, evaluate
from simulator.physics.power import chip_watts
from simulator.physics.step import step
from simulator.published.runs import RunRow, RunTable
from simulator.questions.validate.kept import Share, flop_per_token, kept_shares, steady_hours
from simulator.questions.validate.summary import Summary
from simulator.runs.hosts import host_ratio

Array = NDArray[np.float64]

Range = tuple[float | None, float | None, float | None]
"""A figure and the ends of its 80 % band."""

WATTS_BAND = (-0.18, 0.18)
"""80 % band of modelled watts in logarithms: published watts of one chip differ by as much."""


@dataclass(frozen=True)
class Comparison:
    """A predicted figure with its 80 % band, and the reported one; None where there is none."""

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
        """Whether the reported figure is within the band."""
        if self.reported is None or self.low is None or self.high is None:
            return None
        return self.low <= self.reported <= self.high

    def as_json(self) -> dict[str, Any]:
        """Both figures, the band and the error."""
        return asdict(self) | {"error": self.error, "in_band": self.in_band}


@dataclass(frozen=True)
class WholeRun:
    """What was predicted of one run, blind and conditional."""

    row: RunRow
    chip_hours_blind: Comparison
    chip_hours_conditional: Comparison
    watts_blind: Comparison
    energy_blind: Comparison
    energy_conditional: Comparison

    def as_json(self) -> dict[str, Any]:
        """The run and all its comparisons."""
        row = self.row
        return {
            "run_id": row.run_id,
            "kind": row.kind,
            "source": row.source,
            "scope": row.scope,
            "energy_scope": row.energy_scope,
            "hours_basis": row.hours_basis,
            "repeats": row.repeats,
            "origin": "modelled",
        } | {
            f"{figure}_{way}": comparison(self).as_json()
            for (figure, way), comparison in COMPARISONS.items()
        }


COMPARISONS: dict[tuple[str, str], Callable[[WholeRun], Comparison]] = {
    ("chip_hours", "blind"): lambda run: run.chip_hours_blind,
    ("chip_hours", "conditional"): lambda run: run.chip_hours_conditional,
    ("energy_mwh", "blind"): lambda run: run.energy_blind,
    ("energy_mwh", "conditional"): lambda run: run.energy_conditional,
    ("watts_per_chip", "blind"): lambda run: run.watts_blind,
}
"""The comparisons of a run by figure and way."""


@dataclass(frozen=True)
class Runs:
    """All runs of a table, and why others could not be predicted."""

    runs: tuple[WholeRun, ...]
    skipped: dict[str, str]

    def summary(self, figure: str, way: str, kind: str = "all") -> Summary:
        """Errors of one figure of all runs that measured it, and did not derive or repeat it.

        Args:
            figure: chip_hours, energy_mwh or watts_per_chip.
            way: blind or conditional.
            kind: all, dense or moe.
        """
        comparison = COMPARISONS[figure, way]
        of_kind = [run for run in self.runs if kind in ("all", run.row.kind)]
        judged = [
            run for run in of_kind if comparison(run).error is not None and run.row.judges(figure)
        ]
        compared = [comparison(run) for run in judged]
        return Summary.of(
            np.array([c.error for c in compared], float),
            np.array([bool(c.in_band) for c in compared], bool),
            np.array([(c.high or np.nan) / (c.low or np.nan) for c in compared], float),
            np.array([run.row.developer for run in judged], str),
        )

    def as_json(self) -> dict[str, Any]:
        """The errors of each figure by way and kind of model, and every run."""
        table: dict[str, Any] = {}
        for figure, way in COMPARISONS:
            table.setdefault(figure, {})[way] = {
                kind: self.summary(figure, way, kind).as_json() for kind in ("all", "dense", "moe")
            }
        table["runs"] = [run.as_json() for run in self.runs]
        table["runs_skipped"] = self.skipped
        return table


def whole_runs(table: RunTable, pool: Pool) -> Runs:
    """Predict every run of a table."""
    if not table.rows:
        return Runs((), table.skipped)
    configurations = [row.configuration for row in table.rows]
    evaluated = evaluate(configurations, pool, standing=pool.standing)
    watts, default_site = _watts(evaluated, pool), site(None)
    runs = [
        _run(row, float(h), float(w), kept, default_site)
        for row, h, w, kept in zip(
            table.rows,
            steady_hours(table.rows, evaluated),
            watts,
            kept_shares(table.rows, evaluated, pool),
            strict=True,
        )
    ]
    return Runs(tuple(runs), table.skipped)


def _work_flop(row: RunRow) -> float:
    """Model FLOP of a run: as reported, or from its tokens.

    Reported FLOP come first: 6 P a token is not the work of an encoder and decoder.
    """
    return row.flop or float(row.tokens or np.nan) * flop_per_token(row)


def _watts(evaluated: Evaluated, pool: Pool) -> Array:
    """Watts of one chip in the steady step of each run."""
    plans = evaluated.plans
    constants = pool.resolve(plans.groups)
    steps = step(plans.shape, plans.plan, plans.hardware, constants)
    watts = chip_watts(steps, plans.hardware, constants)
    return np.broadcast_to(np.asarray(watts, float), evaluated.tokens_per_s.shape)


def _run(
    row: RunRow,
    steady_hours: float,
    chip_w: float,
    kept: Share,
    default_site: Site,
) -> WholeRun:
    low, middle, high = kept
    hours = (steady_hours / middle, steady_hours / high, steady_hours / low)
    watts = _watts_at_scope(row, chip_w, default_site)
    is_facility = row.energy_scope == "facility"
    pue = (row.pue or default_site.pue.numbers()[0]) if is_facility else 1.0

    def energy(chip_hours: Range) -> Comparison:
        mwh = [
            None if h is None or w is None else h * S_PER_HOUR * w * pue / J_PER_MWH
            for h, w in zip(chip_hours, watts, strict=True)
        ]
        return Comparison(mwh[0], mwh[1], mwh[2], row.energy_mwh)

    return WholeRun(
        row=row,
        chip_hours_blind=Comparison(*hours, row.chip_hours),
        chip_hours_conditional=_hours_at_reported_utilization(row),
        watts_blind=Comparison(*watts, row.watts),
        energy_blind=energy(hours),
        energy_conditional=energy((row.chip_hours,) * 3),
    )


def _watts_at_scope(row: RunRow, chip_w: float, default_site: Site) -> Range:
    """Watts of a chip where the run reports them: alone, or with its share of host and network."""
    ratios = (1.0, 1.0, 1.0)
    if row.scope in ("system", "node"):
        host = host_ratio(row.configuration.chip, chip_w) if chip_w > 0 else None
        ratios = (host or default_site.node_over_chip).numbers()
    spread = np.exp(WATTS_BAND)
    return (
        _finite(chip_w * ratios[0]),
        _finite(chip_w * ratios[1] * spread[0]),
        _finite(chip_w * ratios[2] * spread[1]),
    )


def _hours_at_reported_utilization(row: RunRow) -> Comparison:
    """Chip-hours from the run's own utilization: work / (utilization * peak)."""
    if not row.utilization:
        return Comparison(None, None, None, row.chip_hours)
    peak = row.configuration.chip.peak_flop_per_s(row.configuration.precision)
    hours = _work_flop(row) / (row.utilization * peak) / S_PER_HOUR
    return Comparison(hours, hours * 0.9, hours * 1.35, row.chip_hours)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
