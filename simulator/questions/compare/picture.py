"""Pictures of runs side by side, and of what moves an answer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes
from matplotlib.ticker import StrMethodFormatter

from simulator.kit.style import (
    ANSWER,
    FACTOR,
    REFERENCE,
    Panel,
    _bar,
    human_unit,
    log_x,
    named_rows,
    whiskers,
)
from simulator.questions.compare.ratio import REFUSED, Ratio
from simulator.runs.sides import METHOD, Side


def comparison(sides: Sequence[Side], ratios: Sequence[Ratio]) -> list[Panel]:
    """The panels of a comparison: joules, CO2e, and each ratio to the first run taken apart."""
    apart = [
        partial(taken_apart, sides[0], side, ratio)
        for side, ratio in zip(sides[1:], ratios, strict=True)
    ]
    return [partial(totals, sides, "energy"), partial(totals, sides, "co2"), *apart]


def totals(sides: Sequence[Side], of: str, axes: Axes) -> Axes:
    """Facility energy or CO2e of each run, with its band and the total that was printed of it.

    Args:
        sides: the runs.
        of: "energy" or "co2".
        axes: to draw on.
    """
    quantities = [side.facility_j if of == "energy" else side.co2_g for side in sides]
    printed = "published_energy_j" if of == "energy" else "published_co2_g"
    known = [quantity.value for quantity in quantities if quantity.value is not None]
    scale, unit = human_unit(max(known, default=1.0), "J" if of == "energy" else "g")
    for place, (side, quantity) in enumerate(zip(sides, quantities, strict=True)):
        if quantity.value is None:
            axes.text(0, place, " missing", va="center")
            continue
        _bar(axes, place, quantity, 1 / scale, ANSWER, "80 % band" if place == 0 else None)
        told = side.record.metrics.get(printed)
        if told is not None and told.value is not None:
            # Below the bar, so that it does not lie on the band.
            axes.plot(
                told.value / scale,
                place + 0.4,
                "^",
                color="white",
                markeredgecolor=REFERENCE,
                label="as printed" if place == 0 else None,
            )
    how = {side.accounting for side in sides} if of == "co2" else set()
    kind = f", {' and '.join(sorted(METHOD[one] for one in how))}" if how else ""
    axes.set_xlabel(f"{'facility energy' if of == 'energy' else 'CO2e' + kind} / {unit}")
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    names = [f"{side.name}{_method(side) if len(how) > 1 else ''}" for side in sides]
    return named_rows(axes, names)


def taken_apart(first: Side, second: Side, ratio: Ratio, axes: Axes) -> Axes:
    """The ratio of two runs and the factors that it is the product of, with their bands."""
    names: list[str] = []
    rows = [(name, getattr(ratio, name)) for name in ("model", "machine", "mechanisation")]
    rows += [("= energy", ratio.energy), ("x map", ratio.map), ("= CO2e", ratio.co2)]
    for name, quantity in rows:
        place = len(names)
        names.append(f"x {name}" if place in (1, 2) else name)
        if quantity.value is None:
            why = "refused: gross against net" if quantity.source == REFUSED else "missing"
            axes.text(0.01, place, why, va="center", transform=axes.get_yaxis_transform())
            continue
        _, low, high = quantity.numbers()
        product = name.startswith("=")
        axes.barh(
            place,
            quantity.value - 1,
            left=1,
            color=ANSWER if product else FACTOR,
            edgecolor="white",
            hatch="" if product else "//",
            height=0.6,
        )
        whiskers(axes, place, quantity.value, low, high)
        axes.annotate(
            f" {quantity.value:.3g}",
            (max(1.0, high), place),
            va="center",
            fontsize="small",
            xytext=(4, 0),
            textcoords="offset points",
        )
    axes.axvline(1, color=REFERENCE, linewidth=0.8)
    axes.margins(x=0.2)
    axes.set_xlabel(f"{second.name} / {first.name} / 1 (bar from 1; whisker: band)")
    return named_rows(log_x(axes), names)


def _method(side: Side) -> str:
    return f" ({METHOD[side.accounting]})"
