"""The look of every picture of the simulator, and the files that pictures become.

One color and one line style per concept everywhere, distinct in gray as well: an answer is a
solid blue line with its 80 % band in light blue, a limit or a reference is black and dashed, what
is lost or lowered is hatched or dotted orange, a factor is hatched gray. A unit on every axis. A
panel takes Axes and returns them; the modules `picture*` of the questions make panels of answers.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Figure

from energy.colors import ANSWER as ANSWER
from energy.colors import BAND as BAND
from energy.colors import FACTOR as FACTOR
from energy.colors import LOST as LOST
from energy.colors import LOST_BAND as LOST_BAND
from energy.colors import REFERENCE as REFERENCE
from energy.colors import STEP as STEP
from energy.errors import InputError
from energy.files import write_atomic, write_text_atomic
from energy.letters import escaped
from energy.quantity import Quantity
from energy.reports import picture
from energy.reports.html import STYLE
from energy.units import G_PER_KG, G_PER_T, J_PER_KWH, J_PER_MWH, S_PER_DAY, S_PER_HOUR
from simulator.kit.picture_axes import log_x as log_x
from simulator.kit.picture_axes import log_y as log_y
from simulator.kit.picture_axes import plain_numbers
from simulator.terms import quantiles

SETTINGS: Any = picture.PLAIN_NAMES | {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "simulator",
    "date.converter": "concise",
}


Panel = Callable[[Axes], Axes]

TEXT = "pre, p { font-size: .8rem; line-height: 1.4; } p { white-space: pre-line; }"
"""Style of a printed answer beneath its picture."""

COLUMNS = re.compile(r"\S {2,}\S|^ {2,}\S")
"""What a line of a table has."""


LETTERS = 12.5
"""Letters of a title that an inch holds."""


def figure(
    panels: Sequence[Panel], size: tuple[float, float] = (6.5, 4.0), title: str = ""
) -> Figure:
    """A figure of panels, one above the other.

    Args:
        panels: each draws on its own Axes.
        size: inches of one panel.
        title: above all of them, in as many lines as it needs.
    """
    with matplotlib.rc_context(SETTINGS):
        drawn = picture.Picture(figsize=(size[0], size[1] * len(panels)), layout="constrained")
        if title:
            drawn.suptitle(textwrap.fill(title, int(LETTERS * size[0])), fontsize="medium")
        rows = drawn.subplots(len(panels), squeeze=False)
        for panel, (axes,) in zip(panels, rows, strict=True):
            panel(axes)
            plain_numbers(axes)
            # Ticks are made when they are first asked for, which in a notebook is outside SETTINGS.
            axes.get_xticklabels()
            axes.get_yticklabels()
        return drawn


def save(
    path: Path,
    *panels: Panel,
    size: tuple[float, float] = (6.5, 4.0),
    text: str = "",
    command: str = "",
    title: str = "",
    markup: str = "",
) -> None:
    """Draw panels, one above the other, into a PNG or SVG file or an HTML page.

    Args:
        path: the file; its ending says which.
        panels: each draws on its own Axes.
        size: inches of one panel.
        text: the printed answer, for a page.
        command: that gave it, for a page.
        title: of the picture.
        markup: HTML beneath it, for a page.

    Raises:
        InputError: another ending, or the file cannot be written.
    """
    form = path.suffix.lower().removeprefix(".")
    if form not in ("png", "svg", "html"):
        raise InputError("expected --plot with a file ending in .png, .svg or .html", str(path))
    # Text stays text on a page.
    settings = SETTINGS | ({"svg.fonttype": "none"} if form == "html" else {})
    with matplotlib.rc_context(settings):
        # The title of a page wraps as its letters do; in a picture it is of the picture's size.
        drawn = figure(panels, size, "" if form == "html" else title)
        if form == "png":
            write_atomic(path, lambda file: picture.draw(drawn, file, format=form, dpi=150))
            return
        svg = picture.svg(drawn)
        html = page(svg, text, command, markup, title) if form == "html" else svg
        write_text_atomic(path, html)


def page(svg: str, text: str, command: str, markup: str = "", answer: str = "") -> str:
    """A picture, the answer in text beneath it and the command, as one page that fetches nothing.

    Args:
        svg: the picture as an SVG file.
        text: the printed answer.
        command: that gave it; its words before the first option are the title.
        markup: HTML between picture and text.
        answer: in a line, above the picture; the title without one.
    """
    title = escape(command.partition(" --")[0] or "simulator")
    return escaped(f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{STYLE}{TEXT}</style></head>
<body>
<h1>{escape(answer) or title}</h1>
<figure>{svg[svg.index("<svg") :]}</figure>
{markup}
{_beneath(text)}
<p>Written by <code>{escape(command)}</code>.</p>
</body></html>
""")


def _beneath(text: str) -> str:
    """A printed answer as HTML: sentences wrap, tables keep their columns and may be scrolled."""
    blocks = []
    for columns, lines in groupby(text.splitlines(), lambda line: COLUMNS.search(line) is not None):
        words = escape("\n".join(lines))
        blocks.append(
            f'<div class="scroll"><pre>{words}</pre></div>' if columns else f"<p>{words}</p>"
        )
    return "\n".join(blocks)


def bars_from(axes: Axes, starts: Sequence[float], lengths: Sequence[float], **look: Any) -> None:
    """One part of the bars of all rows, from where the parts before it end.

    Args:
        axes: to draw on.
        starts: of a part, a row each.
        lengths: likewise.
        look: color, hatch and label of the part.
    """
    axes.barh(
        range(len(lengths)),
        lengths,
        left=starts,
        edgecolor="white",
        linewidth=0.6,
        height=0.62,
        **look,
    )


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
    """Rows from the top, each with its name; with less than three there is room around them."""
    axes.set_yticks(range(len(names)), list(names))
    room = max(0, 3 - len(names)) / 2
    axes.set_ylim(len(names) - 0.5 + room, -0.5 - room)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize="small")
    return axes


def legend_below(axes: Axes) -> Axes:
    """A legend of all panels that are drawn, below the last: it covers nothing and is not cut."""
    figure = axes.figure
    entries: dict[str, Any] = {}
    for each in figure.axes:
        handles, labels = each.get_legend_handles_labels()
        entries |= dict(zip(labels, handles, strict=True))
    for earlier in (axes.get_legend(), *figure.legends):
        if earlier is not None:
            earlier.remove()
    # A line of a label is about 4.2 points a character, its handle and the gap 36.
    widest = max((len(line) for label in entries for line in label.splitlines()), default=0)
    columns = int(72 * figure.bbox.width / figure.dpi / (36 + 4.2 * widest))
    figure.legend(
        list(entries.values()),
        list(entries),
        loc="outside lower center",
        ncols=max(1, min(columns, len(entries))),
        frameon=False,
        fontsize="small",
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


def finish(axes: Axes, legend: Literal["best", "upper left"] = "best") -> Axes:
    """A quiet grid, and a legend where something has a name."""
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize="small", loc=legend)
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
