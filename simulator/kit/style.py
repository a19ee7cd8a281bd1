"""The look of every picture of the simulator, and the files that pictures become.

One color and one line style per concept everywhere, distinct in gray as well: an answer is a
solid blue line with its 80 % band in light blue, a limit or a reference is black and dashed, what
is lost or lowered is hatched or dotted orange, a factor is hatched grey. A unit on every axis. A
panel takes Axes and returns them; the modules `picture*` of the questions make panels of answers.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from energy.errors import InputError
from energy.files import write_atomic, write_text_atomic
from energy.quantity import Quantity
from energy.reports.html import STYLE
from energy.units import G_PER_KG, G_PER_T, J_PER_KWH, J_PER_MWH, S_PER_DAY, S_PER_HOUR
from simulator.terms import quantiles

ANSWER, BAND, LOST, FACTOR, REFERENCE = "#0b5394", "#9dc3e6", "#d9822b", "#b0b0b0", "#222222"


SETTINGS: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "simulator",
    "date.converter": "concise",
}


Panel = Callable[[Axes], Axes]


def figure(panels: Sequence[Panel], size: tuple[float, float] = (6.5, 4.0)) -> Figure:
    """A figure of panels, one above the other.

    Args:
        panels: each draws on its own Axes.
        size: inches of one panel.
    """
    with matplotlib.rc_context(SETTINGS):
        drawn = Figure(figsize=(size[0], size[1] * len(panels)), layout="constrained")
        rows = drawn.subplots(len(panels), squeeze=False)
        for panel, (axes,) in zip(panels, rows, strict=True):
            panel(axes)
        return drawn


def save(
    path: Path,
    *panels: Panel,
    size: tuple[float, float] = (6.5, 4.0),
    text: str = "",
    command: str = "",
) -> None:
    """Draw panels, one above the other, into a PNG or SVG file or an HTML page.

    Args:
        path: the file; its ending says which.
        panels: each draws on its own Axes.
        size: inches of one panel.
        text: the printed answer, for a page.
        command: that gave it, for a page.

    Raises:
        InputError: another ending, or the file cannot be written.
    """
    form = path.suffix.lower().removeprefix(".")
    if form not in ("png", "svg", "html"):
        raise InputError("expected --plot with a file ending in .png, .svg or .html", str(path))
    # Text stays text on a page; without a date the same answer gives the same file.
    settings = SETTINGS | ({"svg.fonttype": "none"} if form == "html" else {})
    vector: dict[str, Any] = {"format": "svg", "metadata": {"Date": None}}
    with matplotlib.rc_context(settings):
        drawn = figure(panels, size)
        if form == "html":
            svg = io.StringIO()
            drawn.savefig(svg, **vector)
            write_text_atomic(path, page(svg.getvalue(), text, command))
            return
        how = vector if form == "svg" else {"format": "png", "dpi": 150}
        write_atomic(path, lambda file: drawn.savefig(file, **how))


def page(svg: str, text: str, command: str) -> str:
    """A picture, the answer in text beneath it and the command, as one page that fetches nothing.

    Args:
        svg: the picture as an SVG file.
        text: the printed answer.
        command: that gave it; its words before the first option are the title.
    """
    title = escape(command.partition(" --")[0] or "simulator")
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{STYLE}pre {{ font-size: .8rem; line-height: 1.35; }}</style></head>
<body>
<h1>{title}</h1>
<figure>{svg[svg.index("<svg") :]}</figure>
<div class="scroll"><pre>{escape(text)}</pre></div>
<p>Written by <code>{escape(command)}</code>.</p>
</body></html>
"""


def whiskers(
    axes: Axes, place: int, value: float, low: float, high: float, label: str | None = None
) -> None:
    """The band of a bar; white under black, so that it is seen on the bar as well."""
    for color, width, name in (("white", 3.0, None), (REFERENCE, 1.2, label)):
        axes.errorbar(
            value,
            place,
            xerr=[[value - low], [high - value]],
            fmt="none",
            ecolor=color,
            capsize=3,
            elinewidth=width,
            label=name,
        )


def named_rows(axes: Axes, names: Sequence[str]) -> Axes:
    """Rows from the top, each with its name."""
    axes.set_yticks(range(len(names)), list(names))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize="small")
    return axes


def legend_below(axes: Axes, ncols: int = 2, drop: float = -0.14) -> Axes:
    """The legend under the axis, where it covers nothing.

    Args:
        axes: with named artists.
        ncols: names side by side.
        drop: where its top is, in heights of the axes.
    """
    axes.legend(
        frameon=False, fontsize="small", loc="upper center", ncols=ncols, bbox_to_anchor=(0.5, drop)
    )
    return axes


def human_unit(value: float, unit: str) -> tuple[float, str]:
    """The unit in which a person reads a value, and how many of ours it has."""
    steps = {
        "J": [(J_PER_MWH, "MWh"), (J_PER_KWH, "kWh"), (1.0, "J")],
        "g": [(G_PER_T, "t"), (G_PER_KG, "kg"), (1.0, "g")],
        "s": [(S_PER_DAY, "d"), (S_PER_HOUR, "h"), (1.0, "s")],
    }.get(unit, [(1.0, unit)])
    return next((step for step in steps if value >= step[0]), steps[-1])


def ends(drawn: Any) -> tuple[float, float]:
    """The ends of the 80 % band of draws."""
    low, high = quantiles(drawn, 0.1, 0.9)
    return low, high


def banded(axes: Axes, x: Any, middle: Any, ends: Sequence[tuple[float, float]]) -> None:
    """A line of middles in its band."""
    low, high = (np.asarray(end) for end in zip(*ends, strict=True))
    axes.fill_between(
        x,
        np.minimum(low, middle),
        np.maximum(high, middle),
        color=BAND,
        label="80 % band of the assumptions",
    )
    axes.plot(x, middle, color=ANSWER, linewidth=2, label="at their middle")


def log_x(axes: Axes) -> Axes:
    """A logarithmic axis with a few plain numbers on it."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    few = high > 10 * low
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0) if few else (1.0, 2.0, 3.0, 5.0)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    return axes


def log_y(axes: Axes) -> Axes:
    """A logarithmic axis with as many plain numbers as its range needs."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    decades = float(np.log10(high / low))
    fine = (
        (3.0, (1.0,)),
        (1.5, (1.0, 3.0)),
        (0.6, (1.0, 2.0, 3.0, 5.0)),
        (0.0, (1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 7.0)),
    )
    subs = next(steps for least, steps in fine if decades >= least)
    axes.yaxis.set_major_locator(LogLocator(subs=subs))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.12g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    return axes


def finish(axes: Axes) -> Axes:
    """A quiet grid, and a legend where something has a name."""
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize="small")
    return axes


def bar(
    axes: Axes, place: int, quantity: Quantity, scale: float, color: str, label: str | None
) -> None:
    """A bar of a quantity with its band.

    Args:
        axes: with rows of bars.
        place: of the row.
        quantity: its length.
        scale: from the unit of the quantity to that of the axis.
        color: of the bar.
        label: of the band, for the legend.
    """
    value, low, high = (number * scale for number in quantity.numbers())
    axes.barh(place, value, color=color, height=0.6)
    whiskers(axes, place, value, low, high, label)


PHASE_COLORS = {
    "compute": (ANSWER, ""),
    "communication": (LOST, "//"),
    "bubble": (LOST, ".."),
    "optimizer": ("#555555", ""),
    "host": ("#dddddd", "xx"),
}
"""Colour and hatch of a part of the step; what is lost is orange, as everywhere."""
