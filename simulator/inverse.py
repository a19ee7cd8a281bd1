"""The most that fits a budget: tokens of a model, or the largest model of a family.

What a run spends never falls when it gets longer or its model larger, so the most that fits is
found by bisection, with whatever says what is spent as a black box. The answer has a band: what
fits when spending is at the low and at the high end of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from energy import shape as shapes
from energy.errors import InfeasibleError, InputError
from energy.quantity import Origin, Quantity
from energy.shape import Shape
from simulator.scenario import Scenario
from simulator.sections import ModelSection
from simulator.spend import Spend, Spending, check_budgets, use

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


def with_tokens(scenario: Scenario, tokens: float) -> Scenario:
    """The scenario over other tokens."""
    run = scenario.run.model_copy(update={"tokens": tokens, "steps": None})
    return scenario.model_copy(update={"run": run})


def with_layers(scenario: Scenario, layers: int, tokens_per_parameter: float | None) -> Scenario:
    """The scenario with a larger or smaller model of its family."""
    shape = scaled(scenario.model.resolve(), layers)
    model = ModelSection(preset=None, shape=shape.as_dict())
    resized = scenario.model_copy(update={"model": model})
    if tokens_per_parameter is None:
        return resized
    active = float(shapes.total(shapes.active_parameters(shape)))
    return with_tokens(resized, tokens_per_parameter * active)


def scaled(shape: Shape, layers: int) -> Shape:
    """A shape of so many layers with the proportions of another.

    Width, heads, feed-forward width and experts' width go with the depth, the head's width stays;
    mixture layers keep their share, experts their number. GLaM 64B/64E at 32 layers: width 4,096,
    64 heads, feed-forward 16,384.
    """
    factor = layers / float(shape.n_layers)
    group = float(shape.n_heads) / float(shape.n_kv_heads)
    kv_heads = max(1, round(float(shape.n_kv_heads) * factor))
    heads = round(kv_heads * group)
    wide = float(shape.d_model) / float(shape.n_heads)

    def width(value: float) -> int:
        return max(1, round(float(value) / float(shape.n_heads) * heads))

    return replace(
        shape,
        n_layers=layers,
        n_moe_layers=round(float(shape.n_moe_layers) * factor),
        n_window_layers=round(float(shape.n_window_layers) * factor),
        n_heads=heads,
        n_kv_heads=kv_heads,
        d_model=round(wide * heads),
        d_ff=width(float(shape.d_ff)),
        d_expert=width(float(shape.d_expert)),
        q_rank=width(float(shape.q_rank)) if float(shape.q_rank) else 0,
        kv_rank=width(float(shape.kv_rank)) if float(shape.kv_rank) else 0,
    )


def granule(scenario: Scenario) -> int:
    """Layers that a model of the family has a multiple of: its pattern, and what the plan splits.

    Every other layer a mixture and a pipeline of 4: 8. Heads are split by the tensor degree, and
    they go with the layers.
    """
    shape = scenario.model.resolve()
    layers, mixtures = int(shape.n_layers), int(shape.n_moe_layers)
    kv_heads = int(shape.n_kv_heads)
    pattern = layers // math.gcd(layers, mixtures) if mixtures else 1
    split = math.prod(int(scenario.plan.get(name, 1)) for name in ("pp", "vp"))
    tensor = int(scenario.plan.get("tp", 1)) * int(scenario.plan.get("cp", 1))
    # So many layers make a whole number of key-value heads that the tensor degree divides.
    heads = math.lcm(tensor, kv_heads // math.gcd(kv_heads, layers))
    whole = heads * layers // math.gcd(heads * layers, kv_heads) if kv_heads else 1
    return math.lcm(pattern * split, whole)


def parameters(scenario: Scenario) -> float:
    """All parameters of a scenario's model."""
    return float(shapes.total(shapes.parameters(scenario.model.resolve())))


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
