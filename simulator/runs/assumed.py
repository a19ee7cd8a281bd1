"""What a prediction assumed of what its scenario leaves open: each with its option and its worth.

Worth is what the ends of an assumption's own band do to the result that it is a factor of; the
others of the prediction stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from energy.facts import catalog
from energy.facts.site import Site
from energy.quantity import Boundary, Quantity
from energy.units import count, significant
from simulator.facts.assumptions import goodput, step_tokens
from simulator.runs.estimate import Estimate
from simulator.runs.setup import Setup
from simulator.scenarios.scenario import Scenario


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
    scenario, software = setup.scenario, setup.software
    known = [
        *of_tokens(scenario),
        *of_batch(scenario),
        *of_goodput(scenario),
        *of_site(scenario, setup.site_at(chip_w)),
    ]
    hardware = scenario.hardware
    if hardware.machine is None and hardware.software is None and hardware.framework is None:
        assert software is not None
        known.append(Assumption("software", software.name, "hardware.framework"))
    known += [
        Assumption(f"workload {key}", str(value), f"workload.{key}")
        for key, value in scenario.workload.assumed().items()
    ]
    return (*known, *of_price(scenario))


def of_tokens(scenario: Scenario) -> Iterator[Assumption]:
    """The published tokens of the model, where nobody said how many a run takes."""
    row = catalog.known_model(scenario.run.tokens_from or "")
    if row is not None and row.tokens is not None and row.tokens == scenario.run.tokens:
        yield Assumption("tokens", f"{count(row.tokens)} as {row.name} had", "run.tokens")


def of_batch(scenario: Scenario) -> Iterator[Assumption]:
    """The tokens of a step, where a scenario does not say how large one is."""
    if not scenario.run.names_batch:
        value, low, high = map(count, step_tokens().numbers())
        usual = f"{low} to {high} is usual"
        yield Assumption("batch", f"{value} tokens", "run.batch_tokens", usual)


def of_goodput(scenario: Scenario) -> Iterator[Assumption]:
    """The share of the time that a scenario trains, where it leaves that open."""
    if scenario.run.goodput is None:
        productive = goodput(None, scenario.hardware.count)
        yield factor("goodput", productive, "run.goodput", "time", over=True)


def of_site(
    scenario: Scenario, at: Site, boundary: Boundary = Boundary.CHIP
) -> Iterator[Assumption]:
    """The factors of a building and the grid, where a scenario leaves them open.

    Args:
        scenario: of the run.
        at: its site, resolved.
        boundary: of the watts that are raised to those of the facility.
    """
    section, place = scenario.site, scenario.site.zone or scenario.site.region
    alone = boundary is Boundary.CHIP
    factors = (
        (section.region is None and section.pue is None, "PUE", at.pue, "pue"),
        (
            alone and section.node_over_chip is None,
            "node over chip",
            at.node_over_chip,
            "node_over_chip",
        ),
        (
            (alone or boundary is Boundary.NODE) and section.it_over_node is None,
            "IT over node",
            at.it_over_node,
            "it_over_node",
        ),
    )
    for is_open, name, value, key in factors:
        if is_open:
            yield factor(name, value, f"site.{key}", "energy")
    if place is None and section.grid_location is None:
        yield factor("grid", at.grid_location, "site.zone", "CO2e")


def of_price(scenario: Scenario) -> Iterator[Assumption]:
    """What is paid, where a scenario names no price of chips."""
    if scenario.site.chip_price is None:
        electricity = scenario.site.electricity_price is not None
        paid = "of electricity alone" if electricity else "none"
        yield Assumption("price of chips", paid, "site.chip_price")


def left_open(estimate: Estimate) -> str:
    """The last line of an answer about a predicted run; empty where nothing was assumed."""
    return in_a_line(assumptions(estimate.setup, estimate.chip_power_w), "--set KEY=VALUE")


def in_a_line(known: Sequence[Assumption], by: str) -> str:
    """Assumptions as the last line of an answer; empty where there are none.

    Args:
        known: what was assumed, some.
        by: how each is set.
    """
    return f"assumed, each set by {by}: " + "; ".join(map(str, known)) if known else ""


def factor(name: str, value: Quantity, option: str, of: str, *, over: bool = False) -> Assumption:
    """An assumption that a result is proportional to, or inversely where it divides (`over`)."""
    middle, low, high = value.numbers()
    ends = (middle / high, middle / low) if over else (low / middle, high / middle)
    worth = f"{of} " + " to ".join(f"{100 * (end - 1):+.0f}%" for end in ends)
    unit = "" if value.unit == "1" else f" {value.unit}"
    return Assumption(name, f"{significant(middle)}{unit}", option, worth)
