"""From joules at the meters to the facility, to grams of CO2e, liters of water and dollars.

    chip x (host) = node x (network, storage) = IT x PUE = facility / (1 - grid loss) = generation
    CO2e = facility x grid intensity        water = IT x (WUE + PUE x EWIF)
    cost = chip-hours x price, or facility x electricity price

This is written once, for every kind of number. A record multiplies quantities (value, band, origin,
source), an explanation multiplies terms, a sweep multiplies arrays: each says with `times` how an
amount of its kind is multiplied by a factor of the site.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from energy.arithmetic import multiply
from energy.facts.site import Site
from energy.quantity import Boundary, Quantity
from energy.units import J_PER_KWH, S_PER_HOUR

Amount = TypeVar("Amount")

LADDER = (Boundary.CHIP, Boundary.NODE, Boundary.IT, Boundary.FACILITY, Boundary.GENERATION)


@dataclass(frozen=True)
class Definition:
    """An exact number that a product is divided by, such as 3.6e6 J/kWh."""

    name: str
    value: float
    unit: str


KWH = Definition("joules a kWh", J_PER_KWH, "J/kWh")
HOUR = Definition("seconds an hour", S_PER_HOUR, "s/h")


@dataclass(frozen=True)
class Product:
    """One multiplication of the account: amount x factor, divided by a definition.

    Attributes:
        name: of the result, such as "facility energy".
        unit: of the result.
        factor: name of the factor, such as "pue".
        per: what the product is divided by, to change units.
    """

    name: str
    unit: str
    factor: str
    per: Definition | None = None


Times = Callable[[Amount, Quantity, Product], Amount]
"""How an amount is multiplied by a factor; a missing factor gives a missing amount."""


@dataclass(frozen=True)
class Account(Generic[Amount]):
    """What joules become at a site.

    Attributes:
        totals: joules by boundary, those that were there and those derived from them.
        co2_location_g: grams of CO2e by the average of the grid (gross).
        co2_market_g: grams of CO2e after clean-energy contracts (net).
        water_l: liters, of the site and of the grid.
        cost_usd: rent of the chips where they have a price, else electricity.
        rented: whether the cost is the rent.

    All but the totals are None where the joules reach neither the facility nor IT.
    """

    totals: dict[Boundary, Amount]
    co2_location_g: Amount | None
    co2_market_g: Amount | None
    water_l: Amount | None
    cost_usd: Amount | None
    rented: bool


def account(
    joules: Mapping[Boundary, Amount], site: Site, times: Times[Amount], chip_s: Amount
) -> Account[Amount]:
    """Account for joules at a site.

    GLaM at 600B tokens: 410.6 MWh of IT, PUE 1.11 and 88 g/kWh net give 455.8 MWh and 40.1 t.
    GPT-3 (arXiv:2104.10350): 1,287 MWh x 429 g/kWh = 552 t.
    Water (Li et al., arXiv:2304.03271): IT 100 kWh, PUE 1.2, WUE 1, EWIF 3 L/kWh give
    100 x (1 + 1.2 x 3) = 460 L; PUE counts once, on the grid's part.

    >>> from energy.facts.site import site
    >>> from energy.quantity import Origin
    >>> it = {Boundary.IT: Quantity.exact(1287e6 * 3600, "J", "arXiv:2104.10350", Origin.MODELLED)}
    >>> place = site(
    ...     pue=Quantity.exact(1.0, "1", "in the measurement"),
    ...     grid_location=Quantity.exact(429.0, "g/kWh", "arXiv:2104.10350"),
    ...     wue=Quantity.exact(1.0, "L/kWh", "stated"),
    ...     ewif=Quantity.exact(3.0, "L/kWh", "stated"),
    ... )
    >>> spent = account(it, place, quantity_times, Quantity.exact(1.0, "s", "stated"))
    >>> f"{spent.co2_location_g.value / 1e6:.0f} t, {spent.water_l.value / 1e6:.2f} million liters"
    '552 t, 5.15 million liters'

    Args:
        joules: by the boundary where they were measured or predicted.
        site: the factors, each with band and source.
        times: multiplies an amount by a factor.
        chip_s: seconds summed over the chips, for their rent.
    """
    totals = raised(joules, site.steps(), times)
    facility, it = totals.get(Boundary.FACILITY), totals.get(Boundary.IT)
    rented = site.chip_price.value is not None

    def derived(amount: Amount | None, factor: Quantity, product: Product) -> Amount | None:
        return None if amount is None else times(amount, factor, product)

    rent = Product("dollars", "USD", "price of a chip-hour", HOUR)
    electricity = Product("dollars", "USD", "price of electricity", KWH)
    return Account(
        totals=totals,
        co2_location_g=derived(
            facility, site.grid_location, Product("CO2e, gross", "g", "grid, location", KWH)
        ),
        co2_market_g=derived(
            facility, site.grid_market, Product("CO2e, net", "g", "grid, market", KWH)
        ),
        water_l=derived(it, site.water(), Product("water", "L", "liters an IT kWh", KWH)),
        cost_usd=times(chip_s, site.chip_price, rent)
        if rented
        else derived(facility, site.electricity_price, electricity),
        rented=rented,
    )


def raised(
    amounts: Mapping[Boundary, Amount],
    steps: Mapping[Boundary, Quantity],
    times: Times[Amount],
    *,
    of: str = "energy",
    unit: str = "J",
) -> dict[Boundary, Amount]:
    """Joules, or watts, with those of wider boundaries that follow from them.

    Each step starts at the widest boundary below that has an amount; what was measured is never
    replaced by what a factor makes of a narrower boundary. PUE is that of ISO/IEC 30134-2.
    GLaM at 280B tokens: 574 h x 1,024 x 326 W = 191.6 MWh, x 1.11 = 212.7 MWh.

    >>> pue = {Boundary.FACILITY: Quantity.exact(1.11, "1", "arXiv:2112.06905")}
    >>> it = {Boundary.IT: Quantity.exact(574 * 1024 * 326 * 3600, "J", "hours x chips x watts")}
    >>> f"{raised(it, pue, quantity_times)[Boundary.FACILITY].value / 3.6e9:.1f} MWh"
    '212.7 MWh'

    Args:
        amounts: by boundary.
        steps: the factor that leads to a boundary from the next narrower one.
        times: multiplies an amount by a factor.
        of: energy or power, for the names of the results.
        unit: of the amounts.
    """
    totals = dict(amounts)
    for below, above in itertools.pairwise(LADDER):
        amount, factor = totals.get(below), steps.get(above)
        if above in totals or amount is None or factor is None:
            continue
        totals[above] = times(amount, factor, Product(f"{above} {of}", unit, FACTORS[above]))
    return totals


FACTORS = {
    Boundary.NODE: "node over chip",
    Boundary.IT: "it over node",
    Boundary.FACILITY: "pue",
    Boundary.GENERATION: "generation over facility",
}


def quantity_times(amount: Quantity, factor: Quantity, product: Product) -> Quantity:
    """A quantity times a factor, with band, origin and source (`energy.quantity.multiply`)."""
    quantity = multiply(amount, factor, product.unit)
    return quantity if product.per is None else quantity.scaled(1 / product.per.value)
