"""The tables of the experiment's page."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from benchmarks.pages import markdown_table
from energy.units import J_PER_KWH, count
from experiments.equal_loss.results import (
    Json,
    group,
    groups,
    mixtures,
    runs_of,
    summary,
    variant_names,
)


def agreement(results: Json) -> str:
    """What the paper says beside the result here, and whether the two agree."""
    sparse = mixtures(results)
    gains = {name: float(np.mean(row["gain_at_equal_tokens"])) for name, row in sparse.items()}
    steps = [
        fewer > more
        for of in groups(results)
        for fewer, more in itertools.pairwise(
            sparse[name]["final_loss"] for name in variant_names(results, of) if name in sparse
        )
    ]
    saves = [row["joules"] < 1 for row in sparse.values()]
    least = min(row["joules"] for row in sparse.values())
    rows = [
        (
            "for equal FLOP and equal text, sparse is better",
            "nats below dense: " + ", ".join(f"{name} {gain:+.3f}" for name, gain in gains.items()),
            _verdict([gain > 0 for gain in gains.values()]),
        ),
        (
            "more experts are better",
            f"{sum(steps)} of {len(steps)} steps to more experts lower the final loss",
            _verdict(steps),
        ),
        (
            "equal quality costs less energy",
            f"{sum(saves)} of {len(saves)} mixtures reach the dense loss with fewer joules",
            _verdict(saves),
        ),
        (
            "the cost is a third",
            f"{least:.2f} of the dense model's joules at best, on one machine",
            "yes" if least <= 1 / 3 else "no",
        ),
    ]
    return markdown_table(("the paper", "here", "agrees"), rows)


def models(results: Json) -> str:
    """Size, FLOP, tokens and seeds of every variant."""
    rows = []
    for name in variant_names(results):
        runs = runs_of(results, name)
        rows.append(
            (
                name,
                count(runs[0]["params_total"]),
                count(runs[0]["params_active"]),
                f"{runs[0]['flop_per_token'] / 1e6:.1f}M",
                f"{runs[0]['tokens'] / 1e6:.2f}M",
                group(runs[0])[1],
                str(len(runs)),
            )
        )
    heads = (
        "model",
        "parameters",
        "active per token",
        "model FLOP per token",
        "tokens",
        "family",
        "seeds",
    )
    return markdown_table(heads, rows)


def losses(results: Json) -> str:
    """Final losses, and what the steps took."""
    rows, variants = [], summary(results)["variants"]
    for name in variant_names(results):
        runs = runs_of(results, name)
        final = [run["curve"][-1] for run in runs]
        seconds = np.mean([point["train_s"] for point in final])
        joules = float(np.mean([point["energy_j"] for point in final]))
        rows.append(
            (
                name,
                f"{variants[name]['final_loss']:.3f}",
                ", ".join(f"{point['loss']:.3f}" for point in final),
                f"{seconds / 60:.1f} min",
                _watt_hours(joules),
                f"{np.mean([run['mfu'] for run in runs]):.0%}",
                f"{sum(run['dropped_steps'] for run in runs):.0f}, "
                f"{sum(run.get('rollbacks', 0) for run in runs):.0f}",
            )
        )
    heads = (
        "model",
        "final validation loss",
        "last evaluation, by seed",
        "time of the steps",
        "energy of the steps",
        "MFU",
        "updates skipped, rollbacks",
    )
    return markdown_table(heads, rows)


def equal_loss(results: Json) -> str:
    """Joules to the dense loss, decomposed."""
    rows = [
        (
            name,
            times(row["joules"]),
            band(row["joules_band"]) if "joules_band" in row else "one seed",
            times(row["quality"]),
            f"{row['flop']:.3f}",
            times(row["efficiency"]),
            ", ".join(f"{gain:+.3f}" for gain in row["gain_at_equal_joules"]),
        )
        for name, row in mixtures(results).items()
    ]
    heads = (
        "model",
        "joules to the dense loss",
        "80 % band",
        "= tokens (quality)",
        "x FLOP per token",
        "x joules per FLOP (efficiency)",
        "nats gained at equal joules, by seed",
    )
    return markdown_table(heads, rows)


def predictions(results: Json) -> str:
    """Measured against predicted time and energy of every run."""
    rows = [
        (
            run["name"],
            f"{run['predicted_s'][0] / 60:.1f} min",
            f"{run['predicted_s'][1] / 60:.1f} to {run['predicted_s'][2] / 60:.1f}",
            f"{run['measured_s'][0] / 60:.1f} min",
            f"{run['predicted_s'][0] / run['measured_s'][0] - 1:+.1%}",
            _watt_hours(run["predicted_j"][0]),
            _watt_hours(run["measured_j"][0]),
            f"{run['predicted_j'][0] / run['measured_j'][0] - 1:+.1%}",
        )
        for run in results["runs"]
    ]
    heads = (
        "run",
        "predicted",
        "80 % band, min",
        "measured",
        "error",
        "predicted energy",
        "metered energy",
        "error",
    )
    return markdown_table(heads, rows)


def load(results: Json) -> str:
    """Load of the busiest and the least busy expert of every mixture, first seed."""
    rows = []
    for run in results["runs"]:
        if run["load"] and run["seed"] == 0:
            shares = [np.array(point["load"]) * run["experts"] for point in run["load"]]
            rows.append(
                (
                    run["variant"],
                    f"{shares[0].max():.2f}",
                    f"{shares[-1].max():.2f}",
                    f"{shares[-1].min():.2f}",
                )
            )
    heads = ("model", "busiest expert, start", "busiest expert, end", "least busy expert, end")
    return markdown_table(heads, rows)


def times(value: float) -> str:
    """A ratio as the page shows it; "never" for an infinite one."""
    return f"{value:.2f} x" if np.isfinite(value) else "never"


def band(ends: tuple[float, float]) -> str:
    """The ends of a band as the page shows them."""
    low, high = ends
    if not np.isfinite(low):
        return "never"
    return f"{low:.2f} to {high:.2f}" if np.isfinite(high) else f"{low:.2f} to never"


def _watt_hours(joules: float) -> str:
    return f"{joules / J_PER_KWH * 1e3:.2f} Wh"


def _verdict(claims: Sequence[bool]) -> str:
    if all(claims):
        return "yes"
    return "in part" if any(claims) else "no"
