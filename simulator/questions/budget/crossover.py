"""Where sparse stops paying: a mixture of experts against a dense model as a parameter varies.

At each value both runs are made equal (in tokens, or in quality by a law of loss), and what the
mixture uses is divided by what the dense model uses. Below 1 the mixture pays. Between two values
that were tried, a bisection gives the one at which the ratio passes 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

from energy.errors import InfeasibleError, InputError, require_choice
from energy.quantity import Quantity
from simulator.kit.answer import Answer
from simulator.quality.laws import DEFAULT_LAW, Law, size_of
from simulator.quality.laws import law as law_of
from simulator.quality.match import EQUALS, match
from simulator.questions.budget.bisection import bracket
from simulator.questions.budget.spending import Method, Spent
from simulator.runs.spend import NAMES, UNITS, unknown
from simulator.scenarios.request import Target, scenario_of
from simulator.scenarios.scenario import Scenario
from simulator.scenarios.variants import lengthened_to

SHARED = ("run", "hardware", "site")
"""Tables of a scenario that vary for both runs; model and plan vary for the mixture alone."""

OF_EXPERTS = frozenset(
    [
        f"plan.{name}"
        for name in ("ep", "etp", "imbalance", "capacity_factor", "dispatch", "dispatch_group")
    ]
    + [
        f"model.shape.{name}"
        for name in (
            "n_experts",
            "top_k",
            "d_expert",
            "n_moe_layers",
            "n_shared_experts",
            "expert_matrices",
        )
    ]
)
"""Keys about experts, which a dense model does not get."""


@dataclass(frozen=True)
class Point:
    """The ratio at a value.

    Attributes:
        value: of the parameter.
        ratio: what the mixture uses over what the dense model uses; None if one of them cannot run.
        low: the ratio at the fewest tokens of the mixture by the laws of loss.
        high: the ratio at the most tokens.
        why: the reason if there is no ratio.
        runs: the mixture and the dense model, made equal, and what they use.
    """

    value: float
    ratio: float | None
    low: float | None = None
    high: float | None = None
    why: str = ""
    runs: tuple[Spent, Spent] | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class Crossover(Answer):
    """A mixture against a dense model over a range.

    Attributes:
        sparse: name of the mixture.
        dense: name of the dense model.
        key: the parameter, a dotted key of a scenario.
        of: the amount that is divided, by the name of its budget.
        equal: what both runs have in common, tokens or quality.
        points: in the order of the values.
        crossings: values at which the ratio is 1; of whole ones, the last before it passes 1.
    """

    view: ClassVar[str] = "crossover"

    sparse: str
    dense: str
    key: str
    of: str
    equal: str
    points: list[Point]
    crossings: list[float]

    @property
    def whole(self) -> bool:
        """Whether the values are whole numbers."""
        return _whole([point.value for point in self.points])

    @property
    def left_open(self) -> str:
        """What was assumed of the mixture's run, at the first value that can run."""
        runs = next((point.runs for point in self.points if point.runs is not None), None)
        return "" if runs is None else runs[0].left_open

    @property
    def headline(self) -> str:
        """Where the mixture pays, in a sentence."""
        ratios = [point.ratio for point in self.points if point.ratio is not None]
        pays = sum(ratio < 1 for ratio in ratios)
        what = f"{self.sparse} takes less {NAMES[self.of]} than {self.dense}"
        if pays == len(ratios):
            return f"{what} over the whole range of {self.key}{self._spread}"
        if not pays:
            return f"{what} nowhere in the range of {self.key}{self._spread}"
        ends = ", ".join(f"{value:.4g}" for value in self.crossings)
        return (
            f"{what} at {pays} of {len(ratios)} values; it changes "
            f"{'after' if self.whole else 'at'} {self.key} = {ends}{self._spread}"
        )

    @property
    def _spread(self) -> str:
        """At how many values the mixture pays by every law of loss, and at how many by some."""
        known = [point for point in self.points if point.low is not None]
        every = sum((point.high or 0.0) < 1 for point in known)
        some = sum((point.low or 0.0) < 1 for point in known)
        if every == some:
            return ""
        return f"; by every law of loss at {every}, by some at {some}"


def crossover(
    sparse: Target,
    dense: Target,
    *,
    over: str,
    low: float,
    high: float,
    points: int = 13,
    of: str = "mwh",
    equal: str = "quality",
    law: str = DEFAULT_LAW,
    beyond_range: bool = False,
    mfu: float | None = None,
    watts: float | None = None,
    basis: str = "predicted",
    overrides: Mapping[str, Any] | None = None,
) -> Crossover:
    """Compare a mixture of experts with a dense model as a parameter varies.

        crossover("glam-64b-64e", "glam-137b", over="run.tokens", low=1e10, high=1e12, mfu=0.3)

    Args:
        sparse: the mixture: a scenario, a preset, a model of the catalog, or a file.
        dense: the dense model.
        over: the parameter, a dotted key of a scenario; a key of run, hardware or site varies for
            both models.
        low: its least value.
        high: its greatest value.
        points: how many values, spaced evenly on a logarithmic scale.
        of: the amount that is divided: days, mwh, mw, usd or co2.
        equal: quality (the mixture gets the tokens that bring it to the dense model's loss) or
            tokens (of the dense model).
        law: of loss, for quality.
        beyond_range: apply that law to runs that are outside the range that it was fitted to.
        mfu: instead of a basis, model FLOP over the peak of the chips.
        watts: with `mfu`, of a chip; the catalog's mean without it.
        basis: predicted or published.
        overrides: other values of both scenarios by dotted key; those about experts are the
            mixture's alone.

    Raises:
        InputError: a name, key or value is not valid, or the models are not a mixture and a dense
            one.
        InfeasibleError: at no value can both runs be computed.
        MissingDataError: the amount is unknown, such as dollars without a price.
    """
    require_choice("--of", of, UNITS)
    require_choice("--equal", equal, EQUALS)
    pair = _Pair(
        sparse=sparse,
        dense=dense,
        key=over,
        of=of,
        law=law_of(law) if equal == "quality" else None,
        beyond_range=beyond_range,
        overrides=dict(overrides or {}),
        sparse_by=Method(basis=basis, mfu=mfu, watts=watts),
        dense_by=Method(basis=basis, mfu=mfu, watts=watts),
    )
    return _over_range(pair, spaced(low, high, points))


def spaced(low: float, high: float, count: int) -> list[float]:
    """Values from low to high, evenly on a logarithmic scale; whole ones where both ends are.

    1 to 64, seven of them: 1, 2, 4, 8, 16, 32, 64.

    Raises:
        InputError: the ends are not above 0 and in order, or the count is below 2.
    """
    if not 0 < low < high < float("inf"):
        raise InputError("expected --from and --to above 0 and in order", f"{low:g}, {high:g}")
    if count < 2:
        raise InputError("expected --points of 2 or more", f"{count}")
    step = math.log(high / low) / (count - 1)
    values = [low * math.exp(step * place) for place in range(count)]
    if _whole([low, high]) and high - low >= count:
        return sorted({float(round(value)) for value in values})
    return [low, *values[1:-1], high]


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """A mixture and a dense model that are made equal at each value of a parameter.

    Attributes:
        sparse: the mixture.
        dense: the dense model.
        key: the parameter.
        of: the amount that is divided.
        law: of loss, which gives the mixture's tokens; without it both read the same tokens.
        beyond_range: the law is applied outside the range that it was fitted to.
        overrides: other values of both.
        sparse_by: how the mixture's spending is computed.
        dense_by: how the dense model's spending is computed.
    """

    sparse: Target
    dense: Target
    key: str
    of: str
    law: Law | None
    beyond_range: bool
    overrides: dict[str, Any]
    sparse_by: Method
    dense_by: Method

    def scenarios(self, values: Mapping[str, Any]) -> tuple[Scenario, Scenario]:
        """The mixture and the dense model with other values."""
        plain = {name: value for name, value in self.overrides.items() if name not in OF_EXPERTS}
        shared = values if self.key.partition(".")[0] in SHARED else {}
        return (
            scenario_of(self.sparse, overrides={**self.overrides, **values}),
            scenario_of(self.dense, overrides={**plain, **shared}),
        )

    def require_kinds(self) -> None:
        """Refuse two models of one kind.

        Raises:
            InputError: the first is dense, or the second is a mixture.
        """
        sparse, dense = (size_of(scenario.model.resolve()) for scenario in self.scenarios({}))
        if sparse.dense or not dense.dense:
            raise InputError(
                "expected a mixture of experts and then a dense model",
                f"{_name(self.sparse)}, {_name(self.dense)}",
            )

    def at(self, value: float) -> Point:
        """The ratio at a value of the parameter."""
        sparse, dense = self.scenarios({self.key: int(value) if _whole([value]) else value})
        try:
            tokens = self._tokens(sparse, dense)
            runs = (
                self.sparse_by.spent(lengthened_to(sparse, tokens)),
                self.dense_by.spent(dense),
            )
        except InfeasibleError as error:
            return Point(value, None, why=str(error))
        ratio = self._amount(runs[0]) / self._amount(runs[1])
        middle, low, high = tokens.numbers()
        # Power is not proportional to tokens.
        scale = (1.0, 1.0) if self.of == "mw" else (low / middle, high / middle)
        return Point(value, ratio, ratio * scale[0], ratio * scale[1], runs=runs)

    def _tokens(self, sparse: Scenario, dense: Scenario) -> Quantity:
        """Tokens of the mixture that make it equal to the dense model."""
        if self.law is not None:
            return match(dense, sparse, self.law, beyond_range=self.beyond_range).tokens
        return Quantity.exact(dense.tokens, "1", f"tokens of {dense.name}")

    def _amount(self, run: Spent) -> float:
        quantity = run.spend.by_budget()[self.of]
        if quantity.value is None:
            raise unknown(self.of, "both runs", quantity)
        return quantity.value


def _over_range(pair: _Pair, values: Sequence[float]) -> Crossover:
    """The ratio of a pair at all values, and where it passes 1 between them."""
    pair.require_kinds()
    points = [pair.at(value) for value in values]
    if all(point.ratio is None for point in points):
        raise InfeasibleError(
            f"expected a value of {pair.key} at which both runs can be computed",
            "none",
            f"at {points[0].value:g}: {points[0].why}",
        )
    return Crossover(
        sparse=_name(pair.sparse),
        dense=_name(pair.dense),
        key=pair.key,
        of=pair.of,
        equal="tokens" if pair.law is None else "quality",
        points=points,
        crossings=_crossings(pair.at, points),
    )


def _crossings(at: Callable[[float], Point], points: Sequence[Point]) -> list[float]:
    """The values at which the ratio passes 1; of whole ones, the last before it does."""
    whole = _whole([point.value for point in points])
    crossings = []
    for before, after in pairwise(points):
        if before.ratio is None or after.ratio is None:
            continue
        pays = before.ratio < 1
        if pays == (after.ratio < 1):
            continue

        def as_before(value: float, pays: bool = pays) -> bool | None:
            ratio = at(value).ratio
            return None if ratio is None else (ratio < 1) == pays

        low, high = bracket(as_before, before.value, after.value, whole=whole)
        crossings.append(low if whole else (low + high) / 2)
    return crossings


def _whole(values: Sequence[float]) -> bool:
    return all(value == int(value) for value in values)


def _name(target: Target) -> str:
    return target.name if isinstance(target, Scenario) else str(target)
