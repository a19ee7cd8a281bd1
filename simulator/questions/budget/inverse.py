"""The most that fits a budget: tokens of a model, or the largest model of a family.

At a fixed step all but the mean power of a run is proportional to its tokens, so one prediction
says how many fit. What a run uses never falls when its model gets larger, so a bisection gives the
largest that fits, whatever computes the spending. The result has a band: what fits when runs use
the low and the high ends of their bands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, TypeVar

from energy.errors import InfeasibleError, InputError
from energy.quantity import Origin, Quantity
from simulator.kit.answer import Answer
from simulator.questions.budget.bisection import last_whole
from simulator.questions.budget.spending import Method, Spent
from simulator.runs.spend import Spending, check_budgets, used
from simulator.scenarios.request import Target, scenario_of
from simulator.scenarios.scenario import Scenario
from simulator.scenarios.variants import granule, parameters, with_layers, with_tokens

MOST_TOKENS = 1e18

MOST_LAYERS = 1024

ROUNDING = 1e-12
"""What a count of tokens stays below a limit by, so that it fits in floating point too."""

Count = TypeVar("Count", int, float)

MIDDLE, LOW, HIGH = 0, 1, 2
"""Which number of the bands of spending is compared with the budgets."""


@dataclass(frozen=True, kw_only=True, repr=False)
class WithinBudget(Answer):
    """The most that fits.

    Attributes:
        what: tokens or parameters.
        most: how many, with the band that the bands of spending give.
        run: the run of that size, and what it uses.
        budgets: limits by name.
        by: the source of the spending, in words.
        beyond: the run of the next size, or why it cannot run; None for tokens, of which any number
            can be, and where no larger model is tried.
    """

    view: ClassVar[str] = "inverse"

    what: str
    most: Quantity
    run: Spent
    budgets: dict[str, float]
    by: str
    beyond: Spent | InfeasibleError | None = None

    @property
    def used(self) -> dict[str, float]:
        """Part of each budget that the run uses."""
        return used(self.run.spend, self.budgets, MIDDLE)

    @property
    def binding(self) -> str | None:
        """The budget that more would break most; None where no budget is in the way."""
        parts = self.used
        if isinstance(self.beyond, Spent):
            parts = used(self.beyond.spend, self.budgets, MIDDLE)
            least = 1.0
        else:
            least = 1 - 1e-6
        name = max(parts, key=lambda name: parts[name])
        return name if parts[name] > least else None

    @property
    def headline(self) -> str:
        """The run and the most that fits."""
        most = self.most
        return f"{self.run.scenario.name}: at most {most.human()} {self.what} ({most.band()})"

    @property
    def left_open(self) -> str:
        """What was assumed of the run."""
        return self.run.left_open

    @property
    def panel_size(self) -> tuple[float, float]:
        """Inches of one panel."""
        return 6.5, 2.6


def most_tokens(
    target: Target,
    *,
    mwh: float | None = None,
    usd: float | None = None,
    days: float | None = None,
    mw: float | None = None,
    co2: float | None = None,
    mfu: float | None = None,
    watts: float | None = None,
    basis: str = "auto",
    overrides: Mapping[str, Any] | None = None,
) -> WithinBudget:
    """Find the most tokens that fit a budget.

    1,024 TPU v4 at 326 W, PUE 1.11 and GLaM 64B/64E's rate: 456 MWh are 600B tokens.

    Args:
        target: a scenario, a preset, a model of the catalog, or the path of a scenario file.
        mwh: megawatt-hours of the facility.
        usd: dollars, at the price of the site.
        days: of wall clock.
        mw: mean megawatts of the facility.
        co2: tonnes of CO2e, gross.
        mfu: instead of a basis, model FLOP over the peak of the chips.
        watts: with `mfu`, of a chip; the catalog's mean without it.
        basis: predicted, published, or auto: published where the run was.
        overrides: other values by dotted key: {"run.goodput": 0.9}.

    Raises:
        InputError: no budget, or a name, key or value is not valid.
        InfeasibleError: not a single token fits (megawatts do not fall with tokens), or no plan of
            the run fits in memory.
        MissingDataError: a limited amount is unknown, such as dollars without a price.
    """
    scenario = scenario_of(target, overrides=overrides)
    budgets = _limits(mwh=mwh, usd=usd, days=days, mw=mw, co2=co2)
    spending, by = Method(basis=basis, mfu=mfu, watts=watts).spending(scenario)

    own = Spent.of(with_tokens(scenario, scenario.tokens), spending)
    middle, low, high = (_longest(own, budgets, number) for number in (MIDDLE, HIGH, LOW))
    if middle is None:
        raise _too_little(Spent.of(with_tokens(scenario, 1.0), spending), budgets, "a single token")
    most = _banded("tokens", float, middle, low, high)
    run = Spent.of(with_tokens(scenario, middle), spending)
    return WithinBudget(what="tokens", most=most, run=run, budgets=budgets, by=by)


def largest_model(
    target: Target,
    *,
    tokens_per_parameter: float | None = None,
    mwh: float | None = None,
    usd: float | None = None,
    days: float | None = None,
    mw: float | None = None,
    co2: float | None = None,
    mfu: float | None = None,
    watts: float | None = None,
    basis: str = "auto",
    overrides: Mapping[str, Any] | None = None,
) -> WithinBudget:
    """Find the largest model of a family that fits a budget; width and depth scale together.

    Args:
        target: a scenario, a preset, a model of the catalog, or the path of a scenario file; its
            model is one of the family.
        tokens_per_parameter: tokens for each active parameter; the scenario's tokens without it.
        mwh: megawatt-hours of the facility.
        usd: dollars, at the price of the site.
        days: of wall clock.
        mw: mean megawatts of the facility.
        co2: tonnes of CO2e, gross.
        mfu: instead of a basis, model FLOP over the peak of the chips.
        watts: with `mfu`, of a chip; the catalog's mean without it.
        basis: predicted, published, or auto: published where the run was.
        overrides: other values by dotted key: {"run.goodput": 0.9}.

    Raises:
        InputError: no budget, or a name, key or value is not valid.
        InfeasibleError: the smallest model of the family does not fit.
        MissingDataError: a limited amount is unknown, such as dollars without a price.
    """
    scenario = scenario_of(target, overrides=overrides)
    budgets = _limits(mwh=mwh, usd=usd, days=days, mw=mw, co2=co2)
    if tokens_per_parameter is not None and not tokens_per_parameter > 0:
        raise InputError("expected tokens a parameter above 0", f"{tokens_per_parameter:g}")
    spending, by = Method(basis=basis, mfu=mfu, watts=watts).spending(scenario)

    def sized(layers: int) -> Scenario:
        return with_layers(scenario, layers, tokens_per_parameter)

    most, run, beyond = _largest(sized, granule(scenario), spending, budgets)
    return WithinBudget(
        what="parameters", most=most, run=run, budgets=budgets, by=by, beyond=beyond
    )


def _largest(
    sized: Callable[[int], Scenario], step: int, spending: Spending, budgets: Mapping[str, float]
) -> tuple[Quantity, Spent, Spent | InfeasibleError | None]:
    """Parameters of the largest model of a family that fits, its run, and that of the next size.

    Args:
        sized: the run of the model of so many layers.
        step: layers that a model of the family has a multiple of.
        spending: what a run uses.
        budgets: limits by name.
    """

    @cache
    def run_of(count: int) -> Spent | InfeasibleError:
        try:
            return Spent.of(sized(count * step), spending)
        except InfeasibleError as error:
            return error

    middle, low, high = (
        _deepest(run_of, budgets, number, MOST_LAYERS // step) for number in (MIDDLE, HIGH, LOW)
    )
    run = run_of(1 if middle is None else middle)
    if isinstance(run, InfeasibleError):
        raise run
    if middle is None:
        raise _too_little(run, budgets, f"a model of {step} layers")

    def size(count: int) -> float:
        return parameters(sized(count * step))

    larger = middle + 1 <= MOST_LAYERS // step
    most = _banded("parameters", size, middle, low, high)
    return most, run, run_of(middle + 1) if larger else None


def _limits(**limits: float | None) -> dict[str, float]:
    """The budgets that have a limit.

    Raises:
        InputError: there is none, or a limit is not above 0.
    """
    budgets = {name: limit for name, limit in limits.items() if limit is not None}
    check_budgets(budgets)
    return budgets


def _fits(run: Spent, budgets: Mapping[str, float], number: int) -> bool:
    return all(part <= 1 for part in used(run.spend, budgets, number).values())


def _longest(own: Spent, budgets: Mapping[str, float], number: int) -> float | None:
    """The most tokens that fit, by one number of the bands; None if not a single one does.

    GLaM 64B/64E at 280B tokens takes 213 of 456 MWh: 280B x 456 / 213 = 600B tokens.
    """
    parts = used(own.spend, budgets, number)
    if parts.pop("mw", 0.0) > 1:
        return None
    largest = max(parts.values(), default=0.0)
    if largest * MOST_TOKENS <= own.tokens:
        return MOST_TOKENS
    most = own.tokens / largest * (1 - ROUNDING)
    return min(most, MOST_TOKENS) if most >= 1 else None


def _deepest(
    run_of: Callable[[int], Spent | InfeasibleError],
    budgets: Mapping[str, float],
    number: int,
    most: int,
) -> int | None:
    """The most steps of depth that fit, by one number of the bands; None if none do."""

    def fits(count: int) -> bool:
        run = run_of(count)
        return isinstance(run, Spent) and _fits(run, budgets, number)

    return last_whole(fits, 1, most)


def _too_little(run: Spent, budgets: Mapping[str, float], least: str) -> InfeasibleError:
    """The error of a budget that even the smallest run exceeds."""
    parts = used(run.spend, budgets, MIDDLE)
    worst = max(parts, key=lambda name: parts[name])
    needed = run.spend.by_budget()[worst]
    return InfeasibleError(
        f"expected a budget that is enough for {least}",
        f"{budgets[worst]:g} {needed.unit} where {needed.numbers()[0]:.3g} are needed",
        "raise it, or take fewer chips",
    )


def _banded(
    what: str,
    size: Callable[[Count], float],
    middle: Count,
    low: Count | None,
    high: Count | None,
) -> Quantity:
    """The most that fits and its band, from the counts at which the bisections end.

    Args:
        what: tokens or parameters.
        size: how many of them a count stands for.
        middle: count at the middle of spending.
        low: count at its high end; None where nothing at all fits.
        high: count at its low end.
    """
    value = size(middle)
    return Quantity(
        value=value,
        low=0.0 if low is None else min(size(low), value),
        high=value if high is None else max(size(high), value),
        unit="1",
        origin=Origin.MODELLED,
        source=f"most {what} within the budgets; band: spending at the ends of its band",
    )
