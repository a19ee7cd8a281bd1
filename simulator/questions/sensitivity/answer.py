"""Which assumption drives a result, one at a time: a tornado, beside the result's own band.

It works on a derivation tree, so it varies exactly the numbers that `--explain` prints. A leaf
varies between the ends of its own band; an exact leaf does not vary. All together they make the
band that `simulator predict` prints: one answer has one band.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from energy.errors import InputError, MissingDataError, require_choice
from energy.quantity import Quantity
from simulator.kit.answer import Answer
from simulator.runs.sides import RunTarget, choose_basis, read, sides
from simulator.terms import Term, walk

RESULTS = {"time": "elapsed time", "energy": "facility energy", "co2": "CO2e"}
"""How the name of a result's term begins, by the words of --of."""


@dataclass(frozen=True)
class Bar:
    """What an assumption does to a result.

    Attributes:
        name: the assumption.
        quantity: its value and band.
        at_low: the result with the assumption at its lower end.
        at_high: the result with the assumption at its upper end.
    """

    name: str
    quantity: Quantity
    at_low: float
    at_high: float

    @property
    def swing(self) -> float:
        """Distance between the two results."""
        return abs(self.at_high - self.at_low)


@dataclass(frozen=True, kw_only=True, repr=False)
class Sensitivity(Answer):
    """What drives a result of a run.

    Attributes:
        name: of the run.
        result: how it is computed.
        bars: each assumption that has a band, the one that changes the result most first.
        left_open: what was assumed of the run, in a line.
    """

    name: str
    result: Term
    bars: list[Bar]
    left_open: str = ""

    @property
    def title(self) -> str:
        """The result with its band, and the assumption that moves it most."""
        text = f"{self.name}: {self.result.name} {self.together}"
        if not self.bars:
            return text
        return f"{text}; {self.bars[0].name.replace('_', ' ')} moves it most"

    @property
    def together(self) -> Quantity:
        """The result with the band that all assumptions make together."""
        return self.result.quantity

    @property
    def headline(self) -> str:
        """The run and its result."""
        return f"{self.name}: {self.result.name} {self.result.quantity}"


def sensitivity(
    target: RunTarget,
    *,
    of: str = "co2",
    basis: str = "predicted",
    accounting: str = "as-published",
    overrides: Mapping[str, Any] | None = None,
) -> Sensitivity:
    """Vary each assumption of a run over its band.

    Args:
        target: a scenario, a preset, a model of the catalog, or the path of a scenario file.
        of: the result: time, energy or co2.
        basis: predicted, published, or auto: published where the run was.
        accounting: CO2e by location (gross), market (net), or as-published: the run's own.
        overrides: other values by dotted key: {"run.goodput": 0.9}.

    Raises:
        InputError: a name, key or value is not valid, or the target is a record, whose results
            have no derivation.
        InfeasibleError: no plan of the run fits in memory.
        MissingDataError: the result needs a fact that is not known, as the watts of some chips.
    """
    runs = read([target], overrides)
    (side,) = sides(runs, choose_basis(runs, basis), accounting)
    result = result_of(side.trees, of)
    if result.quantity.value is None:
        fix = "ask --of time, or state them in a chip of your own: simulator chips init FILE.toml"
        missing = f"missing ({result.quantity.source})"
        raise MissingDataError(f"expected the {RESULTS[of]} of {side.name}", missing, fix)
    notes = [note for note in side.record.notes if note.startswith("assumed, ")]
    return Sensitivity(
        name=side.name, result=result, bars=tornado(result), left_open="".join(notes)
    )


def result_of(trees: Iterable[Term], of: str) -> Term:
    """The term of a derivation by the word of --of.

    Raises:
        InputError: the word is not one of `RESULTS`, or there is no derivation (of a record).
    """
    require_choice("--of", of, RESULTS)
    for tree in trees:
        for term in walk(tree):
            if term.name.startswith(RESULTS[of]):
                return term
    raise InputError(f"expected a scenario that derives its {RESULTS[of]}", "a record")


def tornado(result: Term) -> list[Bar]:
    """Every leaf with a band, the one that changes the result most first.

    460 L of water with PUE 1.1 to 1.3 and an exact rest: a single bar, the PUE's.
    """
    bars = []
    for leaf in result.leaves():
        if leaf.quantity.value is None:
            continue
        _, low, high = leaf.quantity.numbers()
        if high > low:
            ends = [float(result.value({leaf.name: end})) for end in (low, high)]
            bars.append(Bar(leaf.name, leaf.quantity, *ends))
    return sorted(bars, key=lambda bar: bar.swing, reverse=True)
