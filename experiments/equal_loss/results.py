"""The experiment's runs as one small table, and what follows from it.

Joules and seconds are those of the optimizer steps; held-out evaluations and checkpoints are left
out of both, as they are the same for all and no part of training. Nothing here trains or draws.
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
from energy.record import RunRecord
from energy.shape import Shape, active_parameters, parameters, total
from experiments.equal_loss.plan import BATCH, SEQUENCE, Run

Array = NDArray[np.float64]
Told = dict[str, Any]

BAND = (0.1, 0.9)
LOADS_KEPT = 5
"""Points of a run at which the load of its experts is kept."""
SMOOTHED = 3
"""Held-out losses that are averaged: at a constant learning rate one alone jumps about."""


def gather(planned: Sequence[Run], out: Path, hours: float) -> Told:
    """What the runs left on disk, without their checkpoints: curves, spending, predictions."""
    found = [_run(run, out / run.name) for run in planned]
    record = RunRecord.load(out / planned[0].name / "run" / "record.json")
    environment = record.environment or {}
    return {
        "hours": hours,
        "runs": found,
        "created_utc": record.created_utc,
        "machine": {key: environment.get(key) for key in ("cpu", "os", "python", "torch")}
        | {"threads": record.labels.get("threads", "unknown")},
    }


def _run(run: Run, out: Path) -> Told:
    shape = Shape.from_dict(run.shape())
    record = RunRecord.load(out / "run" / "record.json")
    predicted = RunRecord.load(out / "predicted" / "record.json")
    lines = [json.loads(line) for line in (out / "run" / "metrics.jsonl").open(encoding="utf-8")]
    windows = {window.name: window for window in record.windows}
    step, evaluation = windows["step"], windows["evaluate"]
    evaluation_s = evaluation.elapsed_s.numbers()[0] / evaluation.count
    power_w = step.energy_j.numbers()[0] / step.elapsed_s.numbers()[0]
    last = {
        "tokens": run.steps * BATCH * SEQUENCE,
        "loss": record.metrics["held_out_loss"].numbers()[0],
        "train_s": step.elapsed_s.numbers()[0],
        "energy_j": step.energy_j.numbers()[0],
    }
    return {
        "name": run.name,
        "variant": run.variant,
        "size": run.size.name,
        "experts": run.experts,
        "seed": run.seed,
        "steps": run.steps,
        "tokens": run.steps * BATCH * SEQUENCE,
        "params_active": float(total(active_parameters(shape))),
        "params_total": float(total(parameters(shape))),
        "flop_per_token": float(total(flops.model_flop(shape))),
        # The last evaluation follows the last line.
        "curve": [*curve(lines[:-1], evaluation_s, power_w), last],
        "measured_s": step.elapsed_s.numbers(),
        "predicted_s": predicted.elapsed_s.numbers(),
        "measured_j": step.energy_j.numbers(),
        "energy_shares": step.energy_j.origins,
        "predicted_j": predicted.totals["chip"].numbers(),
        "mfu": [line["mfu"] for line in lines if line.get("mfu")][-1],
        "load": _loads(lines),
        "dropped_steps": record.metrics["skipped_steps"].numbers()[0],
    }


def curve(lines: Sequence[Told], evaluation_s: float, power_w: float) -> list[Told]:
    """Held-out loss against tokens, seconds and joules of the steps.

    A line's rate is over the time since the last line, in which one evaluation lies.

    Args:
        lines: of metrics, in order.
        evaluation_s: seconds of one evaluation.
        power_w: mean watts of the steps.
    """
    found, train_s, before = [], 0.0, 0.0
    for line in lines:
        evaluated = "held_out_loss" in line
        passed_s = (line["tokens"] - before) / line["tokens_per_s"]
        train_s += max(passed_s - evaluation_s * evaluated, 0.0)
        before = line["tokens"]
        if evaluated:
            found.append(
                {
                    "tokens": line["tokens"],
                    "loss": line["held_out_loss"],
                    "train_s": train_s,
                    "energy_j": power_w * train_s,
                }
            )
    return found


def _loads(lines: Sequence[Told]) -> list[Told]:
    """Load of each expert of each layer, at a few points of the run."""
    with_load = [line for line in lines if line.get("expert_load")]
    if not with_load:
        return []
    picked = np.unique(np.linspace(0, len(with_load) - 1, LOADS_KEPT).round().astype(int))
    return [
        {
            "tokens": with_load[i]["tokens"],
            "load": np.round(with_load[i]["expert_load"], 5).tolist(),
        }
        for i in picked
    ]


def smooth(losses: Sequence[float]) -> Array:
    """Mean of each loss and the last ones before it."""
    sums = np.cumsum([0.0, *losses])
    counts = np.minimum(np.arange(1, len(losses) + 1), SMOOTHED)
    ends = np.arange(1, len(losses) + 1)
    return np.asarray((sums[ends] - sums[ends - counts]) / counts)


def spent_at(points: Sequence[Told], loss: float, what: str) -> float:
    """What a run had spent when its held-out loss, smoothed, first came down to a value.

    Between two evaluations the loss is taken as linear in what was spent; a run that never comes
    down to it has spent infinitely much.

    Args:
        points: of a curve, in order.
        loss: nats a token.
        what: "tokens", "train_s" or "energy_j".
    """
    losses, spent = smooth([point["loss"] for point in points]), [point[what] for point in points]
    for i, after in enumerate(losses):
        if after <= loss:
            before = losses[max(i - 1, 0)]
            share = 1.0 if before <= after else (before - loss) / (before - after)
            return float(spent[max(i - 1, 0)] + share * (spent[i] - spent[max(i - 1, 0)]))
    return float("inf")


def loss_at(points: Sequence[Told], spent: float, what: str) -> float:
    """Held-out loss of a run, smoothed, when it had spent so much; of its end where it spent less.

    Args:
        points: of a curve, in order.
        spent: joules, seconds or tokens.
        what: "tokens", "train_s" or "energy_j".
    """
    losses = smooth([point["loss"] for point in points])
    return float(np.interp(spent, [point[what] for point in points], losses))


def of_variant(told: Told, variant: str) -> list[Told]:
    """The runs of a variant, seed by seed."""
    return [run for run in told["runs"] if run["variant"] == variant]


def final_loss(runs: Sequence[Told]) -> float:
    """Mean final held-out loss of some runs, smoothed."""
    return float(np.mean([smooth([p["loss"] for p in run["curve"]])[-1] for run in runs]))


def ratio(dense: Sequence[Told], sparse: Sequence[Told], what: str) -> float:
    """What mixtures spend to the final loss of dense runs, over what those spent in all.

    Seed by seed, as a seed fixes the order of the text too: the sum of one side over the other's.
    """
    ours = sum(
        spent_at(b["curve"], final_loss([a]), what) for a, b in zip(dense, sparse, strict=True)
    )
    return float(ours / sum(run["curve"][-1][what] for run in dense))


def gain(dense: Sequence[Told], sparse: Sequence[Told], what: str = "energy_j") -> list[float]:
    """Loss of dense runs at their end, less the mixtures' where they had spent as much; by seed."""
    return [
        final_loss([a]) - loss_at(b["curve"], a["curve"][-1][what], what)
        for a, b in zip(dense, sparse, strict=True)
    ]


def bootstrap(dense: Sequence[Told], sparse: Sequence[Told], what: str) -> tuple[float, float]:
    """80 % band of the ratio: seeds drawn again with replacement, all draws.

    Three seeds give 27 draws, 10 of them distinct.
    """
    pairs = list(zip(dense, sparse, strict=True))
    ratios = [
        ratio([a for a, _ in draw], [b for _, b in draw], what)
        for draw in itertools.product(pairs, repeat=len(pairs))
    ]
    ordered = np.sort(ratios)
    low, high = (ordered[round(end * (len(ordered) - 1))] for end in BAND)
    return float(low), float(high)


def decomposition(dense: Sequence[Told], sparse: Sequence[Told]) -> dict[str, float]:
    """Joules to the dense loss taken apart: tokens x FLOP a token x joules a FLOP.

    quality = tokens of the mixture to the dense loss, over the dense run's tokens;
    flop = FLOP a token of the mixture over the dense model's;
    efficiency = joules a FLOP of the mixture over the dense model's. Their product is joules.
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


def errors(told: Told, what: str) -> Array:
    """Predicted over measured, less 1, of each run: "s" or "j"."""
    return np.array(
        [run[f"predicted_{what}"][0] / run[f"measured_{what}"][0] - 1 for run in told["runs"]]
    )


def in_band(told: Told, what: str) -> float:
    """Share of runs whose measured number lies in the predicted band."""
    return float(
        np.mean(
            [
                run[f"predicted_{what}"][1]
                <= run[f"measured_{what}"][0]
                <= run[f"predicted_{what}"][2]
                for run in told["runs"]
            ]
        )
    )


def summary(told: Told) -> Told:
    """Every number that the page says, under stable names."""
    variants = list(dict.fromkeys(run["variant"] for run in told["runs"]))
    found: Told = {}
    for variant in variants:
        runs = of_variant(told, variant)
        dense = of_variant(told, f"{runs[0]['size']}-dense")
        found[variant] = {"final_loss": final_loss(runs), "seeds": len(runs)}
        if variant != dense[0]["variant"]:
            found[variant] |= decomposition(dense, runs)
            found[variant]["gain_at_equal_joules"] = gain(dense, runs)
            found[variant]["gain_at_equal_tokens"] = gain(dense, runs, "tokens")
            if len(runs) > 1:
                found[variant]["joules_band"] = bootstrap(dense, runs, "energy_j")
    return {
        "variants": found,
        "time_median_abs_rel_error": float(np.median(np.abs(errors(told, "s")))),
        "energy_median_abs_rel_error": float(np.median(np.abs(errors(told, "j")))),
        "time_band_coverage": in_band(told, "s"),
        "energy_band_coverage": in_band(told, "j"),
    }


def plain(told: Any) -> Any:
    """The same with null where a number is infinite, which JSON does not know."""
    if isinstance(told, dict):
        return {name: plain(value) for name, value in told.items()}
    if isinstance(told, list | tuple):
        return [plain(value) for value in told]
    return None if isinstance(told, float) and not np.isfinite(told) else told
