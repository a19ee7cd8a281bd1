"""Rules on carbon, water and the factors behind them."""

from __future__ import annotations

from collections.abc import Iterator

from energy.claims.claim import Claim
from energy.claims.rule import Severity, rule
from energy.claims.rules_power import LEAST_TDP, MOST_TDP
from energy.errors import AccountingError
from energy.units import J_PER_KWH, S_PER_HOUR, energy, mass, significant

GRID_G_PER_KWH = (5.0, 1300.0)
"""The cleanest grids (hydropower: some grams) to those of coal alone."""

L_PER_KWH = (0.01, 30.0)
"""The best sites without cooling water and hydropower's reservoirs."""

EMBODIED_G_PER_H = (0.1, 100.0)
"""Grams a chip-hour: 150 to 1,500 kg a card over three to six years are 3 to 60."""


@rule(
    "grid-factor",
    Severity.ERROR,
    "No grid is below 5 or above 1,300 g/kWh: 429 in a column of kilograms, or pounds a MWh, is "
    "another unit.",
)
def grid_factor(claim: Claim) -> Iterator[str]:
    """A grid factor that no grid has."""
    for name in ("grid_g_per_kwh", "market_g_per_kwh"):
        value = claim.get(name)
        most = GRID_G_PER_KWH[1]
        least = GRID_G_PER_KWH[0] if name == "grid_g_per_kwh" else 0.0
        if value and value > 0 and not least <= value <= most:
            yield f"{significant(value)} g/kWh"


@rule(
    "carbon-per-kwh",
    Severity.ERROR,
    "Carbon over energy is a grid factor: 5 to 1,300 g/kWh by location (2,000 where the joules "
    "are those of chips and the carbon is the site's). Kilograms under a heading of tonnes or "
    "grams are a thousand times that.",
)
def carbon_per_kwh(claim: Claim) -> Iterator[str]:
    """Carbon over energy that no grid gives."""
    joules, grams = _facility_j(claim), claim.get("co2_g")
    if not joules or grams is None or joules < 0 or grams < 0:
        return
    factor = grams / (joules / J_PER_KWH)
    # The joules of chips, of which the building is still to come, may look dirtier.
    most = GRID_G_PER_KWH[1] * 1.6
    if not GRID_G_PER_KWH[0] <= factor <= most:
        hint = _hint(factor)
        yield f"{mass(grams)} for {energy(joules)} are {significant(factor)} g/kWh{hint}"


@rule(
    "carbon-per-chip-hour",
    Severity.ERROR,
    "Where no joules are stated, chip-hours bound them: at 0.12 to 4 times the design power, "
    "carbon is that times 5 to 1,300 g/kWh, or times the factor that is stated.",
)
def carbon_per_chip_hour(claim: Claim) -> Iterator[str]:
    """Carbon that no hours of these chips emit."""
    grams, chip_s, tdp = claim.numbers.get("co2_g"), claim.chip_s, claim.tdp_w
    if claim.get("energy_j") or not (chip_s and tdp) or grams is None or min(grams, chip_s) < 0:
        return
    factor, said = _at_design_power(grams, chip_s, tdp)
    grid = claim.get("grid_g_per_kwh")
    clean, dirty = (grid, grid) if grid else GRID_G_PER_KWH
    if not clean * LEAST_TDP <= factor <= dirty * MOST_TDP[None]:
        yield said


@rule(
    "carbon-unusually-low",
    Severity.WARNING,
    "Below 10 g/kWh at the design power only some grids of hydropower remain: tonnes that are two "
    "digits short look like that.",
)
def carbon_unusually_low(claim: Claim) -> Iterator[str]:
    """Carbon that hardly any grid gives these hours."""
    grams, chip_s, tdp = claim.get("co2_g"), claim.chip_s, claim.tdp_w
    if claim.get("grid_g_per_kwh") or not (grams and chip_s and tdp) or grams < 0 or chip_s < 0:
        return
    factor, said = _at_design_power(grams, chip_s, tdp)
    if factor < 10:
        yield said


def _at_design_power(grams: float, chip_s: float, tdp_w: float) -> tuple[float, str]:
    """Grams a kWh of chips that draw their design power, and the same in words."""
    factor = grams / (chip_s * tdp_w / J_PER_KWH)
    return factor, (
        f"{mass(grams)} in {significant(chip_s / S_PER_HOUR)} chip-hours are "
        f"{significant(factor)} g/kWh at the design power of {tdp_w:g} W"
    )


@rule(
    "energy-times-grid",
    Severity.ERROR,
    "CO2e by location is energy x the factor of the grid. Less than that beside the factor is a "
    "figure after contracts (market-based): two numbers, never one for the other (GHG Protocol, "
    "Scope 2).",
)
def energy_times_grid(claim: Claim) -> Iterator[str]:
    """Carbon that energy and grid contradict."""
    joules, grid = _facility_j(claim), claim.get("grid_g_per_kwh")
    grams = claim.numbers.get("co2_g")
    if not (joules and grid) or grams is None or min(joules, grams, grid) < 0:
        return
    expected = joules / J_PER_KWH * grid
    products = {expected}
    if claim.get("pue") and claim.word("boundary") and not claim.word("boundary").startswith("fac"):
        products.add(expected * (claim.get("pue") or 1.0))
    if all(abs(grams / product - 1) > 0.1 for product in products):
        less = "; a figure after contracts?" if grams < expected else ""
        yield f"{mass(grams)}; {energy(joules)} x {grid:g} g/kWh are {mass(expected)}{less}"


@rule(
    "market-as-location",
    Severity.ERROR,
    "A location-based figure uses the average of the grid where the run was. One below 0.3 of "
    "the zone's is a figure after contracts, or of another zone.",
)
def market_as_location(claim: Claim) -> Iterator[str]:
    """A location figure below what the zone's grid gives."""
    joules, grams = _facility_j(claim), claim.numbers.get("co2_g")
    if not joules or grams is None or not claim.word("zone") or joules < 0 or grams < 0:
        return
    from energy.facts.grid import zone

    try:
        value, low, high = zone(claim.words["zone"]).g_per_kwh.numbers()
    except (AccountingError, ValueError):
        return
    factor = grams / (joules / J_PER_KWH)
    if factor < min(0.3 * value, low * 0.9):
        yield f"{significant(factor)} g/kWh by location; the grid of {claim.words['zone']} has " + (
            f"{significant(value)}"
        )
    elif factor > max(3 * value, high * 1.2):
        yield f"{significant(factor)} g/kWh; the grid of {claim.words['zone']} has " + (
            f"{significant(value)}"
        )


@rule(
    "netted",
    Severity.ERROR,
    "Location, market, embodied and offsets are four figures. A location figure that is another "
    "one less the offsets, or that has the embodied share in it, is a sum that nobody can undo.",
)
def netted(claim: Claim) -> Iterator[str]:
    """A location figure from which something was subtracted."""
    joules, grid = _facility_j(claim), claim.get("grid_g_per_kwh")
    grams, offset = claim.numbers.get("co2_g"), claim.get("co2_offset_g")
    embodied = claim.get("co2_embodied_g")
    if not (joules and grid) or grams is None:
        return
    gross = joules / J_PER_KWH * grid
    if offset and offset > 0.02 * gross and abs(grams - (gross - offset)) < 0.01 * gross:
        yield f"{mass(grams)} by location are {mass(gross)} less the offsets of {mass(offset)}"
    if embodied and embodied > 0.02 * gross and abs(grams - (gross + embodied)) < 0.01 * gross:
        yield f"{mass(grams)} by location have the embodied {mass(embodied)} in them"


@rule(
    "emissions-rate",
    Severity.ERROR,
    "A rate of emissions is emissions over duration (CodeCarbon: kilograms a second).",
)
def emissions_rate(claim: Claim) -> Iterator[str]:
    """A rate that emissions and duration contradict."""
    rate, grams, elapsed_s = (claim.get(name) for name in ("co2_per_s", "co2_g", "elapsed_s"))
    if rate and grams and elapsed_s and abs(rate * elapsed_s / grams - 1) > 0.05:
        yield f"{rate:.3g} g/s; {mass(grams)} in {significant(elapsed_s)} s are " + (
            f"{grams / elapsed_s:.3g} g/s"
        )


@rule(
    "water",
    Severity.ERROR,
    "Water over energy is 0.01 to 30 L/kWh, of the site and of the grid; and where both factors "
    "are stated it is IT energy x (WUE + PUE x EWIF) (arXiv:2304.03271): the PUE counts once.",
)
def water(claim: Claim) -> Iterator[str]:
    """Liters that no site takes, or that their factors contradict."""
    joules, liters = _facility_j(claim), claim.get("water_l")
    if not (joules and liters) or joules < 0 or liters < 0:
        return
    ratio = liters / (joules / J_PER_KWH)
    if not L_PER_KWH[0] <= ratio <= L_PER_KWH[1]:
        yield f"{significant(liters)} L for {energy(joules)} are {significant(ratio)} L/kWh"
    it, pue = claim.get("energy_it_j"), claim.get("pue")
    wue, ewif = claim.numbers.get("wue"), claim.numbers.get("ewif")
    if it and pue and wue is not None and ewif is not None:
        expected = it / J_PER_KWH * (wue + pue * ewif)
        if expected and abs(liters / expected - 1) > 0.03:
            yield f"{significant(liters)} L; IT energy x (WUE + PUE x EWIF) is " + (
                f"{significant(expected)} L"
            )


@rule(
    "embodied",
    Severity.ERROR,
    "Making a card emits 150 to 1,500 kg, its life has 26,000 to 53,000 hours: 0.1 to 100 g a "
    "chip-hour.",
)
def embodied(claim: Claim) -> Iterator[str]:
    """Embodied carbon that no card has."""
    grams, chip_s = claim.get("co2_embodied_g"), claim.chip_s
    if not (grams and chip_s) or grams < 0 or chip_s < 0:
        return
    each = grams / (chip_s / S_PER_HOUR)
    if not EMBODIED_G_PER_H[0] <= each <= EMBODIED_G_PER_H[1]:
        yield f"{mass(grams)} embodied are {significant(each)} g a chip-hour"


def _facility_j(claim: Claim) -> float | None:
    """Joules that the carbon is of: those of the facility, else those stated."""
    return claim.get("energy_facility_j") or claim.get("energy_j")


def _hint(factor: float) -> str:
    """What a factor that is off by a thousand may be."""
    if 5 <= factor / 1e3 <= 1300:
        return ": a thousand times too many (kilograms for grams, tonnes for kilograms)?"
    if 5 <= factor * 1e3 <= 1300:
        return ": a thousand times too few?"
    return ""
