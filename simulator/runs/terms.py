"""From joules at one boundary to grams of CO2e, as a tree: what `--explain` prints of a run.

The numbers of the record come from `energy.footprint.apply`; this tree takes the same factors from
the record and computes them again, and a test holds the two against each other.
"""

from __future__ import annotations

from energy.quantity import Boundary, Quantity
from energy.record import RunRecord
from energy.units import J_PER_KWH, S_PER_HOUR
from simulator.terms import Term, product

STEPS = {
    Boundary.NODE: "node_over_chip",
    Boundary.IT: "it_over_node",
    Boundary.FACILITY: "pue",
}


GRID = {"location": "CO2e, gross", "market": "CO2e, net"}


def facility(energy: Term, at: Boundary, record: RunRecord) -> Term:
    """Joules at the facility, from joules at a boundary inside it."""
    order = list(Boundary)
    for boundary, name in STEPS.items():
        if order.index(boundary) > order.index(at):
            factor = Term(name.replace("_", " "), record.factors[name])
            energy = product(f"{boundary} energy", "J", energy, factor)
    return energy


def carbon(energy: Term, at: Boundary, record: RunRecord, accounting: str) -> Term:
    """Grams of CO2e: facility kWh x grams a kWh of the grid."""
    grid = Term(f"grid, {accounting}", record.factors[f"grid_{accounting}"])
    hour = exact("joules a kWh", J_PER_KWH, "J/kWh")
    return product(GRID[accounting], "g", facility(energy, at, record), grid, over=(hour,))


def power(chips: int, at: Boundary, record: RunRecord) -> Term:
    """Mean watts of the facility while a predicted run trains, from those of a chip.

    Args:
        chips: how many.
        at: boundary of a chip's watts.
        record: the prediction, with the factors of its site.
    """
    found = Term("watts a chip", record.metrics["chip_power_w"])
    found = product("power of the chips", "W", chips_of(chips), found)
    order = list(Boundary)
    for boundary, name in STEPS.items():
        if order.index(boundary) > order.index(at):
            factor = Term(name.replace("_", " "), record.factors[name])
            found = product(f"power, {boundary}", "W", found, factor)
    return found


def money(chips: int, elapsed: Term, energy: Term, at: Boundary, record: RunRecord) -> Term:
    """Dollars of a predicted run: the rent of its chips, or its electricity where none is rented.

    Missing, with the reason, where neither has a price.

    Args:
        chips: how many.
        elapsed: how the wall clock came about.
        energy: how the joules came about.
        at: boundary of those joules.
        record: the prediction, with the prices of its site.
    """
    rent = record.factors["chip_price"]
    if rent.value is not None:
        hour = Term("price of a chip-hour", rent)
        return product(
            "dollars",
            "USD",
            elapsed,
            chips_of(chips),
            hour,
            over=(exact("seconds an hour", S_PER_HOUR, "s/h"),),
        )
    price = Term("price of electricity", record.factors["electricity_price"])
    if price.quantity.value is None:
        return Term("dollars", record.cost_usd)
    return product(
        "dollars",
        "USD",
        facility(energy, at, record),
        price,
        over=(exact("joules a kWh", J_PER_KWH, "J/kWh"),),
    )


def chips_of(count: int) -> Term:
    """A count of chips as a leaf."""
    return Term("chips", Quantity.exact(count, "1", "scenario: hardware.count"))


def exact(name: str, value: float, unit: str) -> Term:
    """A definition as a leaf."""
    return Term(name, Quantity.exact(value, unit, "definition"))
