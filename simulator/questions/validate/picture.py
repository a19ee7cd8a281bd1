"""Pictures of a validation: predicted over reported figures, with the 80 % bands."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes

from energy.colors import DENSE, SPARSE
from simulator.kit.style import (
    ANSWER,
    LOST,
    REFERENCE,
    Panel,
    finish,
    log_x,
    log_y,
    named_rows,
    whiskers,
)
from simulator.questions.validate.answer import Validated
from simulator.questions.validate.records import Agreement
from simulator.questions.validate.runs import Runs
from simulator.questions.validate.serving import ServingValidation
from simulator.questions.validate.throughput import Validation


def panels(answer: Validated) -> Sequence[Panel]:
    """A panel for the rows, one for the runs, and one for each pair of records."""
    drawn: list[Panel] = []
    if answer.throughput is not None:
        drawn.append(partial(rows, answer.throughput.validation))
    if answer.runs is not None:
        drawn.append(partial(chip_hours, answer.runs))
    if answer.serving is not None:
        drawn.append(partial(served, answer.serving))
    drawn += [partial(errors, agreement) for agreement in answer.agreements or ()]
    return drawn


def rows(validation: Validation, axes: Axes) -> Axes:
    """Predicted and reported throughput of each row, by whether the band contains it."""
    reported, predicted = validation.reported, validation.reported * np.exp(validation.error)
    known = np.isfinite(validation.error)
    in_band = (reported >= validation.low) & (reported <= validation.high)
    for mask, color, marker, label in (
        (known & in_band, ANSWER, "o", "within the 80 % band"),
        (known & ~in_band, LOST, "x", "outside"),
    ):
        axes.scatter(
            reported[mask],
            predicted[mask],
            s=8,
            c=color,
            marker=marker,
            linewidths=0.7,
            label=label,
        )
    ends = [float(np.nanmin(reported)), float(np.nanmax(reported))]
    axes.plot(ends, ends, color=REFERENCE, linestyle="--", label="predicted = reported")
    axes.set_xlabel("reported / (tokens/s per chip)")
    axes.set_ylabel("predicted / (tokens/s per chip)")
    # Above the line no point is near; the best place among thousands takes a second to look for.
    return finish(log_y(log_x(axes)), legend="upper left")


def served(validation: ServingValidation, axes: Axes) -> Axes:
    """Predicted and measured joules of a token of each row, by kind."""
    measured = validation.measured("j_per_token")
    error = validation.errors.by_figure["j_per_token"]
    for kind, label, color, marker in (
        ("dense", "dense", DENSE, "x"),
        ("moe", "MoE", SPARSE, "o"),
    ):
        mask = (validation.errors.kinds == kind) & np.isfinite(error)
        predicted = measured[mask] * np.exp(-error[mask])
        axes.scatter(
            measured[mask],
            predicted,
            s=10,
            c=color,
            marker=marker,
            linewidths=0.8,
            label=label,
        )
    ends = [float(np.nanmin(measured)), float(np.nanmax(measured))]
    axes.plot(ends, ends, color=REFERENCE, linestyle="--", label="predicted = measured")
    axes.set_xlabel("measured joules of a token / J")
    axes.set_ylabel("predicted joules of a token / J")
    # Above the line no point is near; the best place among thousands takes a second to look for.
    return finish(log_y(log_x(axes)), legend="upper left")


def chip_hours(runs: Runs, axes: Axes) -> Axes:
    """Blind chip-hours of each run over the reported ones, with their band."""
    known = [run for run in runs.runs if run.chip_hours_blind.error is not None]
    for place, run in enumerate(known):
        hours = run.chip_hours_blind
        reported, predicted = float(hours.reported or 1.0), float(hours.predicted or 0.0)
        low, high = (float(end or predicted) / reported for end in (hours.low, hours.high))
        whiskers(axes, place, predicted / reported, low, high, "80 % band" if place == 0 else None)
    for is_within, color, mark, label in (
        (True, ANSWER, "o", "reported within the band"),
        (False, LOST, "X", "reported outside the band"),
    ):
        places = [
            place
            for place, run in enumerate(known)
            if bool(run.chip_hours_blind.in_band) is is_within
        ]
        ratios = [1.0 + float(known[place].chip_hours_blind.error or 0.0) for place in places]
        if places:
            axes.plot(ratios, places, mark, color=color, zorder=3, label=label)
    axes.axvline(1.0, color=REFERENCE, linestyle="--")
    axes.set_xlabel("chip-hours, predicted / reported")
    return named_rows(log_x(axes), [run.row.run_id for run in known])


def errors(agreement: Agreement, axes: Axes) -> Axes:
    """Signed error of each number of a run, by whether its band contains the measured one."""
    known = [row for row in agreement.rows if row.error is not None]
    for is_within, color, hatch, label in (
        (True, ANSWER, "", "measured within the 80 % band"),
        (False, LOST, "//", "measured outside the band"),
    ):
        places = [place for place, row in enumerate(known) if bool(row.in_band) is is_within]
        percent = [100 * float(known[place].error or 0.0) for place in places]
        if places:
            axes.barh(
                places,
                percent,
                color=color,
                hatch=hatch,
                edgecolor="white",
                height=0.6,
                label=label,
            )
    axes.axvline(0.0, color=REFERENCE, linestyle="--")
    axes.set_xlabel(f"{agreement.name}: error / %")
    return named_rows(axes, [row.name for row in known])
