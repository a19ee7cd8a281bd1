"""A published run as a RunRecord: its chips, hours and watts through our facility and grid.

Nothing is predicted here: joules are published watts x published hours, and the facility and
carbon steps are those of every other record. The total that the publication prints is kept beside
ours, so that a reader sees how far the two are apart.
"""

from __future__ import annotations

from energy import flops, shape
from energy.errors import MissingDataError
from energy.footprint.apply import at_site
from energy.quantity import Origin, Quantity
from energy.record import EnergyEntry, Kind, RunRecord, nothing_wasted, totals
from energy.units import G_PER_T, J_PER_MWH, S_PER_HOUR
from simulator.scenarios.scenario import Scenario
from simulator.scenarios.sections import PublishedSection
from simulator.terms import Term, product


def require(scenario: Scenario) -> PublishedSection:
    """The published section of a scenario.

    Raises:
        MissingDataError: the scenario has none.
    """
    if scenario.published is None:
        raise MissingDataError(
            f"expected a [published] section in {scenario.name}",
            "none",
            "compare predictions instead: --basis predicted",
        )
    return scenario.published


def record(scenario: Scenario) -> RunRecord:
    """The run as published.

    GLaM 64B/64E: 1,024 chips x 1,230 h x 326 W = 410.6 MWh, x PUE 1.11 = 455.8 MWh; printed 456.
    GPT-3: 10,000 x 355.2 h x 330 W x 1.10 = 1,289 MWh; printed 1,287.
    """
    published = require(scenario)
    model = scenario.model.resolve()
    elapsed_s, joules = elapsed(scenario), energy(scenario)
    chips = scenario.hardware.count
    no_word = Quantity.absent("FLOP", f"not published: {published.source}")
    entry = EnergyEntry(
        **joules.quantity.model_dump(),
        device=f"{chips:,} {scenario.hardware.chip}",
        boundary=published.power_boundary,
        api="published watts x published hours",
    )
    reported = RunRecord(
        name=scenario.name,
        kind=Kind.MEASURED,
        tokens=Quantity.exact(scenario.tokens, "1", published.source),
        params_total=_count(shape.total(shape.parameters(model))),
        params_active=_count(shape.total(shape.active_parameters(model))),
        model_flop=work(scenario).quantity,
        executed_flop=no_word,
        elapsed_s=elapsed_s.quantity,
        chip_s=elapsed_s.quantity.scaled(chips, source=f"{chips:,} chips x elapsed time"),
        energy=[entry],
        totals=totals([entry]),
        co2_location_g=Quantity.absent("g", "no site was applied"),
        co2_market_g=Quantity.absent("g", "no site was applied"),
        co2_embodied_g=Quantity.absent("g", "no site was applied"),
        water_l=Quantity.absent("L", "no site was applied"),
        cost_usd=Quantity.absent("USD", "no site was applied"),
        wasted=nothing_wasted("not published", Origin.ASSUMED),
        metrics=_printed(published) | {"counted_model_flop": counted(model, scenario.tokens)},
        shape=model.as_dict(),
        scenario=scenario.model_dump(mode="json", exclude_none=True),
        labels={"basis": "published", **scenario.labels()},
        notes=[f"published: {published.source}"],
    )
    return at_site(reported, scenario.site.resolve())


def elapsed(scenario: Scenario) -> Term:
    """Seconds of wall clock, from the published hours."""
    hours = require(scenario).elapsed_h
    return Term("elapsed time", hours.scaled(S_PER_HOUR, "s"))


def energy(scenario: Scenario) -> Term:
    """Joules at the boundary of the published watts: chips x watts x seconds."""
    chips = Quantity.exact(scenario.hardware.count, "1", "scenario: hardware.count")
    watts = Term("watts per chip", require(scenario).chip_power_w)
    return product("energy", "J", Term("chips", chips), watts, elapsed(scenario))


def work(scenario: Scenario) -> Term:
    """Model FLOP as publications of 2020 to 2022 count them: 6 x active parameters x tokens.

    No attention scores, and P as printed: GPT-3 6 x 175e9 x 300e9 = 3.15e23. Our own count, with
    scores, is `counted`.
    """
    published = require(scenario)
    why = "2 forward and 4 backward, for each active parameter and token"
    each = Quantity.exact(6.0, "FLOP", why, Origin.MODELLED)
    return product(
        "model FLOP",
        "FLOP",
        Term("FLOP a parameter and token", each),
        Term("active parameters", published.params_active),
        Term("tokens", Quantity.exact(scenario.tokens, "1", "scenario: run.tokens")),
    )


def counted(model: shape.Shape, tokens: float) -> Quantity:
    """Model FLOP by our count of the shape, attention scores in full."""
    count = float(shape.total(flops.model_flop(model, "full"))) * tokens
    return Quantity.exact(count, "FLOP", "energy.flops, attention in full", Origin.MODELLED)


def _printed(published: PublishedSection) -> dict[str, Quantity]:
    """The totals that the publication prints, in SI."""
    printed = {}
    if published.energy_mwh is not None:
        printed["published_energy_j"] = published.energy_mwh.scaled(J_PER_MWH, "J")
    if published.co2_t is not None:
        printed["published_co2_g"] = published.co2_t.scaled(G_PER_T, "g")
    return printed


def _count(number: shape.Number) -> Quantity:
    return Quantity.exact(float(number), "1", "energy.shape: counted from the shape")
