"""The page of `simulator validate --runs`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from energy.reports.words import console, table
from simulator.questions.validate.runs import Guess, Runs, WholeRun

Pick = Callable[[WholeRun], Guess]


QUESTIONS: dict[str, dict[str, Pick]] = {
    "chip_hours": {
        "blind": lambda run: run.chip_hours_blind,
        "conditional": lambda run: run.chip_hours_conditional,
    },
    "energy_mwh": {
        "blind": lambda run: run.energy_blind,
        "conditional": lambda run: run.energy_conditional,
    },
    "watts_per_chip": {"blind": lambda run: run.watts_blind},
}


def page(found: Runs) -> None:
    """Print every run, then the errors of each question."""
    out = console()
    rows = table(
        "run",
        "chip-hours reported",
        "blind",
        "80 % band",
        "watts reported",
        "blind",
        "MWh reported",
        "blind",
        "given its hours",
        title="whole runs: modelled against reported",
    )
    for run in found.runs:
        hours, watts, energy = run.chip_hours_blind, run.watts_blind, run.energy_blind
        rows.add_row(
            run.row.run_id,
            _number(hours.reported),
            _number(hours.predicted),
            f"{_number(hours.low)} to {_number(hours.high)}",
            f"{_number(watts.reported)} {run.row.scope}" if watts.reported else "missing",
            _number(watts.predicted),
            _number(energy.reported),
            _number(energy.predicted),
            _number(run.energy_conditional.predicted),
        )
    out.print(rows)
    out.print()
    errors = table(
        "",
        "runs",
        "median error",
        "90th percentile",
        "signed median",
        "band holds",
        title="energy is judged by measured watts alone",
    )
    for name, ways in QUESTIONS.items():
        for way, pick in ways.items():
            told = summary([pick(run) for run in found.runs])
            if told["n"]:
                errors.add_row(
                    f"{name}, {way}",
                    f"{told['n']}",
                    *(f"{told[key]:.1%}" for key in ("median_abs_rel_error", "p90_abs_rel_error")),
                    f"{told['median_signed']:+.1%}",
                    f"{told['band_coverage']:.0%}",
                )
    out.print(errors)
    for name, why in list(found.skipped.items())[:5]:
        out.print(f"not predicted: {name}: {why}", markup=False)
    if len(found.skipped) > 5:
        out.print(f"and {len(found.skipped) - 5} more not predicted; --json names them")


def summary(guesses: list[Guess]) -> dict[str, Any]:
    """Errors of the guesses whose number was reported."""
    held = [one for one in guesses if one.error is not None]
    if not held:
        return {
            "n": 0,
            "median_abs_rel_error": None,
            "p90_abs_rel_error": None,
            "median_signed": None,
            "band_coverage": None,
        }
    errors = np.array([one.error for one in held], float)
    return {
        "n": len(held),
        "median_abs_rel_error": float(np.median(np.abs(errors))),
        "p90_abs_rel_error": float(np.quantile(np.abs(errors), 0.9)),
        "median_signed": float(np.median(errors)),
        "band_coverage": float(np.mean([bool(one.in_band) for one in held])),
    }


def as_json(found: Runs) -> dict[str, Any]:
    """Each question by kind of model, blind and conditional, and every run."""
    told: dict[str, Any] = {}
    for name, ways in QUESTIONS.items():
        told[name] = {
            way: {
                kind: summary([pick(run) for run in found.runs if kind in ("all", run.row.kind)])
                for kind in ("all", "dense", "moe")
            }
            for way, pick in ways.items()
        }
    told["runs"] = [
        {
            "run_id": run.row.run_id,
            "kind": run.row.kind,
            "source": run.row.source,
            "scope": run.row.scope,
            "energy_scope": run.row.energy_scope,
            "origin": "modelled",
        }
        | {
            f"{name}_{way}": _guess(pick(run))
            for name, ways in QUESTIONS.items()
            for way, pick in ways.items()
        }
        for run in found.runs
    ]
    return told | {"runs_skipped": found.skipped}


def _guess(one: Guess) -> dict[str, Any]:
    return {
        "predicted": one.predicted,
        "low": one.low,
        "high": one.high,
        "reported": one.reported,
        "error": one.error,
        "in_band": one.in_band,
    }


def _number(value: float | None) -> str:
    if value is None:
        return "missing"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
