"""A measured rate of a scenario's own cluster, as words: what it says of the predicted one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from energy.errors import InputError
from simulator.fit.own import scale
from simulator.fit.own_words import setting_of
from simulator.fit.pool import SIGMAS, save_pool
from simulator.runs.estimate import Estimate, estimate
from simulator.runs.predict import Prediction, predict
from simulator.runs.setup import Setup, pool_of
from simulator.scenarios.scenario import Scenario

NUMBER = r"([\d,_]*\.?\d+(?:e[+-]?\d+)?)"

FARTHEST = 8.0
"""A measured rate that differs by more from the predicted one is of something else."""

SEARCHED, CLOSE = 40, 1e-7
"""Steps of the search for a slowdown, and ln of the measured time over the one that ends it."""

SHAPES = (
    "4,150 tokens/s (of all chips)",
    "65 tokens/s/chip",
    "9.96 s",
    "410 TFLOP/s (model FLOP of a chip)",
    "41% MFU",
    "41% MFU, full (attention in full; or causal; else as the prediction counts)",
)


def step_seconds(words: str, of: Estimate) -> float:
    """Seconds of a step from a measured rate or time.

    Args:
        words: a number and its unit.
        of: the step that was measured, whose tokens, FLOP and chips make a rate a time.

    Raises:
        InputError: the number or the unit is not understood.
    """
    # MFU and FLOP/s are counted as the prediction counts, unless the words say otherwise.
    text = words.strip()
    match = re.match(NUMBER + r"\s*(.*)$", text, re.IGNORECASE)
    number = float(match[1].replace(",", "").replace("_", "")) if match else 0.0
    unit = re.sub(r"\s+", " ", match[2].strip().lower()) if match else ""
    setup, convention = of.setup, of.convention
    if counted := re.search(r",? (full|causal)$", unit):
        convention = "full" if counted[1] == "full" else "causal"
        unit = unit[: counted.start()]
    tokens = float(setup.base.global_batch) * float(setup.shape.seq_len)
    flop = sum(of.model_flop(convention).values()) / setup.chips
    if number > 0:
        if re.fullmatch(r"(?:s|sec|seconds?|s ?/ ?step|s(?:econds)? (?:a|per) step)", unit):
            return number
        if re.fullmatch(r"ms(?: ?/ ?step)?", unit):
            return number / 1e3
        if rate := re.fullmatch(r"(?:tokens?|tok) ?(?:/|per) ?(?:s|sec|second)(.*)", unit):
            per_chip = re.fullmatch(r" ?(?:/|per|a|of a) ?(?:chip|gpu|device|tpu)", rate[1])
            if per_chip or not rate[1]:
                return tokens / number / (setup.chips if per_chip else 1)
        if scaled := re.fullmatch(r"([tp])flop(?:/s|s|s/s)?(?: ?(?:/|per|a) ?(?:chip|gpu))?", unit):
            return flop / (number * {"t": 1e12, "p": 1e15}[scaled[1]])
        if re.fullmatch(r"%? ?mfu", unit):
            share = number / 100 if "%" in unit or number > 1 else number
            return flop / (share * float(setup.hardware.peak_flop_per_s))
    raise InputError("expected a measured rate or step time", repr(words), "; ".join(SHAPES))


def calibrated(scenario: Scenario, words: str, cluster: Path | None = None) -> Prediction:
    """Predict a scenario whose rate was measured; what was predicted without it stays beside.

    Args:
        scenario: on a chip of the catalog.
        words: what was measured of it.
        cluster: a constants file to write, with which other questions of the cluster are scaled.

    Raises:
        InputError: the words are not understood, or the scenario is of a calibrated machine.
    """
    if scenario.hardware.chip is None:
        raise InputError(
            "expected a chip of the catalog to scale", "a calibrated machine", "probe it again"
        )
    pool = pool_of(scenario)
    before = estimate(Setup.of(scenario, pool))
    predicted, measured = float(before.step.step_s), step_seconds(words, before)
    if abs(np.log(measured / predicted)) > np.log(FARTHEST):
        raise InputError(
            f"expected a step time within {FARTHEST:g} times {predicted:.3g} s, as predicted",
            f"{measured:.3g} s from {words!r}",
            "tokens/s are of all chips; write tokens/s/chip if they are of one",
        )
    chip, kind = before.setup.hardware.name, before.setup.kind
    earlier = pool.own.get(chip, {}).get(kind, {}).get("ln", 0.0)
    # Rows of a cluster were as unbalanced as they were: what is assumed of routing is no part of
    # their error (`simulator.runs.routing`).
    known = {kind: {"ln": earlier, "rows": 1, "low": 0.0, "high": 0.0}}
    known_pool = replace(pool, own=pool.own | {chip: known})
    as_routed = float(estimate(Setup.of(scenario, known_pool), before.plan).step.step_s)
    error = float(np.log(measured / as_routed))
    scaled = scale({kind: [error]}, pool.newcomers)
    if cluster is not None:
        save_pool(replace(pool, own=pool.own | {chip: scaled}), cluster)
    # This very row is known: what is left is less than the scatter of other rows of one source.
    spread = SIGMAS * float(pool.newcomers[kind]["within"])

    def at(slower: float) -> Estimate:
        exact = {kind: {"ln": earlier + slower, "rows": 1, "low": -spread, "high": spread}}
        own = replace(pool, own=pool.own | {chip: exact})
        return estimate(Setup.of(scenario, own), before.plan)

    after = _of_duration(at, measured, error)
    notes = (*before.notes, *_notes(before, words, scaled[kind], as_routed / predicted, cluster))
    possible = float(after.step.step_s)
    if possible > measured * 1.01:
        notes += (
            f"CAUTION {words} is {measured:.3g} s a step, and the roof of {chip} allows "
            f"{possible:.3g} s with this plan: check the batch and the sequence length",
        )
    return _beside(predict(replace(after, notes=notes)), before)


def _of_duration(at: Callable[[float], Estimate], measured: float, slower: float) -> Estimate:
    """The step that takes as long as was measured, or is as near to it as the roof allows.

    A part at the roof of its chip does not shorten with the others, so the step is sought.

    Args:
        at: from ln of a slowdown to the step.
        measured: seconds.
        slower: ln of the slowdown where no part is at its roof.
    """
    step, left = at(slower), np.inf
    for _ in range(SEARCHED):
        before, left = left, float(np.log(measured / float(step.step.step_s)))
        if abs(left) < CLOSE or abs(left) > 0.99 * abs(before):
            break
        slower += left
        step = at(slower)
    return step


def _beside(prediction: Prediction, before: Estimate) -> Prediction:
    """The prediction with the step time that was predicted without the measured row."""
    metrics = prediction.record.metrics | {"step_time_uncalibrated_s": before.step_s}
    return replace(prediction, record=prediction.record.model_copy(update={"metrics": metrics}))


def _notes(
    before: Estimate,
    words: str,
    scaled: dict[str, float],
    as_routed: float,
    cluster: Path | None,
) -> tuple[str, ...]:
    """What was measured, both bands of a step time, and how to keep the row.

    Args:
        before: without the row.
        words: of the row.
        scaled: what it says of others.
        as_routed: step time without what is assumed of routing, over the one that was predicted.
        cluster: the file that keeps it.
    """
    predicted, *both = before.step_s.numbers()
    ends = [end / predicted for end in both]
    left = [as_routed * np.exp(scaled["ln"] - scaled[end]) for end in ("high", "low")]
    middle = as_routed * np.exp(scaled["ln"])
    notes = (
        f"measured: {words}; other rows of this cluster take x{middle:.2f} of their "
        f"predicted step time: uncalibrated x{ends[0]:.2f} to x{ends[1]:.2f}, "
        f"with your row x{left[0]:.2f} to x{left[1]:.2f}",
    )
    if cluster is None:
        return (*notes, "--cluster FILE keeps the row for other models, plans and counts")
    return (*notes, f"the row is kept: --set {setting_of(cluster)}")
