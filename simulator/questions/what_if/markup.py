"""The answers of the page as HTML: figures with their bands, the picture, what was assumed."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from energy import shape as shapes
from energy.quantity import Boundary
from energy.units import J_PER_MWH, S_PER_DAY, count, significant
from simulator.kit.markup import STYLE, Point, bands, ends, heading, key, scatter
from simulator.plans.front import non_dominated
from simulator.questions.what_if.answer import FIGURES, Answered, figures

NAMES = {"moe": "the mixture", "plain": "its dense twin"}

Costs = tuple[bool, int, float, float]
"""A configuration of the picture: whether it is a mixture, its chips, weeks and MWh."""


def answer(answered: Answered) -> str:
    """Headline, the four figures with their bands, and the notes."""
    rows = {
        name: [
            (label, figures(each.record)[name], kind)
            for (kind, label), each in zip(_kinds(answered), answered.both, strict=True)
        ]
        for name in FIGURES
    }
    cards = "".join(bands(f"{name}, with 80 % bands", rows[name]) for name in FIGURES)
    notes = "".join(f"<li>{escape(note)}</li>" for note in answered.own.record.notes)
    return (
        f'<style>{STYLE}</style><p class="headline" id="headline" aria-live="polite">'
        f'{escape(answered.headline)}</p><p class="models">{escape(_models(answered))}</p>'
        f'<div class="figures">{cards}</div>'
        f'<details class="notes"><summary>What was assumed, and the plan</summary>'
        f"<ul>{notes}</ul></details>"
    )


def refusal(reason: str) -> str:
    """Why there is no answer, in the line that a command would print."""
    return (
        f'<style>{STYLE}</style><p class="refused" id="refused" role="alert">{escape(reason)}</p>'
    )


def picture(answered: Answered, around: Sequence[Costs]) -> str:
    """Energy against time on more and on fewer chips: what nothing beats is solid.

    Args:
        answered: the run in question, drawn with its bands.
        around: plans of both models on several numbers of chips.
    """
    kinds = _kinds(answered)
    points = _around(
        dict(kinds), [row for row in around if row[2] > 0 and row[3] > 0], answered.chosen.chips
    )
    for (kind, name), each in zip(kinds, answered.both, strict=True):
        joules = each.record.joules_at(Boundary.FACILITY)
        if joules.value:
            points.append(
                Point(
                    x=ends(each.record.elapsed_s.scaled(1 / S_PER_DAY)),
                    y=ends(joules.scaled(1 / J_PER_MWH)),
                    kind=kind,
                    label=f"{answered.chosen.chips:,} chips" if each is answered.own else "",
                    tip=f"{name} as chosen: {each.record.elapsed_s}, {joules}",
                    chosen=True,
                )
            )
    if not points:
        return "<p>No picture: nothing is known of the watts of this chip.</p>"
    title = _other_counts(answered, around)
    return (
        f'<section class="figure">{heading(title)}{scatter(points, "days", "MWh", title)}'
        f"<p><span>{key([(kind, name) for kind, name in kinds])}; solid: nothing of these is both "
        "faster and thriftier; lines: 80 % bands of what is chosen</span></p></section>"
    )


def _other_counts(answered: Answered, around: Sequence[Costs]) -> str:
    """What twice and half the chips would take, of the fastest plans of the chosen model."""
    sparse = answered.twin is not None
    words = []
    for count_words, factor in (("twice", 2.0), ("half", 0.5)):
        rows = [
            row[2:]
            for row in around
            if (row[0], row[1]) == (sparse, factor * answered.chosen.chips)
        ]
        if rows:
            weeks, mwh = min(rows)
            spent = f"{significant(7 * weeks)} days and {significant(mwh)} MWh"
            words.append(f"with {count_words} the chips {spent}")
    text = "; ".join(words) or "energy against time"
    return text[0].upper() + text[1:]


def title(words: str) -> str:
    """The name of the page."""
    return f'<div class="title" role="heading" aria-level="1">{escape(words)}</div>'


def to_take_along(file: str, command: str) -> str:
    """What saves the scenario, and how to have the same figures by command and by link.

    Args:
        file: the button.
        command: that predicts the file.
    """
    return (
        f'<div class="take">{file}<p>The same figures by command: <code id="command">'
        f"{escape(command)}</code></p><p>The address of this page holds every choice: it is the "
        "link to share.</p></div>"
    )


def _models(answered: Answered) -> str:
    """The sizes of both models, and what equal tokens do not mean."""
    own, *twins = [each.setup.shape for each in answered.both]
    total, active = (
        shapes.total(shapes.parameters(own)),
        shapes.total(shapes.active_parameters(own)),
    )
    words = f"{answered.chosen.model}: {count(float(total))} parameters"
    if not twins:
        return words
    dense = count(float(shapes.total(shapes.parameters(twins[0]))))
    return (
        f"{words}, {count(float(active))} active a token, against a dense model of {dense} over as "
        "many tokens. Not at the same loss, which is the mixture's advantage: see simulator "
        "compare --equal quality."
    )


def _around(names: dict[str, str], rows: Sequence[Costs], chosen: int) -> list[Point]:
    """The configurations of the search, whose values are known."""
    if not rows:
        return []
    best = non_dominated(np.array([row[2:] for row in rows]))
    points = []
    for number, ((sparse, chips, weeks, mwh), on_front) in enumerate(zip(rows, best, strict=True)):
        kind, days = "moe" if sparse else "plain", 7 * weeks
        words = (
            f"{names[kind]} on {chips:,} chips: {significant(days)} days, {significant(mwh)} MWh"
        )
        shown = {row[1] for row in rows[:number]} | {chosen}
        points.append(
            Point(
                x=(days, days, days),
                y=(mwh, mwh, mwh),
                kind=kind,
                label=f"{chips:,}" if chips not in shown else "",
                tip=words,
                pale=not on_front,
            )
        )
    return points


def _kinds(answered: Answered) -> list[tuple[str, str]]:
    """Kind and name of each model that is shown."""
    if answered.twin is None:
        return [("plain", answered.chosen.model)]
    return list(NAMES.items())
