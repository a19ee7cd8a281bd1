"""The picture of `simulator compare`: joules and CO2e of the runs, and each ratio's factors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes

from energy.quantity import Quantity
from simulator.kit.style import (
    ANSWER,
    FACTOR,
    REFERENCE,
    Panel,
    bar,
    human_unit,
    log_x,
    named_rows,
    whiskers,
)
from simulator.questions.compare.answer import Comparison
from simulator.questions.compare.ratio import REFUSED, Ratio
from simulator.questions.compare.serving import ServedSide
from simulator.runs.sides import METHOD, Side


def panels(comparison: Comparison) -> list[Panel]:
    """The joules of all runs, their CO2e, and each ratio to the first run taken apart."""
    first, *later = comparison.sides
    apart = [
        partial(taken_apart, first, side, ratio)
        for side, ratio in zip(later, comparison.ratios, strict=True)
    ]
    served = [partial(serving, comparison.served)] if comparison.served else []
    return [partial(energy, comparison.sides), partial(carbon, comparison.sides), *apart, *served]


def serving(sides: Sequence[ServedSide], axes: Axes) -> Axes:
    """Facility joules of a token of each model when it answers."""
    for place, side in enumerate(sides):
        bar(axes, place, side.figures.facility_j, 1.0, ANSWER, None if place else "80 % band")
    requests = [side.figures.request for side in sides]
    axes.set_xlabel(f"facility joules of a token served, batch {requests[0].batch:g} / J")
    names = [
        f"{side.name}\n({request.chips} x {request.chip})"
        for side, request in zip(sides, requests, strict=True)
    ]
    return named_rows(axes, names)


def energy(sides: Sequence[Side], axes: Axes) -> Axes:
    """Facility energy of each run, with its band and its published total."""
    unit = _totals(axes, sides, [side.facility_j for side in sides], "published_energy_j")
    axes.set_xlabel(f"facility energy / {unit}")
    return named_rows(axes, [side.name for side in sides])


def carbon(sides: Sequence[Side], axes: Axes) -> Axes:
    """CO2e of each run, with its band, its accounting and its published total."""
    unit = _totals(axes, sides, [side.co2_g for side in sides], "published_co2_g")
    methods = sorted({METHOD[side.accounting] for side in sides})
    axes.set_xlabel(f"CO2e, {' and '.join(methods)} / {unit}")
    mixed = len(methods) > 1
    return named_rows(
        axes,
        [f"{side.name} ({METHOD[side.accounting]})" if mixed else side.name for side in sides],
    )


def taken_apart(first: Side, second: Side, ratio: Ratio, axes: Axes) -> Axes:
    """The ratio of two runs and its factors, with their bands."""
    rows = {
        "model": ratio.model,
        "x machine": ratio.machine,
        "x mechanization": ratio.mechanization,
        "= energy": ratio.energy,
        "x map": ratio.map,
        "= CO2e": ratio.co2,
    }
    for place, (name, quantity) in enumerate(rows.items()):
        if quantity.value is None:
            reason = "refused: gross against net" if quantity.source == REFUSED else "missing"
            axes.text(
                0.01,
                place,
                reason,
                va="center",
                transform=axes.get_yaxis_transform(),
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )
        else:
            _factor(axes, place, quantity, product=name.startswith("="))
    axes.axvline(1, color=REFERENCE, linewidth=0.8)
    axes.margins(x=0.2)
    axes.set_xlabel(f"{second.name} / {first.name} / 1 (bar from 1; whisker: band)")
    return named_rows(log_x(axes), list(rows))


def _totals(axes: Axes, sides: Sequence[Side], quantities: Sequence[Quantity], printed: str) -> str:
    """Draw a bar for each run and a mark at its published total; return the unit of the axis.

    Args:
        axes: to draw on.
        sides: the runs.
        quantities: of each run.
        printed: metric of the records with the published total.
    """
    known = [quantity.value for quantity in quantities if quantity.value is not None]
    scale, unit = human_unit(max(known, default=1.0), quantities[0].unit)
    for place, (side, quantity) in enumerate(zip(sides, quantities, strict=True)):
        if quantity.value is None:
            axes.text(0, place, " missing", va="center")
            continue
        bar(axes, place, quantity, 1 / scale, ANSWER, "80 % band" if place == 0 else None)
        total = side.record.metrics.get(printed)
        if total is not None and total.value is not None:
            # Below the bar, so that it does not cover the band.
            axes.plot(
                total.value / scale,
                place + 0.4,
                "^",
                color="white",
                markeredgecolor=REFERENCE,
                label="as printed" if place == 0 else None,
            )
    return unit


def _factor(axes: Axes, place: int, quantity: Quantity, *, product: bool) -> None:
    """A bar from 1 to a factor or a product, with its band and its number."""
    value, low, high = quantity.numbers()
    axes.barh(
        place,
        value - 1,
        left=1,
        color=ANSWER if product else FACTOR,
        edgecolor="white",
        hatch="" if product else "//",
        height=0.6,
    )
    whiskers(axes, place, value, low, high)
    axes.annotate(
        f" {value:.3g}",
        (max(1.0, high), place),
        va="center",
        fontsize="small",
        xytext=(4, 0),
        textcoords="offset points",
    )
