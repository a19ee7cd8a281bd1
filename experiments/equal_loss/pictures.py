"""The experiment's pictures: curves, cost to equal loss, predictions, load of the experts.

Dense models are orange and dashed, mixtures blue and solid, darker with more experts; predicted
values are gray.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from energy.colors import BAND, DENSE, MIDDLE, PREDICTED, SPARSE
from energy.units import J_PER_KWH
from experiments.equal_loss.results import (
    Json,
    bootstrap,
    coverage,
    dense_twins,
    errors,
    gain,
    group,
    groups,
    mixtures,
    ratio,
    runs_of,
    variant_names,
)
from simulator.kit import style as plots

SHADES = {1: DENSE, 4: BAND, 16: MIDDLE, 32: SPARSE}
MARKS = {1: "s", 4: "o", 16: "^", 32: "D"}
AXES = {
    "tokens": ("text read / million tokens", 1e6),
    "train_s": ("time of the steps / min", 60.0),
    "energy_j": ("energy of the steps / Wh ({origins})", J_PER_KWH / 1e3),
}
"""Key of a point of a curve -> label of its axis, and the unit of the label in SI."""


def curves(
    path: Path, results: Json, of: tuple[str, str], over: Sequence[str] = tuple(AXES)
) -> None:
    """Draw validation loss against tokens, time and joules, as the mean over the seeds.

    Args:
        path: of the picture.
        results: of the experiment.
        of: size and family, as `groups` has them.
        over: keys of `AXES`, a panel each.
    """

    def panel(what: str) -> plots.Panel:
        label, unit = AXES[what]

        def draw(axes: Axes) -> Axes:
            for runs in _variants(results, of):
                loss = np.array([[point["loss"] for point in run["curve"]] for run in runs])
                spent = np.array([[point[what] for point in run["curve"]] for run in runs])
                experts, x = runs[0]["experts"], spent.mean(axis=0) / unit
                late = x > x[-1] / 4
                axes.plot(x[late], loss.mean(axis=0)[late], label=_label(experts), **_look(experts))
            axes.set_xlabel(label.format(origins=origins(results)))
            axes.set_ylabel("validation loss / nat per token")
            return plots.finish(axes)

        return draw

    title = _at_equal_joules(results, of)
    plots.save(path, *(panel(what) for what in over), size=(6.5, 3.1), title=title)


def _at_equal_joules(results: Json, of: tuple[str, str]) -> str:
    """What the best mixture of a size and family gains at the joules of its dense model."""
    _, *sparse = _variants(results, of)
    gains = {
        runs[0]["experts"]: float(np.mean(gain(dense_twins(results, runs), runs)))
        for runs in sparse
    }
    experts = max(gains, key=lambda each: gains[each])
    nats = gains[experts]
    return (
        f"{' '.join(of)}: at equal joules {experts} experts have a loss "
        f"{abs(nats):.3f} {'lower' if nats > 0 else 'higher'} than the dense model"
    )


def origins(results: Json) -> str:
    """Where the joules come from, in words: shares by origin."""
    words: list[str] = sorted({run["energy_shares"] for run in results["runs"]})
    return words[0] if len(words) == 1 else f"mostly {words[0]}"


def to_equal_loss(path: Path, results: Json) -> None:
    """Draw what mixtures spend to the dense model's final loss, over what that model spent."""
    words = {"energy_j": "energy", "train_s": "time", "tokens": "tokens"}
    rows = [
        (runs, what)
        for of in groups(results)
        for runs in _variants(results, of)[1:]
        for what in words
    ]

    def draw(axes: Axes) -> Axes:
        axes.axvline(1, color=plots.REFERENCE, linestyle="--", linewidth=1, label="the dense model")
        for place, (runs, what) in enumerate(rows):
            dense = dense_twins(results, runs)
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
            "(bar: 80 % band, bootstrap over seeds; none for one seed)"
        )
        return plots.named_rows(
            axes, [f"{runs[0]['variant']}: {words[what]}" for runs, what in rows]
        )

    saves = [variant["joules"] < 1 for variant in mixtures(results).values()]
    title = f"{sum(saves)} of {len(saves)} mixtures reach the dense loss with fewer joules"
    plots.save(path, draw, size=(6.5, 0.26 * len(rows) + 1.4), title=title)


def predictions(path: Path, results: Json) -> None:
    """Draw predicted over measured time of every run, with the predicted band."""

    def draw(axes: Axes) -> Axes:
        axes.axvline(1, color=plots.REFERENCE, linestyle="--", linewidth=1, label="measured")
        for place, run in enumerate(results["runs"]):
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
        return plots.named_rows(axes, [run["name"] for run in results["runs"]])

    times = 1 + float(np.median(errors(results, "s")))
    covered = f"{coverage(results, 's'):.0%} of the predicted bands hold it"
    title = f"predicted time is {times:.2f} times the measured in the median; {covered}"
    plots.save(path, draw, size=(6.5, 0.22 * len(results["runs"]) + 1.0), title=title)


def load(path: Path, results: Json) -> None:
    """Draw the load of the busiest and the least busy expert over training; balanced load is 1."""
    sparse = [run for run in results["runs"] if run["experts"] > 1 and run["seed"] == 0]

    def extremes(axes: Axes, runs: Sequence[Json]) -> None:
        for run in runs:
            shares = [np.array(point["load"]) * run["experts"] for point in run["load"]]
            x = [point["tokens"] / 1e6 for point in run["load"]]
            look = _look(run["experts"])
            axes.plot(x, [share.max() for share in shares], label=_label(run["experts"]), **look)
            axes.plot(x, [share.min() for share in shares], **(look | {"linestyle": ":"}))

    def panel(of: tuple[str, str]) -> plots.Panel:
        def draw(axes: Axes) -> Axes:
            extremes(axes, [run for run in sparse if group(run) == of])
            axes.axhline(1, color=plots.REFERENCE, linestyle="--", linewidth=1, label="balanced")
            axes.set_title(", ".join(of), loc="left")
            axes.set_xlabel("text read / million tokens")
            axes.set_ylabel("tokens per expert / mean\n(solid: most, dotted: fewest)")
            axes.grid(alpha=0.3)
            return plots.legend_below(axes)

        return draw

    most = max(float(np.max(run["load"][-1]["load"])) * run["experts"] for run in sparse)
    plots.save(
        path,
        *(panel(of) for of in dict.fromkeys(map(group, sparse))),
        size=(6.5, 2.8),
        title=f"at the end no expert has more than {most:.1f} times the mean of tokens",
    )


def _variants(results: Json, of: tuple[str, str]) -> list[list[Json]]:
    """The runs of one size and family, by variant, dense first."""
    return [runs_of(results, name) for name in variant_names(results, of)]


def _look(experts: int) -> dict[str, Any]:
    """Color, line and marker of a variant."""
    return {
        "color": SHADES[experts],
        "linestyle": "--" if experts == 1 else "-",
        "marker": MARKS[experts],
        "markersize": 3,
    }


def _label(experts: int) -> str:
    return "dense" if experts == 1 else f"{experts} experts, top-2"
