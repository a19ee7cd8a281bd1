"""Plots of runs: each function draws on an Axes and returns it.

Every concept has one color and one line style in all plots, distinguishable in grayscale too. Every
axis has a unit, bands are drawn, and joules and watts are labeled measured, modelled or assumed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from energy.colors import (
    ANSWER,
    DENSE,
    FACTOR,
    LOST,
    PREDICTED,
    REFERENCE,
    SPARSE,
    STEP,
)
from energy.inputs import is_number
from energy.ledger.segment import Segment
from energy.parallel import Rank
from energy.quantity import Boundary, Origin, Quantity
from energy.record import RunRecord
from energy.reports.runs import Pair, Run, pairs

MARKERS = ("", "o", "s", "^", "v", "D", "x", "+")
"""Signs on the lines of the first run of a picture, the second and so on."""


def style(run: Run, place: int = 0) -> dict[str, Any]:
    """Color and line of a run: solid for a mixture of experts, dashed for a dense model.

    Args:
        run: to draw.
        place: among the runs of a picture; further ones have signs on their lines.
    """
    signs = {"marker": MARKERS[place % len(MARKERS)], "markersize": 4, "markevery": 0.1}
    line = {"color": SPARSE if run.sparse else DENSE, "linestyle": "-" if run.sparse else "--"}
    return line | (signs if place else {})


def title(run: Run) -> str:
    """The name of a run, and the kind of its model where that is known."""
    kind = f" ({'MoE' if run.sparse else 'dense'})" if run.record.shape else ""
    return f"{run.record.name}{kind}"


def chip_total(record: RunRecord) -> Quantity:
    """Joules at the innermost boundary of a record."""
    if not record.totals:
        return Quantity.absent("J", "no joules in the record")
    return record.totals[min(record.totals, key=list(Boundary).index)]


def loss_against_energy(runs: Iterable[Run], axes: Axes) -> Axes:
    """Training loss over the joules spent so far, a line per run; lower left is better."""
    origins = "none"
    for run in runs:
        # Lines without joules or with a loss that is no number have no place on the axes.
        rows = [
            row
            for row in run.metrics
            if is_number(row.get("energy_j")) and is_number(row.get("loss"))
        ]
        if not run.measured or not rows:
            continue
        joules, losses = [row["energy_j"] for row in rows], [row["loss"] for row in rows]
        axes.plot(joules, losses, linewidth=0.8, alpha=0.4, **style(run))
        axes.plot(joules, smoothed(losses), label=title(run), linewidth=2, **style(run))
        origins = chip_total(run.record).origins
        validation_loss = run.record.metrics.get("validation_loss")
        if validation_loss is not None and validation_loss.value is not None:
            axes.plot(
                rows[-1]["energy_j"],
                validation_loss.value,
                "o",
                color=style(run)["color"],
                markerfacecolor="white",
            )
    axes.set_xlabel(f"energy so far / J ({origins})")
    axes.set_ylabel("loss / nat per token")
    return _finish(axes)


def measured_against_predicted(runs: Iterable[Run], axes: Axes) -> Axes:
    """Predicted over measured, with the predicted band, for time, FLOP, energy and CO2."""
    names: list[str] = []
    for pair in pairs(runs):
        for label, predicted, measured in compared(pair):
            if predicted.value is None or not measured.value:
                continue
            value, low, high = (number / measured.value for number in predicted.numbers())
            axes.errorbar(
                value,
                len(names),
                xerr=[[value - low], [high - value]],
                fmt="o" if pair.measured.sparse else "s",
                capsize=3,
                color=style(pair.measured)["color"],
                ecolor=PREDICTED,
            )
            names.append(f"{pair.measured.record.name}: {label}")
    if names:
        axes.axvline(1, color=REFERENCE, linewidth=0.8)
    axes.set_xscale("log")
    # A few plain numbers: powers of ten at every minor tick would overlap.
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("predicted / measured (bar: 80 % band; line at 1: measured)")
    axes.grid(axis="x", alpha=0.3)
    return axes


def power_over_time(runs: Iterable[Run], axes: Axes) -> Axes:
    """Watts of all devices that count, between the samples of each run's ledger."""
    origins, place = "none", -1
    for run in runs:
        powers = [(segment, *_power(segment)) for segment in run.segments()]
        powers = [power for power in powers if power[-1]]
        place += bool(powers)
        for number, (segment, times, watts) in enumerate(powers):
            axes.step(
                [time - segment.start_s for time in times],
                watts,
                where="pre",
                label=title(run) if number == 0 else None,
                **style(run, place),
            )
            origins = chip_total(run.record).origins
    axes.set_xlabel("time since the start / s")
    axes.set_ylabel(f"power / W\n({origins})")
    # From zero and with room above, or a steady load would coincide with the frame.
    axes.set_ylim(0, 1.15 * axes.get_ylim()[1])
    return _finish(axes)


def parts(runs: Iterable[Run], axes: Axes) -> Axes:
    """Shares of executed FLOP and modelled joules by part of the predicted step."""
    bars = [bar for run in runs if not run.measured for bar in _bars(run.record)]
    shown: set[str] = set()
    for row, (_, values) in enumerate(bars):
        left = 0.0
        for name, value in values.items():
            share = 100 * value / sum(values.values())
            color, hatch = STEP.get(name, (FACTOR, ""))
            axes.barh(
                row,
                share,
                left=left,
                color=color,
                edgecolor="white",
                hatch=hatch,
                label=None if name in shown else name.replace("_", " "),
            )
            shown.add(name)
            left += share
    axes.set_yticks(range(len(bars)), [label for label, _ in bars])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("share / %")
    if shown:
        axes.legend(
            loc="upper center",
            bbox_to_anchor=(0.4, -0.16),
            ncols=3,
            frameon=False,
            fontsize="small",
        )
    return axes


def expert_load(run: Run, axes: Axes) -> Axes:
    """Load of each expert over training, layer below layer; 1 is an even share."""
    rows = [row for row in run.metrics if row.get("expert_load")]
    layers, experts = len(rows[0]["expert_load"]), len(rows[0]["expert_load"][0])
    grid = [
        [row["expert_load"][layer][expert] * experts for row in rows]
        for layer in range(layers)
        for expert in range(experts)
    ]
    image = axes.imshow(
        grid,
        aspect="auto",
        cmap="cividis",
        vmin=0,
        vmax=3,
        interpolation="nearest",
        extent=(rows[0]["step"], rows[-1]["step"], layers * experts, 0),
    )
    figure = axes.get_figure()
    if figure is not None:
        figure.colorbar(image, ax=axes, label="load / even share")
    for number in range(1, layers):
        axes.axhline(number * experts, color="white", linewidth=1.5)
    axes.set_yticks(
        [(number + 0.5) * experts for number in range(layers)],
        [f"MoE layer {number + 1}\n{experts} experts" for number in range(layers)],
    )
    axes.set_xlabel("optimizer step")
    return axes


def waiting(ranks: Sequence[Rank], axes: Axes) -> Axes:
    """Seconds of work and of waiting of each rank, those that wait least on the left."""
    ordered = sorted(ranks, key=lambda rank: rank.waiting_s.value or 0.0)
    places = range(len(ordered))
    waits = [rank.waiting_s.value or 0.0 for rank in ordered]
    # The waiting is that share of the time of the steps, which is as long for all.
    shares = [rank.waiting_share.value or 0.0 for rank in ordered]
    whole = max((w / share for w, share in zip(waits, shares, strict=True) if share), default=0.0)
    work = [whole - seconds for seconds in waits]
    axes.bar(places, work, label="work", color=ANSWER)
    axes.bar(places, waits, bottom=work, label="waiting", color=LOST, hatch="//")
    if len(ordered) <= MOST_LABELS:
        axes.set_xticks(places, [str(rank.rank) for rank in ordered])
    else:
        axes.set_xticks([])
    axes.set_xlabel("rank, from the one that waits least")
    axes.set_ylabel("time of the steps / s")
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return axes


MOST_LABELS = 64
"""Ranks that are numbered below their bars."""


def compared(pair: Pair) -> list[tuple[str, Quantity, Quantity]]:
    """The quantities of a run that are compared: label, predicted, measured."""
    predicted, measured = pair.predicted.record, pair.measured.record
    modelled = chip_total(measured).origin is not Origin.MEASURED
    energy_label = "energy (modelled on both sides)" if modelled else "energy"
    return [
        ("time", predicted.elapsed_s, measured.elapsed_s),
        ("model FLOP", predicted.model_flop, measured.model_flop),
        (energy_label, chip_total(predicted), chip_total(measured)),
        ("CO2e, modelled", predicted.co2_location_g, measured.co2_location_g),
    ]


def _bars(record: RunRecord) -> Iterator[tuple[str, dict[str, float]]]:
    """The bars of a predicted record: label, and value by part."""
    for label, field in (("FLOP", "executed_flop"), ("joules, modelled", "energy_j")):
        values = {
            part.name: quantity.value
            for part in record.parts
            if (quantity := getattr(part, field)) is not None and quantity.value
        }
        if values:
            yield f"{record.name}: {label}", values


def averages(segment: Segment) -> list[tuple[float, float, float]]:
    """Begin and end of each interval between samples, and its mean watts.

    The watts are NaN where a device was not read.
    """
    readable = {d["id"]: d for d in segment.header["domains"] if not d.get("reason")}
    outer = [segment.coverage(name) for name, d in readable.items() if d["within"] not in readable]
    means = []
    for begin, end in pairwise(segment.times) if outer else ():
        # Two samples at the edge of a window can be too close for a coarse counter.
        if end - begin > 0.2:
            shares = [coverage.between(begin, end) for coverage in outer]
            missing = any(share.missing for share in shares)
            joules = sum(share.read_j + share.bridged_j for share in shares)
            means.append((begin, end, math.nan if missing else joules / (end - begin)))
    return means


def _power(segment: Segment) -> tuple[list[float], list[float]]:
    """Edges of the sampling intervals, and the mean watts before each.

    The watts of the first interval stand at both of its edges. NaN leaves a gap in a line.
    """
    means = averages(segment)
    ends = [begin for begin, _, _ in means[:1]] + [end for _, end, _ in means]
    return ends, [watts for _, _, watts in means[:1]] + [watts for _, _, watts in means]


def smoothed(values: Sequence[float], memory: float = 0.6) -> list[float]:
    """Exponential moving average with bias correction."""
    means, total, weight = [], 0.0, 0.0
    for value in values:
        total, weight = memory * total + value, memory * weight + 1
        means.append(total / weight)
    return means


def _finish(axes: Axes) -> Axes:
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False)
    return axes
