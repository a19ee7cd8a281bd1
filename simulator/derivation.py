"""From joules at one boundary to grams of CO2e, as a tree: what `--explain` prints of a run.

The numbers of the record come from `energy.footprint`; this tree takes the same factors from the
record and computes them again, and a test holds the two against each other.
"""

from __future__ import annotations

from energy.quantity import Boundary, Quantity
from energy.record import RunRecord
from energy.units import J_PER_KWH
from simulator.explain import Term, product

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
    hour = Term("joules a kWh", Quantity.exact(J_PER_KWH, "J/kWh", "definition"))
    return product(GRID[accounting], "g", facility(energy, at, record), grid, over=(hour,))
