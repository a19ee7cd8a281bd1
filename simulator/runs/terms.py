"""From joules at one boundary to grams of CO2e and dollars, as terms: what `--explain` prints.

The record's figures come from the same account (`energy.footprint.account`), multiplied as
quantities; here its factors are multiplied as terms. A test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass

from energy.facts.site import UNITS, Site
from energy.footprint.account import Account, Product, account, raised
from energy.quantity import Boundary, Quantity
from energy.record import RunRecord
from simulator.terms import Term, product


@dataclass(frozen=True)
class Derivation:
    """How a run's figures at its site came about.

    Attributes:
        account: of its joules.
        facility_w: mean watts of the facility while the run trains; of a prediction only.
        cost_usd: dollars; a leaf with the reason where nothing has a price.
    """

    account: Account[Term]
    facility_w: Term
    cost_usd: Term

    @property
    def facility_j(self) -> Term:
        """Joules at the facility."""
        return self.account.totals[Boundary.FACILITY]

    def co2(self, accounting: str) -> Term:
        """Grams of CO2e by location (gross) or market (net)."""
        return co2(self.account, accounting)


def derivation(
    record: RunRecord, at: Boundary, chips: int, elapsed: Term, energy: Term
) -> Derivation:
    """How a predicted run's joules became grams and dollars.

    Args:
        record: the prediction, with the factors of its site.
        at: boundary of a chip's watts and of `energy`.
        chips: how many.
        elapsed: how the wall clock came about.
        energy: how the joules came about.
    """
    site = site_of(record)
    chip_s = product("chip-seconds", "s", elapsed, chips_term(chips))
    watts = Term("watts per chip", record.metrics["chip_power_w"])
    power = product("power of the chips", "W", chips_term(chips), watts)
    powers = raised({at: power}, site.steps(), term_times, of="power", unit="W")
    result = account({at: energy}, site, term_times, chip_s)
    cost = result.cost_usd
    if cost is None or cost.quantity.value is None:
        cost = Term("dollars", record.cost_usd)
    return Derivation(result, powers[Boundary.FACILITY], cost)


def carbon(energy: Term, at: Boundary, record: RunRecord, accounting: str) -> Term:
    """Grams of CO2e: facility kWh x grams a kWh of the grid.

    Args:
        energy: how the joules at a boundary came about.
        at: that boundary.
        record: with the factors of its site.
        accounting: location or market.
    """
    no_rent = Term("chip-seconds", record.chip_s)
    return co2(account({at: energy}, site_of(record), term_times, no_rent), accounting)


def co2(result: Account[Term], accounting: str) -> Term:
    """The CO2e of an account by location (gross) or market (net)."""
    term = result.co2_location_g if accounting == "location" else result.co2_market_g
    assert term is not None, "an account of a run reaches the facility"
    return term


def site_of(record: RunRecord) -> Site:
    """The site whose factors a record carries."""
    labels = record.labels
    figures = {name: record.factors[name] for name in UNITS}
    return Site(name=labels.get("site", ""), zone=labels.get("zone", ""), **figures)


def term_times(amount: Term, factor: Quantity, multiplication: Product) -> Term:
    """A term times a factor of the site."""
    per = multiplication.per
    over = () if per is None else (exact(per.name, per.value, per.unit),)
    factor_term = Term(multiplication.factor, factor)
    return product(multiplication.name, multiplication.unit, amount, factor_term, over=over)


def chips_term(count: int) -> Term:
    """A count of chips as a leaf."""
    return Term("chips", Quantity.exact(count, "1", "scenario: hardware.count"))


def exact(name: str, value: float, unit: str) -> Term:
    """A definition as a leaf."""
    return Term(name, Quantity.exact(value, unit, "definition"))
