"""The most that fits a budget: tokens of a model, or the largest model of a family.

What a run spends never falls when it gets longer or its model larger, so the most that fits is
found by bisection, with whatever says what is spent as a black box. The answer has a band: what
fits when spending is at the low and at the high end of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from energy.errors import InfeasibleError, InputError
from energy.quantity import Origin, Quantity
from simulator.runs.spend import Spend, Spending, check_budgets, use
from simulator.scenarios.scenario import Scenario
from simulator.scenarios.variants import granule, parameters, with_layers, with_tokens

MOST_TOKENS = 1e18


MOST_LAYERS = 1024


@dataclass(frozen=True)
class Most:
    """The most that fits.

    Attributes:
        what: tokens or parameters.
        answer: how many, with the band that the bands of spending give.
        scenario: the run at the middle of the answer.
        spend: what it takes.
        budgets: limits.
        used: part of each budget that it uses.
    """

    what: str
    answer: Quantity
    scenario: Scenario
    spend: Spend
    budgets: dict[str, float]
    used: dict[str, float]

    @property
    def binding(self) -> str:
        """The budget that is used most."""
        return max(self.used, key=lambda name: self.used[name])


def most_tokens(scenario: Scenario, spending: Spending, budgets: Mapping[str, float]) -> Most:
    """The most tokens that fit.

    1,024 TPU v4 at 326 W, PUE 1.11 and GLaM 64B/64E's rate: 456 MWh are 600B tokens.

    Raises:
        InfeasibleError: not one token fits: megawatts do not fall with tokens.
    """
    check_budgets(budgets)
    ends = []
    for end in (0, 2, 1):

        def fits(exponent: float, end: int = end) -> bool:
            longer = with_tokens(scenario, math.exp(exponent))
            return all(part <= 1 for part in use(spending(longer), budgets, end).values())

        found = last(fits, 0.0, math.log(MOST_TOKENS))
        ends.append(None if found is None else math.exp(found))
    middle, low, high = ends
    if middle is None or high is None:
        _refuse(spending(with_tokens(scenario, 1.0)), budgets, "a single token")
    assert middle is not None
    assert high is not None
    chosen = with_tokens(scenario, middle)
    spend = spending(chosen)
    answer = _band(middle, low, high, "tokens")
    return Most("tokens", answer, chosen, spend, dict(budgets), use(spend, budgets, 0))


def largest_model(
    scenario: Scenario,
    spending: Spending,
    budgets: Mapping[str, float],
    tokens_per_parameter: float | None = None,
) -> Most:
    """The largest model of the scenario's family that fits.

    Args:
        scenario: whose model is scaled, width and depth together (`scaled`).
        spending: what a scenario takes.
        budgets: limits.
        tokens_per_parameter: tokens for each active parameter; without it, the scenario's tokens.

    Raises:
        InfeasibleError: not the smallest of the family fits.
    """
    check_budgets(budgets)
    if tokens_per_parameter is not None and not tokens_per_parameter > 0:
        raise InputError("expected tokens a parameter above 0", f"{tokens_per_parameter:g}")
    step = granule(scenario)

    def sized(count: int) -> Scenario:
        return with_layers(scenario, count * step, tokens_per_parameter)

    ends = []
    for end in (0, 2, 1):

        def fits(count: int, end: int = end) -> bool:
            try:
                spent = spending(sized(count))
            except InfeasibleError:
                return False
            return all(part <= 1 for part in use(spent, budgets, end).values())

        ends.append(last_whole(fits, 1, MOST_LAYERS // step))
    if ends[0] is None:
        _refuse(spending(sized(1)), budgets, f"a model of {step} layers")
    middle, low, high = (None if count is None else parameters(sized(count)) for count in ends)
    assert ends[0] is not None
    assert middle is not None
    chosen = sized(ends[0])
    spend = spending(chosen)
    answer = _band(middle, low, high, "parameters")
    return Most("parameters", answer, chosen, spend, dict(budgets), use(spend, budgets, 0))


def last(fits: Callable[[float], bool], low: float, high: float) -> float | None:
    """The last number from low to high that fits, where all before it fit; None if none does."""
    if not fits(low):
        return None
    if fits(high):
        return high
    # 1e-12 of a token count in its logarithm is far below any band.
    while high - low > 1e-12 * max(1.0, abs(high)):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def last_whole(fits: Callable[[int], bool], low: int, high: int) -> int | None:
    """As `last`, of whole numbers."""
    if not fits(low):
        return None
    # Doubled from below: nothing far beyond the answer is ever asked for.
    beyond = 2 * max(low, 1)
    while beyond < high and fits(beyond):
        low, beyond = beyond, 2 * beyond
    if beyond >= high:
        if fits(high):
            return high
        beyond = high
    while beyond - low > 1:
        middle = (low + beyond) // 2
        low, beyond = (middle, beyond) if fits(middle) else (low, middle)
    return low


def _refuse(spend: Spend, budgets: Mapping[str, float], least: str) -> None:
    """Say which budget the least of all runs breaks."""
    parts = use(spend, budgets, 0)
    worst = max(parts, key=lambda name: parts[name])
    needed = spend.by_budget()[worst]
    raise InfeasibleError(
        f"expected a budget that holds {least}",
        f"{budgets[worst]:g} {needed.unit} where {needed.numbers()[0]:.3g} are needed",
        "raise it, or take fewer chips",
    )


def _band(middle: float, low: float | None, high: float | None, what: str) -> Quantity:
    """The answer; nothing at all may fit at the high end of spending."""
    return Quantity(
        value=middle,
        low=0.0 if low is None else min(low, middle),
        high=middle if high is None else max(high, middle),
        unit="1",
        origin=Origin.MODELLED,
        source=f"most {what} within the budgets; band: spending at the ends of its band",
    )
