"""Pictures of a run's experts: a page for each layer, and how the layers grew over training."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from energy.colors import ANSWER, LOST, OFTEN, REFERENCE, THIRD
from energy.files import write_atomic
from energy.reports.picture import PLAIN_NAMES, draw
from glam.specialization.page import title_of, visible
from glam.specialization.results import SIGNIFICANT, Experts
from glam.specialization.study import LABELS, SAME_TOKEN, LayerStudy, Specialty

SETTINGS: Any = PLAIN_NAMES | {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
}

FOLD = 4.0
"""Times more, or less, often than all experts at which the colors of a heat map end."""

SHADES = LinearSegmentedColormap.from_list("often", list(zip((0, 0.5, 0.8, 1), OFTEN, strict=True)))

COLORS = {"domain": ANSWER, "token_class": LOST, "position": THIRD, SAME_TOKEN: REFERENCE}
MARKS = {"domain": "o", "token_class": "o", "position": "o", SAME_TOKEN: "s"}


def save(folder: Path, experts: Experts) -> list[Path]:
    """Draw layer-N.png for each layer and, of several checkpoints, growth.png; return the files.

    Raises:
        InputError: the folder cannot be written.
    """
    layers = {
        folder / f"layer-{layer.layer}.png": _layer_figure(experts, layer)
        for layer in experts.last.layers
    }
    growth = {folder / "growth.png": _growth_figure(experts)} if len(experts.studies) > 1 else {}
    files = []
    for path, figure in {**layers, **growth}.items():
        with matplotlib.rc_context(SETTINGS):
            write_atomic(path, partial(draw, figure(), format="png", dpi=110))
        files.append(path)
    return files


def _layer_figure(experts: Experts, layer: LayerStudy) -> Callable[[], Figure]:
    """What draws a layer: what each expert takes by label, its load, its cost, its tokens."""

    def figure() -> Figure:
        n_experts = len(layer.load)
        sizes = [len(layer.specialties[name].labels) for name in LABELS]
        page = Figure(figsize=(13, 1.5 + 0.24 * max(6, n_experts)), layout="constrained")
        widths = [*(0.5 + 0.32 * size for size in sizes), 1.3, *([1.8] if layer.costs else []), 3.4]
        axes = list(page.subplots(1, len(widths), sharey=True, width_ratios=widths))
        image = None
        for axis, name in zip(axes, LABELS, strict=False):
            image = draw_lift(layer.specialties[name], name, axis)
        axes[0].set_yticks(range(n_experts))
        axes[0].set_ylabel("expert")
        draw_load(layer, axes[3])
        if layer.costs:
            draw_costs(layer, axes[4])
        draw_tokens(layer, axes[-1])
        if image is not None:
            bar = page.colorbar(image, ax=axes, location="bottom", shrink=0.3, aspect=40, pad=0.02)
            bar.set_ticks([-2, -1, 0, 1, 2], labels=["1/4", "1/2", "1", "2", "4"])
            bar.set_label("times as often as all experts; *: p < 0.05 (Holm)")
        tokens = math.prod(experts.windows.size)
        page.suptitle(
            f"{experts.name}, layer {layer.layer}: {answer(experts, layer)}\n"
            f"step {experts.last.step}, {tokens:,} validation tokens",
            fontsize="large",
        )
        return page

    return figure


def answer(experts: Experts, layer: LayerStudy) -> str:
    """Say what the experts of a layer specialize in: beyond random routers, or else chance."""
    routers = experts.plan.routers > 0
    beyond = "routers with random weights" if routers else "chance"
    names = [
        title_of(name)
        for name, score in layer.scores.items()
        if (score.random_p if routers else score.p) < SIGNIFICANT
    ]
    if not names:
        return f"its experts specialize in nothing beyond {beyond} (p < {SIGNIFICANT:g})"
    return f"its experts specialize beyond {beyond} in {', '.join(names)}"


def draw_lift(specialty: Specialty, name: str, axes: Axes) -> Any:
    """Draw how much more often than all experts each takes a label; stars where p is small."""
    with np.errstate(divide="ignore"):
        values = np.clip(np.log2(specialty.lift), -math.log2(FOLD), math.log2(FOLD))
    image = axes.imshow(values, cmap=SHADES, vmin=-2, vmax=2, aspect="auto")
    axes.set_xticks(range(len(specialty.labels)), specialty.labels, rotation=60, ha="right")
    score = specialty.score
    axes.set_title(
        f"{title_of(name)}: {100 * score.value:.2f} %\nchance {100 * score.chance:.2f}, "
        f"random {100 * score.random:.2f}"
    )
    for expert in np.flatnonzero(specialty.p < SIGNIFICANT).tolist():
        axes.text(len(specialty.labels) - 0.45, expert, "*", va="center", clip_on=False)
    return image


def draw_load(layer: LayerStudy, axes: Axes) -> Axes:
    """Draw the load of each expert over the mean."""
    axes.barh(range(len(layer.load)), layer.load * len(layer.load), color=ANSWER)
    axes.axvline(1, color=REFERENCE, linewidth=0.8)
    axes.set_xlabel("load / mean")
    return axes


def draw_costs(layer: LayerStudy, axes: Axes) -> Axes:
    """Draw what the model loses without each expert, with 95 % of its sampling error."""
    nats = [cost.nats for cost in layer.costs]
    errors = [1.96 * cost.stderr if math.isfinite(cost.stderr) else 0.0 for cost in layer.costs]
    axes.barh(range(len(nats)), nats, xerr=errors, color=LOST, error_kw={"elinewidth": 0.8})
    axes.axvline(0, color=REFERENCE, linewidth=0.8)
    axes.set_xlabel("nats a token more without it")
    return axes


def draw_tokens(layer: LayerStudy, axes: Axes) -> Axes:
    """Write the tokens that mark each expert."""
    for expert, tokens in enumerate(layer.tokens):
        text = "  ".join(visible(token) for token in tokens)
        axes.text(0, expert, text, va="center", clip_on=True, transform=axes.get_yaxis_transform())
    axes.set_title("tokens that mark it", loc="left")
    axes.set_axis_off()
    return axes


def _growth_figure(experts: Experts) -> Callable[[], Figure]:
    """What draws the scores of each layer by step, with those of random routers."""

    def figure() -> Figure:
        layers, names = experts.last.layers, list(experts.last.layers[0].scores)
        page = Figure(figsize=(10, 0.6 + 2.3 * len(layers)), layout="constrained")
        grid = page.subplots(len(layers), 3, squeeze=False, sharex=True)
        steps = [study.step for study in experts.studies]
        for index, row in enumerate(grid):
            own = [study.layers[index] for study in experts.studies]
            for axis, chosen in zip(row, (names[1:2], [names[0], names[3]]), strict=False):
                for name in chosen:
                    _draw_score(axis, steps, [layer.scores[name] for layer in own], name)
                axis.set_ylim(bottom=0)
                axis.legend(fontsize="x-small")
            row[0].set_ylabel(f"layer {own[0].layer}: score (%)")
            settled = [100 * experts.settled(study)[index] for study in experts.studies]
            row[2].plot(steps, settled, "o-", color=ANSWER)
            chance = 100 * experts.shape.top_k / experts.shape.n_experts
            row[2].axhline(chance, color=REFERENCE, linewidth=0.8, linestyle=":")
            row[2].set_ylabel("choices as at the end (%)")
            row[2].set_ylim(0, 104)
        for axis in grid[-1]:
            axis.set_xlabel("step")
        answers = [f"layer {layer.layer}: {answer(experts, layer)}" for layer in layers]
        page.suptitle(
            "\n".join([f"{experts.name} at step {experts.last.step}", *answers]), fontsize="medium"
        )
        return page

    return figure


def _draw_score(axes: Axes, steps: list[int], scores: list[Any], name: str) -> None:
    color, hollow = COLORS[name], "white" if name == SAME_TOKEN else None
    values = [100 * score.value for score in scores]
    style: Any = {"marker": MARKS[name], "markerfacecolor": hollow, "color": color}
    axes.plot(steps, values, label=title_of(name), **style)
    random = np.array([100 * score.random for score in scores])
    spread = np.array([100 * score.random_sd for score in scores])
    axes.plot(
        steps, random, "--", color=color, linewidth=0.8, label=f"{title_of(name)}, random weights"
    )
    axes.fill_between(steps, random - spread, random + spread, color=color, alpha=0.15, linewidth=0)
