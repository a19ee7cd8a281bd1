"""What a scenario spends against budgets: days, MWh, megawatts, dollars, tonnes of CO2e.

Three ways to know it, one answer: predicted (the simulator as a black box), published (the rate and
the watts that were published of it), or from a utilization that the user names. The last two are
the same: FLOP over chips x peak x utilization, at known watts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from energy import shape
from energy.arithmetic import multiply
from energy.errors import InputError, MissingDataError, nearest
from energy.facts import catalog
from energy.facts.catalog import Chip
from energy.facts.site import Site
from energy.footprint.account import account, quantity_times, raised
from energy.quantity import Boundary, Origin, Quantity
from energy.units import G_PER_T, J_PER_MWH, S_PER_DAY, S_PER_HOUR
from simulator.facts.assumptions import goodput
from simulator.physics import workload
from simulator.runs import reported
from simulator.runs.assumed import Assumption, in_a_line, of_goodput, of_price, of_site
from simulator.runs.estimate import Estimate, estimate
from simulator.runs.hosts import with_hosts
from simulator.runs.predict import Prediction, predict
from simulator.runs.setup import Setup
from simulator.scenarios.scenario import Scenario

PRICED = "name dollars an hour with --chip-price, or a row of simulator prices in site.chip_price"

NAMES = {"days": "time", "mwh": "energy", "mw": "power", "usd": "money", "co2": "CO2e"}
UNITS = {"days": "d", "mwh": "MWh", "mw": "MW", "usd": "USD", "co2": "t"}


@dataclass(frozen=True)
class Spend:
    """What a run takes, with bands.

    Attributes:
        elapsed_s: seconds of wall clock.
        energy_j: facility joules.
        power_w: mean facility watts.
        cost_usd: dollars; missing without a price.
        co2_g: grams of CO2e, by location.
    """

    elapsed_s: Quantity
    energy_j: Quantity
    power_w: Quantity
    cost_usd: Quantity
    co2_g: Quantity

    def by_budget(self) -> dict[str, Quantity]:
        """The same in the units of budgets, by the names of `UNITS`."""
        return {
            "days": self.elapsed_s.scaled(1 / S_PER_DAY, "d"),
            "mwh": self.energy_j.scaled(1 / J_PER_MWH, "MWh"),
            "mw": self.power_w.scaled(1e-6, "MW"),
            "usd": self.cost_usd,
            "co2": self.co2_g.scaled(1 / G_PER_T, "t"),
        }


Spending = Callable[[Scenario], Spend]


class Predicted:
    """Spending as predicted; a step that was estimated last is not estimated again.

    Budgets and crossovers ask about many lengths of one run: its step is the same for all.
    """

    def __init__(self) -> None:
        self._estimate: Estimate | None = None

    def __call__(self, scenario: Scenario) -> Spend:
        """What a scenario takes."""
        return spend_of(self.prediction(scenario))

    def prediction(self, scenario: Scenario) -> Prediction:
        """The whole prediction of a scenario."""
        last = self._estimate
        setup = None if last is None else last.setup.of_same_step(scenario)
        if last is None or setup is None:
            self._estimate = estimate(Setup.of(scenario))
        else:
            self._estimate = last.for_setup(setup)
        return predict(self._estimate)


def spend_of(prediction: Prediction) -> Spend:
    """What a predicted run takes."""
    record = prediction.record
    return Spend(
        record.elapsed_s,
        record.joules_at(Boundary.FACILITY),
        mean_power_w(prediction)[Boundary.FACILITY],
        record.cost_usd,
        record.co2_location_g,
    )


def mean_power_w(prediction: Prediction) -> dict[Boundary, Quantity]:
    """Mean watts of all chips and what surrounds them, by boundary.

    Watts are raised from the chips': the band of the time is in the joules, not in them.
    """
    setup, chip_w = prediction.setup, prediction.estimate.chip_power_w
    chips_w = chip_w.scaled(setup.chips, source=f"{setup.chips:,} chips, predicted")
    steps = setup.site_at(chip_w).steps()
    return raised({prediction.boundary: chips_w}, steps, quantity_times, of="power", unit="W")


def published(scenario: Scenario) -> Utilized:
    """What other scenarios spend at the rate and the watts that were published of this one.

    GPT-3: 3.15e23 FLOP by 6 P D, 3.41e23 counted, over 10,000 x 355.2 h x 125 TFLOP/s: 21 % of
    the peak, failures included.

    Raises:
        MissingDataError: nothing was published of it, or its chip has no peak.
    """
    section = reported.require(scenario)
    seconds, work = section.elapsed_h.scaled(S_PER_HOUR, "s"), model_flop(scenario)
    peak = scenario.hardware.count * _peak(scenario) * seconds.numbers()[0]
    share = multiply(
        Quantity.exact(work / peak * seconds.numbers()[0], "1", "counted FLOP / peak"),
        seconds,
        "1",
        divide=True,
    )
    return Utilized(share, section.chip_power_w, section.power_boundary)


def at_utilization(scenario: Scenario, mfu: float, watts: float | None) -> Utilized:
    """What scenarios spend at a utilization that the user names, each with its own goodput.

    Args:
        scenario: whose goodput and chip are used.
        mfu: model FLOP over chips x peak, while it trains.
        watts: of a chip; the mean of the catalog without it.

    Raises:
        InputError: a number is out of its range.
        MissingDataError: the catalog knows no mean watts of the chip.
    """
    if not 0 < mfu <= 1:
        raise InputError("expected --mfu above 0 and at most 1", f"{mfu:g}")
    if watts is not None and not watts > 0:
        raise InputError("expected --watts above 0", f"{watts:g}")
    productive = goodput(scenario.run.goodput, scenario.hardware.count)
    share = multiply(Quantity.exact(mfu, "1", "--mfu", Origin.ASSUMED), productive, "1")
    if watts is not None:
        power = Quantity.exact(watts, "W", "--watts", Origin.ASSUMED)
        return Utilized(share, power, Boundary.CHIP, with_goodput=True)
    return Utilized(share, *_watts(_chip(scenario)), with_goodput=True)


@dataclass(frozen=True)
class Utilized:
    """Spending at a share of the peak and at mean watts of a chip, both over the whole time.

    Attributes:
        share: of the peak.
        power_w: mean watts of a chip.
        boundary: of the watts.
        with_goodput: whether the share holds a goodput, which a scenario may leave open.
    """

    share: Quantity
    power_w: Quantity
    boundary: Boundary
    with_goodput: bool = False

    def __call__(self, scenario: Scenario) -> Spend:
        """What a scenario takes."""
        chips = scenario.hardware.count
        ideal_s = model_flop(scenario) / (chips * _peak(scenario))
        work = Quantity.exact(ideal_s, "s", "model FLOP / (chips x peak)", Origin.MODELLED)
        elapsed_s = multiply(work, self.share, "s", divide=True)
        site = self.site(scenario)
        chips_w = self.power_w.scaled(chips, source=f"{chips:,} chips x {self.power_w.source}")
        powers = raised(
            {self.boundary: chips_w}, site.steps(), quantity_times, of="power", unit="W"
        )
        energy_j = multiply(powers[Boundary.FACILITY], elapsed_s, "J")
        chip_s = elapsed_s.scaled(chips)
        result = account({Boundary.FACILITY: energy_j}, site, quantity_times, chip_s)
        assert result.cost_usd is not None
        assert result.co2_location_g is not None
        return Spend(
            elapsed_s, energy_j, powers[Boundary.FACILITY], result.cost_usd, result.co2_location_g
        )

    def site(self, scenario: Scenario) -> Site:
        """The site of a scenario, with the hosts of its chips."""
        return with_hosts(scenario, scenario.site.resolve(), self.boundary, self.power_w)

    def left_open(self, scenario: Scenario) -> str:
        """What was assumed of a scenario, in a line."""
        known = [
            *(of_goodput(scenario) if self.with_goodput else ()),
            *self._of_watts(),
            *of_site(scenario, self.site(scenario), self.boundary),
            *of_price(scenario),
        ]
        return in_a_line(known, "--set KEY=VALUE")

    def _of_watts(self) -> Iterator[Assumption]:
        """The mean watts of a chip, where nobody measured or named them."""
        if self.power_w.origin is Origin.MODELLED:
            yield Assumption("watts of a chip", f"{self.power_w.numbers()[0]:.0f} W", "--watts")


def model_flop(scenario: Scenario) -> float:
    """Model FLOP of a scenario by our own count, attention in full."""
    counted = workload.model_flop(scenario.model.resolve(), scenario.workload.work())
    return float(shape.total(counted)) * scenario.tokens


def check_budgets(budgets: Mapping[str, float]) -> None:
    """Refuse budgets that cannot be.

    Raises:
        InputError: there is none, a name is unknown, or a value is not above 0.
    """
    if not budgets:
        raise InputError(
            "expected a budget", "none", f"name one: {', '.join(f'--{name}' for name in UNITS)}"
        )
    for name, limit in budgets.items():
        if name not in UNITS:
            raise InputError("expected a budget", name, nearest(name, UNITS))
        if not 0 < limit < float("inf"):
            raise InputError(f"expected --{name} above 0", f"{limit:g}")


def used(spend: Spend, budgets: Mapping[str, float], end: int) -> dict[str, float]:
    """Part of each budget that is used; 1 is all of it.

    Args:
        spend: what a run takes.
        budgets: limits by the names of `UNITS`.
        end: 0 for the middle of the bands, 1 for their low ends, 2 for their high ends.

    Raises:
        MissingDataError: what a budget is about is not known.
    """
    known = spend.by_budget()
    for name in budgets:
        if known[name].value is None:
            raise unknown(name, "the run", known[name])
    return {name: known[name].numbers()[end] / limit for name, limit in budgets.items()}


def _chip(scenario: Scenario) -> Chip:
    if scenario.hardware.chip is None:
        raise MissingDataError(
            "expected a chip of the catalog",
            "a calibrated machine",
            "leave --mfu out: the prediction knows the machine",
        )
    return catalog.chip(scenario.hardware.chip)


def _peak(scenario: Scenario) -> float:
    return _chip(scenario).peak_flop_per_s(scenario.hardware.precision)


def _watts(chip: Chip) -> tuple[Quantity, Boundary]:
    """Mean watts of a chip in training, at their boundary: with its share of the host, or alone."""
    known = (
        (chip.system_w, Boundary.IT, chip.system_scope),
        (chip.mean_w, chip.power_boundary, chip.power_scope),
    )
    for value, boundary, scope in known:
        if value is not None and boundary is not None:
            source = f"{chip.id}: {scope} ({chip.status})"
            return Quantity.exact(value, "W", source, Origin.MODELLED), boundary
    raise MissingDataError(
        f"expected mean watts of {chip.id} in training", "unknown", "name them: --watts"
    )


def unknown(name: str, of: str, amount: Quantity) -> MissingDataError:
    """The error of an amount of a run, or of both, that a question needs and nothing gives."""
    return MissingDataError(
        f"expected the {NAMES[name]} of {of}", str(amount), PRICED if name == "usd" else ""
    )
