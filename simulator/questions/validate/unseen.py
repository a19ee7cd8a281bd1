"""What a newcomer meets: rows whose publisher no fit saw, and what one row of theirs is worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simulator.facts.kinds import KINDS
from simulator.fit.from_rows import OnProgress
from simulator.fit.newcomers import (
    Unseen,
    calibration_rows,
    newcomers,
    publishers_left_out,
    shifted,
)
from simulator.fit.own import scale
from simulator.questions.validate.throughput import Validation


def without_publishers(fitted: Validation, unseen: Unseen, calibration: Unseen) -> Validation:
    """The rows of a validation as fits without their publisher predict them.

    What such a fit expects of newcomers (slowdown, band) comes without the publisher too.

    Args:
        fitted: the rows, by the constants as they are.
        unseen: the same rows, with the errors of fits without their publisher.
        calibration: rows that are in no fit.
    """
    errors = np.full(len(unseen.rows), np.nan)
    low, high = errors.copy(), errors.copy()
    names = np.array([row.publisher for row in unseen.rows])
    kinds = np.array([row.kind for row in unseen.rows])
    for name in sorted(set(names)):
        out = names == name
        others = (
            part.take(np.array([row.publisher != name for row in part.rows], bool))
            for part in (unseen, calibration)
        )
        expected = newcomers(*others)
        for kind in KINDS:
            chosen = out & (kinds == kind)
            errors[chosen] = shifted(unseen.take(chosen), expected[kind]["slower"])
            ends = expected[kind]["new_publisher"]
            low[chosen], high[chosen] = np.exp(ends["low"]), np.exp(ends["high"])
    rate = fitted.reported * np.exp(errors)
    return replace(fitted, low=rate * low, high=rate * high, error=errors)


def publisher_left_out(fitted: Validation, on_progress: OnProgress) -> Validation:
    """Fit anew without each publisher, and predict its rows: the other newcomers calibrate.

    Args:
        fitted: rows by the constants as they are.
        on_progress: called with each publisher.
    """
    unseen = publishers_left_out(fitted.evaluated.rows, on_progress)
    return without_publishers(fitted, unseen, calibration_rows(fitted.pool))


def given_one(validation: Validation) -> Validation:
    """The same rows, where the first measured one of each source and chip is known.

    The known rows are not judged, and neither are rows of a source and chip that has no other.

    Args:
        validation: predictions that saw no row of these sources, by a pool with spreads.

    Raises:
        MissingDataError: the pool has no spreads between and within sources.
    """
    rows = validation.evaluated.rows
    error, low, high = validation.error.copy(), validation.low.copy(), validation.high.copy()
    reported = validation.reported
    groups: dict[tuple[str, str], list[int]] = {}
    for place, row in enumerate(rows):
        if np.isfinite(validation.error[place]):
            groups.setdefault((row.source, row.chip.id), []).append(place)
    for places in groups.values():
        known = next((i for i in places if rows[i].tier != "C"), places[0])
        scaled = scale(
            {rows[known].kind: [float(validation.error[known])]}, validation.pool.newcomers
        )
        for place in set(places) - {known}:
            own = scaled[rows[place].kind]
            error[place] -= own["ln"]
            rate = reported[place] * np.exp(error[place])
            low[place], high[place] = rate * np.exp(own["low"]), rate * np.exp(own["high"])
        error[known] = np.nan
    return replace(validation, error=error, low=low, high=high)
