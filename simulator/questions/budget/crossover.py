"""Where sparse stops paying: a mixture against a dense model while one figure moves.

At each value both runs are made equal (in tokens, or in quality by a law of loss), and what the
mixture spends is divided by what the dense model spends. Below 1 the mixture pays. Where the
quotient passes 1 is found by bisection between the values that were tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from energy.errors import InfeasibleError, InputError, MissingDataError, nearest
from energy.quantity import Quantity
from simulator.quality.laws import law, size_of
from simulator.quality.match import EQUALS, match
from simulator.runs.spend import NAMES, UNITS, Spend, Spending
from simulator.scenarios.scenario import Scenario, load
from simulator.scenarios.variants import lengthened_to

SHARED = ("run", "hardware", "site")
"""Tables of a scenario that are moved for both runs; model and plan are the mixture's own."""


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
"""Keys that say something of experts only: a dense model does not get them."""


@dataclass(frozen=True)
class Point:
    """The quotient at one value.

    Attributes:
        value: of the figure that moves.
        ratio: what the mixture spends over what the dense model spends; None where one of them
            cannot run.
        low: the same at the fewest tokens that the laws of loss give the mixture.
        high: at the most tokens.
        why: reason where there is no ratio.
        runs: the mixture and the dense model as they were made equal.
    """

    value: float
    ratio: float | None
    low: float | None = None
    high: float | None = None
    why: str = ""
    runs: tuple[Scenario, Scenario] | None = None


@dataclass(frozen=True)
class Crossover:
    """A mixture against a dense model over a range.

    Attributes:
        sparse: name of the mixture.
        dense: name of the dense model.
        key: the figure that moves, a dotted key of a scenario.
        of: what is divided, by the names of budgets.
        equal: what both have in common, tokens or quality.
        points: in the order of the values.
        crossings: values at which the quotient is 1; of whole ones, the last before it passes 1.
    """

    sparse: str
    dense: str
    key: str
    of: str
    equal: str
    points: list[Point]
    crossings: list[float]

    @property
    def whole(self) -> bool:
        """Whether the figure moves in whole numbers."""
        return all(point.value == int(point.value) for point in self.points)

    def verdict(self) -> str:
        """Where the mixture pays, in a sentence."""
        known = [point for point in self.points if point.ratio is not None]
        pays = [point for point in known if point.ratio is not None and point.ratio < 1]
        what = f"{self.sparse} takes less {NAMES[self.of]} than {self.dense}"
        if len(pays) == len(known):
            return f"{what} over the whole range of {self.key}"
        if not pays:
            return f"{what} nowhere in the range of {self.key}"
        ends = ", ".join(f"{value:.4g}" for value in self.crossings)
        return (
            f"{what} at {len(pays)} of {len(known)} values; it changes "
            f"{'after' if self.whole else 'at'} {self.key} = {ends}"
        )


def crossover(
    names: tuple[str, str],
    key: str,
    values: Sequence[float],
    *,
    of: str = "mwh",
    equal: str = "quality",
    spending: Callable[[Scenario], Spending],
    overrides: dict[str, object] | None = None,
    law_name: str = "besiroglu-2024",
) -> Crossover:
    """Follow the quotient of a mixture and a dense model over values of one figure.

    Args:
        names: the mixture and the dense model: presets or files.
        key: dotted key of a scenario; one of run, hardware or site moves for both.
        values: of that key, two or more, ascending.
        of: what is divided: days, mwh, mw, usd or co2.
        equal: quality (the mixture gets the tokens that bring it to the dense model's loss) or
            tokens (of the dense model).
        spending: how a scenario's spending is known.
        overrides: laid over both scenarios; what says something of experts, over the mixture.
        law_name: of loss.

    Raises:
        InputError: a name, the key or the values are not valid.
        InfeasibleError: at no value can both runs be computed.
    """
    if of not in UNITS:
        raise InputError("expected --of with what is divided", of, nearest(of, UNITS))
    if equal not in EQUALS:
        raise InputError("expected --equal", equal, nearest(equal, EQUALS))
    if len(values) < 2 or any(b <= a for a, b in pairwise(values)):
        raise InputError(
            "expected two values or more that ascend", ", ".join(f"{value:g}" for value in values)
        )
    both = dict(overrides or {})
    plain = {name: value for name, value in both.items() if name not in OF_EXPERTS}
    _check(names, (both, plain))
    table = key.partition(".")[0]
    central = law(law_name)

    def at(value: float) -> Point:
        moved = {key: int(value) if value == int(value) else value}
        sparse = load(names[0], both | moved)
        dense = load(names[1], plain | moved if table in SHARED else plain)
        try:
            tokens = _tokens(dense, sparse, equal, central.name)
            runs = (lengthened_to(sparse, tokens), dense)
            spent = [_amount(spending(one)(one), of) for one in runs]
        except InfeasibleError as error:
            return Point(value, None, why=str(error))
        ratio = spent[0] / spent[1]
        middle, low, high = tokens.numbers()
        # Power does not go with tokens.
        scale = (1.0, 1.0) if of == "mw" else (low / middle, high / middle)
        return Point(value, ratio, ratio * scale[0], ratio * scale[1], runs=runs)

    points = [at(value) for value in values]
    if all(point.ratio is None for point in points):
        raise InfeasibleError(
            f"expected a value of {key} at which both runs can be computed", points[0].why
        )
    whole = all(value == int(value) for value in values)
    crossings = [
        _between(at, before, after, whole)
        for before, after in pairwise(points)
        if before.ratio is not None
        and after.ratio is not None
        and (before.ratio < 1) != (after.ratio < 1)
    ]
    return Crossover(names[0], names[1], key, of, equal, points, crossings)


def spaced(low: float, high: float, count: int) -> list[float]:
    """Values from low to high, evenly on a logarithmic scale; whole ones where both ends are.

    1 to 64, seven of them: 1, 2, 4, 8, 16, 32, 64.

    Raises:
        InputError: the ends are not above 0 and in order.
    """
    if not 0 < low < high < float("inf") or count < 2:
        raise InputError("expected --from and --to above 0 and in order", f"{low:g}, {high:g}")
    step = math.log(high / low) / (count - 1)
    found = [low * math.exp(step * place) for place in range(count)]
    if low == int(low) and high == int(high) and high - low >= count:
        return sorted({float(round(value)) for value in found})
    return [low, *found[1:-1], high]


def _check(names: tuple[str, str], overrides: tuple[dict[str, object], dict[str, object]]) -> None:
    """Refuse two models of one kind: the words sparse and dense would be wrong."""
    sparse, dense = (
        size_of(load(name, laid).model.resolve())
        for name, laid in zip(names, overrides, strict=True)
    )
    if sparse.dense or not dense.dense:
        raise InputError("expected a mixture of experts and then a dense model", ", ".join(names))


def _tokens(dense: Scenario, sparse: Scenario, equal: str, law_name: str) -> Quantity:
    if equal == "quality":
        return match(dense, sparse, law(law_name)).tokens
    read = dense.run.total_tokens(float(dense.model.resolve().seq_len))
    return Quantity.exact(read, "1", f"tokens of {dense.name}")


def _amount(spend: Spend, of: str) -> float:
    quantity = spend.by_budget()[of]
    if quantity.value is None:
        raise MissingDataError(f"expected the {NAMES[of]} of both runs", quantity.source)
    return quantity.value


def _between(at: Callable[[float], Point], before: Point, after: Point, whole: bool) -> float:
    """The value between two points at which the quotient passes 1; of whole ones, the last."""
    low, high = before, after
    for _ in range(50):
        middle = (low.value + high.value) / 2
        if whole:
            middle = float(int(middle))
        if middle in (low.value, high.value):
            break
        point = at(middle)
        if point.ratio is None:
            break
        assert low.ratio is not None
        if (point.ratio < 1) == (low.ratio < 1):
            low = point
        else:
            high = point
    return low.value if whole else (low.value + high.value) / 2
