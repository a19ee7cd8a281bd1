"""Rules on single figures: signs, ranges, and sizes that contradict each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from energy.claims.claim import NUMBERS, Claim
from energy.claims.rule import Severity, rule
from energy.units import S_PER_DAY, human, parsed_count, significant

PUE_RANGE = (1.0, 3.0)

SHAPE_RANGE = (0.35, 2.5)
"""Parameters over those of the sizes: grouped queries have fewer, decoders beside encoders more."""

MOST_TOKENS = 1e5
"""Tokens a parameter of the smallest released models: OLMo 20M read 85,000."""


@rule(
    "negative",
    Severity.ERROR,
    "No run spends less than nothing. The validators of SPDX and CycloneDX accept it.",
)
def negative(claim: Claim) -> Iterator[str]:
    """A figure below zero."""
    for name, value in claim.numbers.items():
        if value < 0:
            yield f"{name} is {human(value, NUMBERS[name])}"


@rule(
    "not-a-number",
    Severity.ERROR,
    "A figure with its unit, an infinity or a word in the place of a number is read wrongly by "
    'whoever parses it: the filter of the Hugging Face Hub reads 1.2 in "1.2e6" and 40 in "40 t".',
)
def not_a_number(claim: Claim) -> Iterator[str]:
    """What a reader noticed, alone."""
    yield from ()


@rule(
    "unit",
    Severity.ERROR,
    "A format has few units: kWh and tCO2eq in CycloneDX, kilowattHour, megajoule and other in "
    "SPDX, gCO2eq a kWh in BoAmps. With another one the number means something else.",
)
def unit(claim: Claim) -> Iterator[str]:
    """What a reader noticed, alone."""
    yield from ()


@rule(
    "field",
    Severity.ERROR,
    "A form without a field that it requires, or with an empty one, says nothing there; a rounding "
    "or a bucket must be that of the figure beside it.",
)
def field(claim: Claim) -> Iterator[str]:
    """What a reader noticed, alone."""
    yield from ()


@rule(
    "pue",
    Severity.ERROR,
    "PUE is facility energy over IT energy (ISO/IEC 30134-2): at least 1. Below 1 it is its "
    "inverse (DCiE), above 3 per cent: the average of on-premises sites is 1.58.",
)
def pue(claim: Claim) -> Iterator[str]:
    """A PUE below 1 or above 3."""
    value = claim.numbers.get("pue")
    if value is None or PUE_RANGE[0] <= value <= PUE_RANGE[1] or value < 0:
        return
    if 0.3 <= value < 1:
        yield f"the PUE is {value:g}: 1 / {1 / value:.3g}, its inverse?"
    else:
        yield f"the PUE is {value:g}" + (f": {value / 100:g} in per cent?" if value >= 100 else "")


@rule(
    "share",
    Severity.ERROR,
    "A utilization is a share of the peak: 0 to 1. In per cent it is a hundred times too large.",
)
def share(claim: Claim) -> Iterator[str]:
    """A utilization above 1."""
    value = claim.get("mfu")
    if value and value > 1:
        yield f"the utilization is {value:g}"


@rule(
    "active-above-total",
    Severity.ERROR,
    "The parameters that a token passes through are a part of all: active above total is a swap "
    "or a unit.",
)
def active_above_total(claim: Claim) -> Iterator[str]:
    """More active parameters than there are."""
    total, active = claim.get("params_total"), claim.get("params_active")
    if total and active and active > 1.02 * total:
        yield f"{significant(active)} of {significant(total)} parameters are active"


@rule(
    "size-against-shape",
    Severity.ERROR,
    "A Transformer of L layers and width d has about 12 L d^2 parameters (4 d^2 of attention and "
    "2 d d_ff, where these sizes are stated), and its embedding: 2.5 times more or 0.35 times "
    "less is another unit.",
)
def size_against_shape(claim: Claim) -> Iterator[str]:
    """Parameters that layers and width contradict."""
    layers, width, total = (claim.get(name) for name in ("layers", "d_model", "params_total"))
    if not (layers and width and total) or claim.is_sparse:
        return
    heads, head_dim = claim.get("heads"), claim.get("head_dim")
    attention = 4 * width * (heads * head_dim if heads and head_dim else width)
    feed_forward = 2 * width * (claim.get("d_ff") or 4 * width)
    embedding = (claim.get("vocabulary") or 0) * width
    expected = layers * (attention + feed_forward) + embedding
    low, high = SHAPE_RANGE
    if not low <= total / expected <= high:
        yield f"{significant(total)} parameters; {layers:g} layers of {width:g} have about " + (
            significant(expected)
        )


@rule(
    "size-in-name",
    Severity.ERROR,
    "The size in a model's name is that of its parameters, all or active: three times more or "
    "less is another unit. In 64B-64E, the size of GLaM's dense model, its experts come on top.",
)
def size_in_name(claim: Claim) -> Iterator[str]:
    """Parameters that the model's name contradicts."""
    total, active = claim.get("params_total"), claim.get("params_active")
    name = f"{claim.word('name')} {claim.word('title')}".replace("_", " ")
    sizes = re.findall(r"(?<![\w.])(\d+(?:\.\d+)?[mbt])(?!\w| tokens)", name)
    if not total or not sizes or re.search(r"\d+x\d", name):
        return
    counts = [total, active] if active and claim.is_sparse else [total]
    ratios = [count / parsed_count(size) for size in sizes for count in counts]
    experts = re.search(r"\d[mbt][- /](\d{1,4})e\b", name)
    most = 3.0 * int(experts.group(1)) if experts else 3.0
    if not any(1 / 3 <= ratio <= most for ratio in ratios):
        yield f"{significant(total)} parameters of a model called {sizes[0].upper()}"


@rule(
    "tokens-per-parameter",
    Severity.WARNING,
    "Pre-training reads between 0.1 tokens (the sparse models of 2021) and 100,000 tokens "
    "(the smallest released models) a parameter: outside, tokens or parameters are in another "
    "unit.",
)
def tokens_per_parameter(claim: Claim) -> Iterator[str]:
    """Far too few or too many tokens."""
    total, tokens = claim.get("params_total"), claim.get("tokens")
    if not total or not tokens or not claim.word("workload").startswith("pretrain"):
        return
    if not 0.1 <= tokens / total <= MOST_TOKENS:
        yield f"{significant(tokens / total)} tokens a parameter"


@rule(
    "dates",
    Severity.ERROR,
    "The end of a run follows its beginning, and the days between them are at least its duration.",
)
def dates(claim: Claim) -> Iterator[str]:
    """A beginning after the end, or too few days between them."""
    try:
        begin, end = (
            datetime.fromisoformat(claim.words[name]).replace(tzinfo=None)
            for name in ("begin", "end")
        )
    except (KeyError, ValueError):
        return
    days = (end - begin).total_seconds() / S_PER_DAY
    elapsed_s = claim.get("elapsed_s")
    if days < 0:
        yield f"it ends {-days:.1f} days before it begins"
    # Dates may be whole days, of which both count.
    elif elapsed_s and elapsed_s / S_PER_DAY > days + 2:
        yield f"{elapsed_s / S_PER_DAY:.1f} days within {days:.1f} days"
