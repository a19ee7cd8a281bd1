"""A number that can say how it came about: a tree of terms, each computed from the ones below it.

The value of an inner term is never written beside its children but computed from them, so what
`--explain` prints is the computation itself. A leaf ends in its source: a row, a constant of the
calibration, or the scenario.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.arithmetic import add, multiply
from energy.errors import MissingDataError
from energy.quantity import Origin, Quantity
from energy.shape import Number


@dataclass(frozen=True, repr=False)
class Term:
    """One number of a derivation.

    Attributes:
        name: what the number is, in words.
        quantity: the number with its band and origin.
        formula: how it follows from the children, for example "a x b / c"; empty for a leaf.
        children: the terms that it was computed from.
        divisors: how many of the children, the last ones, divide.
        adds: the children are summed, else multiplied.
    """

    name: str
    quantity: Quantity
    formula: str = ""
    children: tuple[Term, ...] = ()
    divisors: int = 0
    adds: bool = False

    def __repr__(self) -> str:
        """One line: Term('FLOP of the run', 1.23 ZFLOP, from 3 terms)."""
        below = f", from {len(self.children)} terms" if self.children else ""
        return f"{type(self).__name__}({self.name!r}, {self.quantity}{below})"

    def value(self, instead: Mapping[str, Number] | None = None) -> Number:
        """The number computed again from the leaves, some of them replaced by name.

        A replacement may be an array; then the answer is one.

        Raises:
            MissingDataError: a leaf has no value.
        """
        if instead and self.name in instead:
            return instead[self.name]
        if not self.children:
            if self.quantity.value is None:
                raise MissingDataError(f"expected {self.name}", str(self.quantity))
            return self.quantity.value
        values = [child.value(instead) for child in self.children]
        answer = values[0]
        for position, value in enumerate(values[1:], start=1):
            if self.adds:
                answer = answer + value
            elif position < len(values) - self.divisors:
                answer = answer * value
            else:
                answer = answer / value
        return answer

    def leaves(self) -> list[Term]:
        """The terms that nothing lies below, each name once."""
        leaves = {term.name: term for term in walk(self) if not term.children}
        return list(leaves.values())

    def find(self, name: str) -> Term:
        """The first term of this name in the tree; KeyError when there is none."""
        for term in walk(self):
            if term.name == name:
                return term
        raise KeyError(name)


def product(name: str, unit: str, *factors: Term, over: tuple[Term, ...] = ()) -> Term:
    """The product of independent terms, divided by the terms of `over`.

    1,024 chips x 326 W x 4.43e6 s = 1.48e12 J.
    """
    quantity = factors[0].quantity
    for factor in factors[1:]:
        quantity = multiply(quantity, factor.quantity, unit)
    for divisor in over:
        quantity = multiply(quantity, divisor.quantity, unit, divide=True)
    formula = " x ".join(factor.name for factor in factors)
    formula += "".join(f" / {divisor.name}" for divisor in over)
    if quantity.value is not None:
        quantity = quantity.model_copy(update={"unit": unit, "source": formula})
    return Term(name, quantity, formula, (*factors, *over), divisors=len(over))


def total(name: str, *parts: Term, correlated: bool = True) -> Term:
    """The sum of terms of one unit."""
    quantity = add(
        [part.quantity for part in parts],
        names=[part.name for part in parts],
        correlated=correlated,
        source=" + ".join(part.name for part in parts),
    )
    return Term(name, quantity, " + ".join(part.name for part in parts), parts, adds=True)


def walk(term: Term) -> Iterator[Term]:
    """The term and every term below it, depth first."""
    yield term
    for child in term.children:
        yield from walk(child)


def lines(term: Term) -> Iterator[str]:
    """The tree as text, one term a line, each leaf with its source in brackets."""
    yield _line(term)
    yield from _below(term, "")


def as_json(term: Term) -> dict[str, Any]:
    """The tree as plain data."""
    return {
        "name": term.name,
        "quantity": term.quantity.model_dump(mode="json"),
        "formula": term.formula,
        "children": [as_json(child) for child in term.children],
    }


def _below(term: Term, margin: str) -> Iterator[str]:
    for child in term.children:
        last = child is term.children[-1]
        yield f"{margin}{'└─ ' if last else '├─ '}{_line(child)}"
        yield from _below(child, margin + ("   " if last else "│  "))


def _line(term: Term) -> str:
    why = f" = {term.formula}" if term.formula else f"  [{term.quantity.source}]"
    return f"{term.name} {term.quantity}{why}"


def draw(quantity: Quantity, generator: np.random.Generator, draws: int) -> NDArray[np.float64]:
    """Numbers from the band of a quantity above 0: a two-sided log-normal.

    Its median is the value, and its two halves reach the ends of the band at the stated coverage.
    """
    value, low, high = quantity.numbers()
    from statistics import NormalDist

    reach = NormalDist().inv_cdf(0.5 + quantity.coverage / 2)
    normal = generator.standard_normal(draws)
    down = math.log(value / max(low, value * 1e-6)) / reach
    up = math.log(high / value) / reach
    return np.asarray(value * np.exp(np.where(normal < 0, down, up) * normal))


def assumed(name: str, value: float, unit: str, source: str) -> Term:
    """A leaf that is assumed, without a band."""
    return Term(name, Quantity.exact(value, unit, source, Origin.ASSUMED))


def quantiles(draws: NDArray[np.float64], *probabilities: float) -> tuple[float, ...]:
    """Quantiles of draws, interpolated linearly between the sorted ones.

    As `numpy.quantile`, which loads a sixth of numpy for its corner cases.
    0 to 10 in steps of 1: quantiles 0.1 and 0.95 are 1 and 9.5.
    """
    ordered = np.sort(np.ravel(draws))
    values = []
    for probability in probabilities:
        place = (len(ordered) - 1) * probability
        below = int(place)
        low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
        part = place - below
        step = high - low
        values.append(float(low + step * part if part < 0.5 else high - step * (1 - part)))
    return tuple(values)
