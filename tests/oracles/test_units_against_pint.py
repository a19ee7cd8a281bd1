"""Every conversion constant of `energy.units` against pint, which has its own table of units."""

import pint
import pytest

from energy import units

UNITS = pint.UnitRegistry()

CONVERSIONS = {
    "J_PER_WH": ("watt_hour", "joule"),
    "J_PER_KWH": ("kilowatt_hour", "joule"),
    "J_PER_MWH": ("megawatt_hour", "joule"),
    "S_PER_HOUR": ("hour", "second"),
    "S_PER_DAY": ("day", "second"),
    "G_PER_KG": ("kilogram", "gram"),
    "G_PER_T": ("metric_ton", "gram"),
    "G_PER_LB": ("pound", "gram"),
    "KWH_PER_MWH": ("megawatt_hour", "kilowatt_hour"),
    "L_PER_M3": ("meter ** 3", "liter"),
    "GIB": ("gibibyte", "byte"),
}


def test_every_constant_of_the_module_is_compared():
    public = {name for name, value in vars(units).items() if isinstance(value, float)}
    assert {name for name in public if not name.startswith("_")} == set(CONVERSIONS)


@pytest.mark.parametrize("name", CONVERSIONS)
def test_a_conversion_constant_is_that_of_pint(name):
    from_unit, to_unit = CONVERSIONS[name]
    expected = UNITS.Quantity(1, from_unit).to(to_unit).magnitude
    assert getattr(units, name) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("joules", [1.0, 999.0, 3.6e6, 1.6416e12, 4.633e12])
def test_a_printed_energy_is_the_joules_that_it_prints(joules):
    number, unit = units.energy(joules).split()
    printed = UNITS.Quantity(float(number.replace(",", "")), unit)
    assert printed.to("joule").magnitude == pytest.approx(joules, rel=5e-3)


@pytest.mark.parametrize("grams", [1.5, 2.5e3, 4.01e7])
def test_a_printed_mass_is_the_grams_that_it_prints(grams):
    number, unit = units.mass(grams).split()
    printed = UNITS.Quantity(float(number.replace(",", "")), {"t": "metric_ton"}.get(unit, unit))
    assert printed.to("gram").magnitude == pytest.approx(grams, rel=5e-3)


@pytest.mark.parametrize("prefix", ["n", "µ", "m", "", "k", "M", "G", "T", "P", "E", "Z", "Y"])
def test_a_prefix_is_that_of_the_si(prefix):
    value = 1.25 * UNITS.Quantity(1, f"{prefix}W").to("W").magnitude
    assert units.si(value, "W") == f"1.25 {prefix}W"
