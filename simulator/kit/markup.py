"""Figures as HTML and SVG text: drawn in a millisecond, for pages that answer every move.

The pictures of files are those of `simulator.kit.style`. These follow the scheme of the reader,
light or dark, and are as readable on a telephone: the letters of a scatter do not shrink with it.
A mixture is blue and solid, a dense model orange and hatched.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from energy.colors import VARIABLES
from energy.quantity import Quantity

STYLE = (
    VARIABLES
    + """
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 14.5rem), 1fr));
  gap: .75rem; margin: .75rem 0; }
.figure { border: 1px solid var(--line); border-radius: 8px; padding: .6rem .9rem; }
.figure .name { font-size: .85rem; font-weight: 600; margin: 0 0 .3rem; color: var(--soft); }
.figure p { margin: .35rem 0 .15rem; display: flex; flex-wrap: wrap; gap: 0 .6rem;
  align-items: baseline; font-size: .85rem; line-height: 1.3; }
.figure p b { font-size: 1.1rem; } .figure p span { color: var(--soft); }
.range { position: relative; height: .7rem; border: 1px solid var(--line); border-radius: 4px;
  overflow: hidden; }
.range u, .range i { position: absolute; top: 0; bottom: 0; display: block; }
.range i { width: 3px; }
.moe u { background: color-mix(in srgb, var(--sparse) 35%, transparent); }
.moe i { background: var(--sparse); }
.plain u { background: repeating-linear-gradient(115deg, color-mix(in srgb, var(--dense) 60%,
  transparent) 0 3px, transparent 3px 7px); }
.plain i { background: var(--dense); }
.scatter { display: block; width: 100%; max-width: 36rem; height: auto; color: var(--ink); }
.scatter text { fill: currentColor; font: 11px system-ui, sans-serif; }
.scatter .axis { stroke: var(--line); fill: none; }
.scatter .moe, .key.moe { color: var(--sparse); }
.scatter .plain, .key.plain { color: var(--dense); }
.scatter circle, .scatter rect { fill: currentColor; stroke: currentColor; }
.scatter .pale { fill: none; } .scatter .chosen { stroke: var(--ink); stroke-width: 2.5; }
.scatter line { stroke: currentColor; opacity: .55; }
.scatter a:focus, .scatter g:focus { outline: 2px solid currentColor; }
"""
)


def band(name: str, quantity: Quantity, most: float, kind: str) -> str:
    """A quantity in words, and its band as a stretch of a bar.

    Args:
        name: of what has it.
        quantity: with its band.
        most: what the whole bar stands for, in the quantity's unit.
        kind: "moe" or "plain", for its color.
    """
    if quantity.value is None:
        return (
            f"<p><span>{escape(name)}</span> <b>missing</b> "
            f"<span>{escape(quantity.source)}</span></p>"
        )
    words = escape(f"{name}: {quantity.human()}, {quantity.band()}")
    low, value, high = (100 * min(1, end / most) for end in ends(quantity))
    return (
        f"<p><span>{escape(name)}</span> <b>{escape(quantity.human())}</b> "
        f"<span>{escape(quantity.band())}</span></p>"
        f'<div class="range {kind}" role="img" aria-label="{words}">'
        f'<u style="left:{low:.1f}%;width:{high - low:.1f}%"></u>'
        f'<i style="left:calc({value:.1f}% - 2px)"></i></div>'
    )


def bands(title: str, rows: Sequence[tuple[str, Quantity, str]]) -> str:
    """One quantity of several models, on one scale from zero.

    Args:
        title: the quantity.
        rows: name, quantity and kind of each model.
    """
    known = [quantity.numbers()[2] for _, quantity, _ in rows if quantity.value is not None]
    most = max(known, default=0.0) or 1.0
    each = "".join(band(name, quantity, most, kind) for name, quantity, kind in rows)
    return f'<section class="figure">{heading(title)}{each}</section>'


def heading(title: str) -> str:
    """What a figure is of; no heading of the outline of a whole page."""
    return f'<div class="name" role="heading" aria-level="3">{escape(title)}</div>'


@dataclass(frozen=True, kw_only=True)
class Point:
    """A configuration of a scatter.

    Attributes:
        x: low end, value and high end; three times the value without a band.
        y: likewise.
        kind: "moe" or "plain".
        label: beside it; empty for none.
        tip: what it says under the pointer.
        pale: it is beaten by another.
        chosen: it is the one in question.
    """

    x: tuple[float, float, float]
    y: tuple[float, float, float]
    kind: str
    label: str
    tip: str
    pale: bool = False
    chosen: bool = False


WIDTH, HEIGHT = 420, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 40


def scatter(points: Sequence[Point], x_label: str, y_label: str, title: str) -> str:
    """Points on two logarithmic axes, the front solid and with bands, the rest hollow.

    Args:
        points: all of them, whose values are known and above 0.
        x_label: with the unit.
        y_label: with the unit.
        title: for those who do not see it.
    """
    x = _Scale([end for point in points for end in point.x], LEFT, WIDTH - RIGHT)
    y = _Scale([end for point in points for end in point.y], HEIGHT - BOTTOM, TOP)
    parts = [_axes(x, y, x_label, y_label)]
    # What is in question lies on top.
    for point in sorted(points, key=lambda point: (not point.pale, point.chosen)):
        parts.append(_mark(point, x, y))
    return (
        f'<svg class="scatter" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def key(words: Sequence[tuple[str, str]]) -> str:
    """What the colors mean: kind and name of each model."""
    signs = {"moe": "●", "plain": "■"}
    return " ".join(
        f'<span class="key {kind}">{signs[kind]} {escape(name)}</span>' for kind, name in words
    )


class _Scale:
    """A logarithmic axis from values to places of the drawing."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        low, high = min(values), max(values)
        # A single value stands in the middle of a decade.
        room = max(0.04 * math.log(high / low), 0.15)
        self.low, self.high = math.log(low) - room, math.log(high) + room
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        share = (math.log(value) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """As many round numbers as there is room for, at most six."""
        low, high = math.exp(self.low), math.exp(self.high)
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for steps in ((1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8), (1, 2, 3, 5), (1, 3), (1,)):
            inside = [
                step * 10.0**decade
                for decade in decades
                for step in steps
                if low <= step * 10.0**decade <= high
            ]
            if len(inside) <= 6:
                return inside
        return inside[:: math.ceil(len(inside) / 6)]


def _axes(x: _Scale, y: _Scale, x_label: str, y_label: str) -> str:
    """A quiet grid with its numbers and labels."""
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = [f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>']
    for tick in x.ticks():
        at = f"{x(tick):.1f}"
        parts.append(
            f'<path class="axis" d="M{at} {TOP}V{bottom}"/>'
            f'<text x="{at}" y="{bottom + 14}" text-anchor="middle">{tick:,.12g}</text>'
        )
    for tick in y.ticks():
        at = f"{y(tick):.1f}"
        parts.append(
            f'<path class="axis" d="M{LEFT} {at}H{right}"/>'
            f'<text x="{LEFT - 5}" y="{at}" dy="4" text-anchor="end">{tick:,.12g}</text>'
        )
    middle = (TOP + bottom) / 2
    parts.append(
        f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"{escape(x_label)}</text>"
        f'<text transform="translate(12 {middle}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_label)}</text>"
    )
    return "".join(parts)


def _mark(point: Point, x: _Scale, y: _Scale) -> str:
    """A point with its bands, its label and what it says."""
    (x1, left, x2), (y1, up, y2) = map(x, point.x), map(y, point.y)
    parts = [f"<title>{escape(point.tip)}</title>"]
    if x1 < x2 or y2 < y1:
        parts.append(
            f'<line x1="{x1:.1f}" x2="{x2:.1f}" y1="{up:.1f}" y2="{up:.1f}"/>'
            f'<line x1="{left:.1f}" x2="{left:.1f}" y1="{y1:.1f}" y2="{y2:.1f}"/>'
        )
    look = " ".join(["pale"] * point.pale + ["chosen"] * point.chosen)
    size = 5 if point.chosen else 4
    parts.append(
        f'<circle class="{look}" cx="{left:.1f}" cy="{up:.1f}" r="{size}"/>'
        if point.kind == "moe"
        else f'<rect class="{look}" x="{left - size:.1f}" y="{up - size:.1f}" '
        f'width="{2 * size}" height="{2 * size}"/>'
    )
    if point.label:
        parts.append(f'<text x="{left + 8:.1f}" y="{up - 7:.1f}">{escape(point.label)}</text>')
    return f'<g class="{point.kind}">{"".join(parts)}</g>'


def ends(quantity: Quantity) -> tuple[float, float, float]:
    """Low end, value and high end of a quantity that is known."""
    value, low, high = quantity.numbers()
    return low, value, high
