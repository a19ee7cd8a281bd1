"""What a prediction assumed of what its scenario leaves open: each with its option and its worth.

Worth is what the ends of an assumption's own band do to the result that it is a factor of; the
others of the prediction stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from energy.quantity import Quantity
from energy.units import significant
from simulator.runs.estimate import Estimate
from simulator.runs.setup import Setup


@dataclass(frozen=True)
class Assumption:
    """One thing that a prediction assumed.

    Attributes:
        name: of what was assumed.
        value: in words.
        option: sets it.
        worth: what it does to an answer, in words; empty where that is not known.
    """

    name: str
    value: str
    option: str
    worth: str = ""

    def __str__(self) -> str:
        """As one reads it: PUE 1.58 (site.pue; energy -30% to +14%)."""
        worth = f"; {self.worth}" if self.worth else ""
        return f"{self.name} {self.value} ({self.option}{worth})"


def assumptions(setup: Setup, chip_w: Quantity) -> tuple[Assumption, ...]:
    """What a scenario left open and the prediction filled.

    Args:
        setup: of the scenario.
        chip_w: mean watts of one chip, on which the share of the host depends.
    """
    section, hardware, run = setup.scenario.site, setup.scenario.hardware, setup.scenario.run
    at = setup.site_at(chip_w)
    building, place = section.region is None, section.zone or section.region
    factors = (
        (building and section.pue is None, "PUE", at.pue, "pue"),
        (
            section.node_over_chip is None,
            "node over chip",
            at.node_over_chip,
            "node_over_chip",
        ),
        (section.it_over_node is None, "IT over node", at.it_over_node, "it_over_node"),
    )
    known = [
        factor(name, value, f"site.{key}", "energy")
        for is_open, name, value, key in factors
        if is_open
    ]
    if run.goodput is None:
        known.insert(0, factor("goodput", setup.goodput, "run.goodput", "time", over=True))
    if place is None and section.grid_location is None:
        known.append(factor("grid", at.grid_location, "site.zone", "CO2e"))
    if hardware.machine is None and hardware.software is None and hardware.framework is None:
        assert setup.software is not None
        known.append(Assumption("software", setup.software.name, "hardware.framework"))
    known += [
        Assumption(f"workload {key}", str(value), f"workload.{key}")
        for key, value in setup.scenario.workload.assumed().items()
    ]
    if section.chip_price is None:
        paid = "of electricity alone" if section.electricity_price is not None else "none"
        known.append(Assumption("price of chips", paid, "site.chip_price"))
    return tuple(known)


def left_open(estimate: Estimate) -> str:
    """The last line of an answer about a predicted run; empty where nothing was assumed."""
    known = assumptions(estimate.setup, estimate.chip_power_w)
    if not known:
        return ""
    return in_a_line(known, "--set KEY=VALUE")


def in_a_line(known: Iterable[Assumption], by: str) -> str:
    """Assumptions as the last line of an answer.

    Args:
        known: what was assumed, some.
        by: how each is set.
    """
    return f"assumed, each set by {by}: " + "; ".join(map(str, known))


def factor(name: str, value: Quantity, option: str, of: str, *, over: bool = False) -> Assumption:
    """An assumption that a result is proportional to, or inversely where it divides (`over`)."""
    middle, low, high = value.numbers()
    ends = (middle / high, middle / low) if over else (low / middle, high / middle)
    worth = f"{of} " + " to ".join(f"{100 * (end - 1):+.0f}%" for end in ends)
    unit = "" if value.unit == "1" else f" {value.unit}"
    return Assumption(name, f"{significant(middle)}{unit}", option, worth)
