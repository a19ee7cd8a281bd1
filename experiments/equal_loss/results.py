"""The results of the experiment as one small table, and the figures derived from it.

Joules and seconds are those of the optimizer steps: tokens times the cost of a token, which is
measured in turns when all runs are trained (`costs`). Evaluations and checkpoints are left out of
both: they are the same for all runs and not part of training. Nothing here trains or draws.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy import flops
from energy.quantity import Boundary
from energy.record import RunRecord
from energy.shape import Shape, active_parameters, parameters, total
from experiments.equal_loss.costs import FILE
from experiments.equal_loss.plan import BATCH, SEQUENCE, Run

Array = NDArray[np.float64]
Json = dict[str, Any]
"""The results, a run, or a point of its curve, as results.json stores them."""

BAND = (0.1, 0.9)
"""Quantiles at the ends of an 80 % band."""
LOADS_KEPT = 5
"""Points of a run for which the load of its experts is stored."""
SMOOTHED = 3
"""Validation losses that are averaged: at a constant learning rate a single one is noisy."""


def gather(planned: Sequence[Run], out: Path, hours: float) -> Json:
    """Collect curves, costs and predictions of all runs from their folders.

    Args:
        planned: the runs.
        out: folder with a folder for each.
        hours: length of the experiment.
    """
    costs = json.loads((out / FILE).read_text(encoding="utf-8"))
    results = [_result(run, out / run.name, costs[run.variant]) for run in planned]
    record = RunRecord.load(out / planned[0].name / "run" / "record.json")
    environment = record.environment or {}
    return {
        "hours": hours,
        "costs": costs,
        "runs": results,
        "created_utc": record.created_utc,
        "machine": {key: environment.get(key) for key in ("cpu", "os", "python", "torch")}
        | {"threads": record.labels.get("threads", "unknown")},
    }


def _result(run: Run, out: Path, cost: Json) -> Json:
    shape = Shape.from_dict(run.shape())
    record = RunRecord.load(out / "run" / "record.json")
    predicted = RunRecord.load(out / "predicted" / "record.json")
    lines = [json.loads(line) for line in (out / "run" / "metrics.jsonl").open(encoding="utf-8")]
    step = next(window for window in record.windows if window.name == "step")
    tokens = run.steps * BATCH * SEQUENCE
    # The last evaluation is after the last line of metrics.
    last = {"tokens": tokens, "validation_loss": record.metrics["validation_loss"].numbers()[0]}
    return {
        "name": run.name,
        "variant": run.variant,
        "size": run.size.name,
        "family": run.family,
        "experts": run.experts,
        "seed": run.seed,
        "precision": record.labels.get("precision", "float32"),
        "steps": run.steps,
        "tokens": tokens,
        "params_active": float(total(active_parameters(shape))),
        "params_total": float(total(parameters(shape))),
        "flop_per_token": float(total(flops.model_flop(shape))),
        "curve": curve([*lines[:-1], last], cost),
        "measured_s": step.elapsed_s.numbers(),
        "predicted_s": predicted.elapsed_s.numbers(),
        "measured_j": step.energy_j.numbers(),
        "energy_shares": step.energy_j.origins,
        "predicted_j": predicted.totals[Boundary.CHIP].numbers(),
        "mfu": [line["mfu"] for line in lines if line.get("mfu")][-1],
        "load": _loads(lines),
        "rollbacks": record.metrics["rollbacks"].numbers()[0],
        "dropped_steps": record.metrics["skipped_steps"].numbers()[0],
    }


def curve(lines: Sequence[Json], cost: Json) -> list[Json]:
    """Validation loss against tokens, seconds and joules of the steps.

    Args:
        lines: of metrics, in order; those without a validation loss are left out.
        cost: seconds (train_s) and joules (energy_j) of a token.
    """
    return [
        {
            "tokens": line["tokens"],
            "loss": line["validation_loss"],
            "train_s": cost["train_s"] * line["tokens"],
            "energy_j": cost["energy_j"] * line["tokens"],
        }
        for line in lines
        if line.get("validation_loss") is not None
    ]


def _loads(lines: Sequence[Json]) -> list[Json]:
    """Load of each expert of each layer at LOADS_KEPT points of the run."""
    with_load = [line for line in lines if line.get("expert_load")]
    if not with_load:
        return []
    indices = np.unique(np.linspace(0, len(with_load) - 1, LOADS_KEPT).round().astype(int))
    return [
        {
            "tokens": with_load[i]["tokens"],
            "load": np.round(with_load[i]["expert_load"], 5).tolist(),
        }
        for i in indices
    ]


def smooth(losses: Sequence[float]) -> Array:
    """Mean of each loss and the ones before it, SMOOTHED in all (losses)."""
    sums = np.cumsum([0.0, *losses])
    counts = np.minimum(np.arange(1, len(losses) + 1), SMOOTHED)
    ends = np.arange(1, len(losses) + 1)
    return np.asarray((sums[ends] - sums[ends - counts]) / counts)


def spent_at(points: Sequence[Json], loss: float, what: str) -> float:
    """What a run had spent when its smoothed validation loss first fell to a value.

    Between two evaluations the loss is taken as linear in what was spent. A run that never
    reaches the value has spent infinitely much.

    Args:
        points: of a curve, in order.
        loss: nats per token.
        what: "tokens", "train_s" or "energy_j".
    """
    losses, spent = smooth([point["loss"] for point in points]), [point[what] for point in points]
    for i, after in enumerate(losses):
        if after <= loss:
            before = losses[max(i - 1, 0)]
            share = 1.0 if before <= after else (before - loss) / (before - after)
            return float(spent[max(i - 1, 0)] + share * (spent[i] - spent[max(i - 1, 0)]))
    return float("inf")


def loss_at(points: Sequence[Json], spent: float, what: str) -> float:
    """Smoothed validation loss of a run when it had spent so much, or at its end if it spent less.

    Args:
        points: of a curve, in order.
        spent: joules, seconds or tokens.
        what: "tokens", "train_s" or "energy_j".
    """
    losses = smooth([point["loss"] for point in points])
    return float(np.interp(spent, [point[what] for point in points], losses))


def size_names(results: Json) -> list[str]:
    """Names of the sizes that were trained."""
    return list(dict.fromkeys(run["size"] for run in results["runs"]))


def groups(results: Json) -> list[tuple[str, str]]:
    """Size and family of each group of runs that has a dense model of its own."""
    return list(dict.fromkeys(map(group, results["runs"])))


def group(run: Json) -> tuple[str, str]:
    """Size and family of a run; results stored before there were families are of plain ones."""
    return run["size"], run.get("family", "plain")


def variant_names(results: Json, of: tuple[str, str] | None = None) -> list[str]:
    """Names of the variants, "small-16e", of one size and family or of all."""
    return list(
        dict.fromkeys(run["variant"] for run in results["runs"] if of in (None, group(run)))
    )


def dense_twins(results: Json, runs: Sequence[Json]) -> list[Json]:
    """The dense runs of the size and family of some runs, seed by seed."""
    return [run for run in results["runs"] if group(run) == group(runs[0]) and run["experts"] == 1]


def runs_of(results: Json, variant: str) -> list[Json]:
    """The runs of a variant, seed by seed."""
    return [run for run in results["runs"] if run["variant"] == variant]


def final_loss(runs: Sequence[Json]) -> float:
    """Mean of the smoothed final validation losses of some runs."""
    return float(np.mean([smooth([p["loss"] for p in run["curve"]])[-1] for run in runs]))


def ratio(dense: Sequence[Json], sparse: Sequence[Json], what: str) -> float:
    """What mixtures spend to reach the final loss of dense runs, over what those spent in all.

    Seed by seed, because a seed also fixes the order of the text: the sum over one side divided
    by the sum over the other.
    """
    ours = sum(
        spent_at(b["curve"], final_loss([a]), what) for a, b in zip(dense, sparse, strict=True)
    )
    return float(ours / sum(run["curve"][-1][what] for run in dense))


def gain(dense: Sequence[Json], sparse: Sequence[Json], what: str = "energy_j") -> list[float]:
    """Final loss of dense runs minus that of mixtures when they had spent as much, by seed."""
    return [
        final_loss([a]) - loss_at(b["curve"], a["curve"][-1][what], what)
        for a, b in zip(dense, sparse, strict=True)
    ]


def bootstrap(dense: Sequence[Json], sparse: Sequence[Json], what: str) -> tuple[float, float]:
    """80 % band of the ratio over all resamples of the seeds with replacement.

    Three seeds have 27 resamples, 10 of them distinct.
    """
    pairs = list(zip(dense, sparse, strict=True))
    ratios = [
        ratio([a for a, _ in resample], [b for _, b in resample], what)
        for resample in itertools.product(pairs, repeat=len(pairs))
    ]
    ordered = np.sort(ratios)
    low, high = (ordered[round(quantile * (len(ordered) - 1))] for quantile in BAND)
    return float(low), float(high)


def decomposition(dense: Sequence[Json], sparse: Sequence[Json]) -> dict[str, float]:
    """Joules to the dense loss as a product: tokens x FLOP per token x joules per FLOP.

    quality = tokens of the mixture to the dense loss, over the dense run's tokens;
    flop = FLOP per token of the mixture over the dense model's;
    efficiency = joules per FLOP of the mixture over the dense model's. Their product is joules:
    0.84 * 1.000 * 1.14 = 0.96 for 16 experts of the small size, family plain, in float32.
    """
    joules = ratio(dense, sparse, "energy_j")
    quality = ratio(dense, sparse, "tokens")
    flop = sparse[0]["flop_per_token"] / dense[0]["flop_per_token"]
    return {
        "quality": quality,
        "flop": flop,
        "efficiency": joules / (quality * flop),
        "joules": joules,
    }


def errors(results: Json, what: str) -> Array:
    """Predicted over measured, minus 1, of each run: "s" for time or "j" for energy (runs)."""
    return np.array(
        [run[f"predicted_{what}"][0] / run[f"measured_{what}"][0] - 1 for run in results["runs"]]
    )


def coverage(results: Json, what: str) -> float:
    """Share of runs whose measured value lies in the predicted band; "s" or "j"."""
    return float(
        np.mean(
            [
                run[f"predicted_{what}"][1]
                <= run[f"measured_{what}"][0]
                <= run[f"predicted_{what}"][2]
                for run in results["runs"]
            ]
        )
    )


def summary(results: Json) -> Json:
    """Every figure on the page, under stable names."""
    variants: Json = {}
    for name in variant_names(results):
        runs = runs_of(results, name)
        dense = dense_twins(results, runs)
        variants[name] = {"final_loss": final_loss(runs), "seeds": len(runs)}
        if name != dense[0]["variant"]:
            variants[name] |= decomposition(dense, runs)
            variants[name]["gain_at_equal_joules"] = gain(dense, runs)
            variants[name]["gain_at_equal_tokens"] = gain(dense, runs, "tokens")
            if len(runs) > 1:
                variants[name]["joules_band"] = bootstrap(dense, runs, "energy_j")
    return {
        "variants": variants,
        "time_median_abs_rel_error": float(np.median(np.abs(errors(results, "s")))),
        "energy_median_abs_rel_error": float(np.median(np.abs(errors(results, "j")))),
        "time_band_coverage": coverage(results, "s"),
        "energy_band_coverage": coverage(results, "j"),
    }


def mixtures(results: Json) -> Json:
    """The summaries of the mixtures: those variants that a dense model is compared with."""
    variants: Json = summary(results)["variants"]
    return {name: variant for name, variant in variants.items() if "joules" in variant}


def without_infinities(value: Any) -> Any:
    """The same value with null in place of infinite numbers, which JSON does not have."""
    if isinstance(value, dict):
        return {name: without_infinities(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_infinities(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
