"""Plain numbers on the axes of pictures: 0.03, 1,000, 100B, and no more of them than have room."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    NullFormatter,
    ScalarFormatter,
    StrMethodFormatter,
)


def log_x(axes: Axes) -> Axes:
    """A logarithmic axis with as many plain numbers as its range needs."""
    axes.set_xscale("log")
    _log_numbers(axes.xaxis, axes.get_xlim(), _plain, decades=5.0, half_decades=1.0)
    return axes


def log_y(axes: Axes) -> Axes:
    """A logarithmic axis with as many plain numbers as its range needs."""
    axes.set_yscale("log")
    _log_numbers(axes.yaxis, axes.get_ylim(), _plain, decades=3.0, half_decades=1.5)
    return axes


def _plain(value: float, _: int | None = None) -> str:
    """A number of a logarithmic axis: 0.03, 1,000, from a million on 3M and 100B."""
    for scale, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if value >= scale:
            return f"{value / scale:,.6g}{suffix}"
    return f"{value:,.6g}"


def _log_numbers(
    axis: Axis,
    limits: tuple[float, float],
    form: Callable[[float, int | None], str],
    *,
    decades: float,
    half_decades: float,
) -> None:
    """Numbers of a logarithmic axis, the fewer the more decades it has.

    Args:
        axis: to number.
        limits: its ends.
        form: of a number.
        decades: from so many on, powers of ten only.
        half_decades: from so many on, also their triples.
    """
    steps = (
        (decades, (1.0,)),
        (half_decades, (1.0, 3.0)),
        (0.6, (1.0, 2.0, 3.0, 5.0)),
        (0.0, (1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 7.0)),
    )
    low, high = limits
    span = float(np.log10(high / low))
    axis.set_major_locator(LogLocator(subs=next(subs for least, subs in steps if span >= least)))
    axis.set_major_formatter(FuncFormatter(form))
    axis.set_minor_formatter(NullFormatter())


def plain_numbers(axes: Axes) -> None:
    """Thousands with commas on linear axes, as on logarithmic ones and on pages."""
    for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        is_plain = type(axis.get_major_formatter()) is ScalarFormatter
        if is_plain and max(map(abs, limits)) >= 1000:
            axis.set_major_formatter(StrMethodFormatter("{x:,.12g}"))
