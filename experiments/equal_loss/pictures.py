"""The experiment's pictures: curves, joules to equal loss, predictions, load of the experts.

Dense is orange and dashed, mixtures are blue and solid, darker with more experts; a band is of the
same colour, lighter. What is predicted is grey.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from energy.reports.plots import DENSE, PREDICTED, SPARSE
from energy.units import J_PER_KWH
from experiments.equal_loss.results import Told, bootstrap, of_variant, ratio
from simulator.kit import style as plots

SHADES = {1: DENSE, 4: "#9dc3e6", 16: "#3d7dbd", 32: SPARSE}
MARKS = {1: "s", 4: "o", 16: "^", 32: "D"}
AGAINST = {
    "tokens": ("text read / million tokens", 1e6),
    "train_s": ("time of the steps / min", 60.0),
    "energy_j": ("energy of the steps / Wh ({origins})", J_PER_KWH / 1e3),
}


def style(experts: int) -> dict[str, Any]:
    """Colour, line and mark of a variant."""
    return {
        "color": SHADES[experts],
        "linestyle": "--" if experts == 1 else "-",
        "marker": MARKS[experts],
        "markersize": 3,
    }


def named(experts: int) -> str:
    """A variant in words."""
    return "dense" if experts == 1 else f"{experts} experts, top-2"


def variants(told: Told, size: str) -> list[list[Told]]:
    """Runs of one size, by variant."""
    names = dict.fromkeys(run["variant"] for run in told["runs"] if run["size"] == size)
    return [of_variant(told, name) for name in names]


def curves(path: Path, told: Told, size: str) -> None:
    """Held-out loss against tokens, time and joules; mean of the seeds."""

    def panel(what: str) -> plots.Panel:
        def draw(axes: Axes) -> Axes:
            for runs in variants(told, size):
                loss = np.array([[point["loss"] for point in run["curve"]] for run in runs])
                spent = np.array([[point[what] for point in run["curve"]] for run in runs])
                look, x = style(runs[0]["experts"]), spent.mean(axis=0) / AGAINST[what][1]
                late = x > x[-1] / 4
                axes.plot(x[late], loss.mean(axis=0)[late], label=named(runs[0]["experts"]), **look)
            axes.set_xlabel(AGAINST[what][0].format(origins=origins(told)))
            axes.set_ylabel("held-out loss / nat a token")
            return plots.finish(axes)

        return draw

    plots.save(path, *(panel(what) for what in AGAINST), size=(6.5, 3.1))


def origins(told: Told) -> str:
    """What the joules are, in words: their shares by origin."""
    words = {run["energy_shares"] for run in told["runs"]}
    return words.pop() if len(words) == 1 else "mostly " + sorted(words)[0]


def to_equal_loss(path: Path, told: Told) -> None:
    """Joules, time and tokens to the dense model's final loss, over what the dense model spent."""
    words = {"energy_j": "energy", "train_s": "time", "tokens": "tokens"}
    rows = [
        (runs, what)
        for size in dict.fromkeys(run["size"] for run in told["runs"])
        for runs in variants(told, size)[1:]
        for what in words
    ]

    def draw(axes: Axes) -> Axes:
        axes.axvline(1, color=plots.REFERENCE, linestyle="--", linewidth=1, label="the dense model")
        for place, (runs, what) in enumerate(rows):
            dense = of_variant(told, f"{runs[0]['size']}-dense")
            value = ratio(dense, runs, what)
            if not np.isfinite(value):
                axes.text(1.0, place, " not reached", va="center", fontsize="small")
                continue
            low, high = bootstrap(dense, runs, what) if len(runs) > 1 else (value, value)
            high = min(high, 4.0)
            axes.errorbar(
                value,
                place,
                xerr=[[value - low], [high - value]],
                fmt=MARKS[runs[0]["experts"]],
                color=SHADES[runs[0]["experts"]],
                capsize=3,
            )
        axes.set_xlabel(
            "spent to the dense model's final loss / spent by the dense model\n"
            "(bar: 80 % band, seeds drawn again; one seed has none)"
        )
        return plots.named_rows(
            axes, [f"{runs[0]['variant']}: {words[what]}" for runs, what in rows]
        )

    plots.save(path, draw, size=(6.5, 0.26 * len(rows) + 1.4))


def predictions(path: Path, told: Told) -> None:
    """Predicted over measured time of every run, with the predicted band."""

    def draw(axes: Axes) -> Axes:
        axes.axvline(1, color=plots.REFERENCE, linestyle="--", linewidth=1, label="measured")
        for place, run in enumerate(told["runs"]):
            value, low, high = (number / run["measured_s"][0] for number in run["predicted_s"])
            axes.errorbar(
                value,
                place,
                xerr=[[value - low], [high - value]],
                capsize=2,
                fmt=MARKS[run["experts"]],
                color=PREDICTED,
            )
        axes.set_xlabel("predicted / measured time of the steps (bar: predicted 80 % band)")
        return plots.named_rows(axes, [run["name"] for run in told["runs"]])

    plots.save(path, draw, size=(6.5, 0.22 * len(told["runs"]) + 1.0))


def load(path: Path, told: Told) -> None:
    """Load of the busiest and of the idlest expert over training, even load being one."""
    sparse = [run for run in told["runs"] if run["experts"] > 1 and run["seed"] == 0]

    def ends(axes: Axes, runs: Sequence[Told]) -> None:
        for run in runs:
            shares = [np.array(point["load"]) * run["experts"] for point in run["load"]]
            x = [point["tokens"] / 1e6 for point in run["load"]]
            look = style(run["experts"])
            axes.plot(x, [share.max() for share in shares], label=run["variant"], **look)
            axes.plot(x, [share.min() for share in shares], **(look | {"linestyle": ":"}))

    def panel(size: str) -> plots.Panel:
        def draw(axes: Axes) -> Axes:
            ends(axes, [run for run in sparse if run["size"] == size])
            axes.axhline(1, color=plots.REFERENCE, linestyle="--", linewidth=1, label="even load")
            axes.set_xlabel("text read / million tokens")
            axes.set_ylabel("tokens of an expert / mean\n(solid: busiest, dotted: idlest)")
            axes.grid(alpha=0.3)
            return plots.legend_below(axes, ncols=4, drop=-0.22)

        return draw

    plots.save(
        path,
        *(panel(size) for size in dict.fromkeys(run["size"] for run in sparse)),
        size=(6.5, 2.8),
    )
