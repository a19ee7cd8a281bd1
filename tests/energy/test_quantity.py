"""Laws of quantities: bands, origins, boundaries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from energy.arithmetic import add, multiply
from energy.errors import BoundaryError, UnitError
from energy.quantity import Boundary, Origin, Quantity
from energy.record import EnergyEntry, RunRecord, nothing_wasted, totals

KNOWN = [Origin.MEASURED, Origin.MODELLED, Origin.ASSUMED]


@st.composite
def quantities(draw, unit="J"):
    value = draw(st.floats(0, 1e12))
    down, up = draw(st.floats(0, 0.99)), draw(st.floats(0, 10))
    return Quantity.of(value, unit, "test", draw(st.sampled_from(KNOWN)), relative=(-down, up))


def entry(device, value=100.0, boundary=Boundary.CHIP, within=None, origin=Origin.MEASURED):
    return EnergyEntry(
        value=value, origin=origin, device=device, boundary=boundary, within=within, source="test"
    )


@given(st.lists(quantities(), min_size=1, max_size=6), st.booleans())
def test_the_value_of_a_sum_is_in_its_band_and_its_shares_sum_to_one(parts, correlated):
    total = add(parts, correlated=correlated)
    assert total.low <= total.value <= total.high
    assert sum(total.shares.values()) == pytest.approx(1)
    assert total.origin == max((part.origin for part in parts), key=lambda origin: origin.rank)


@given(st.lists(quantities(), min_size=2, max_size=6))
def test_correlated_errors_give_the_wider_band(parts):
    together, apart = add(parts), add(parts, correlated=False)
    slack = 1e-9 * together.high
    assert together.low <= apart.low + slack
    assert together.high >= apart.high - slack


@given(quantities(), quantities("g/J"))
def test_a_product_is_as_weak_as_its_weakest_factor(energy, factor):
    product = multiply(energy, factor, "g")
    assert product.origin == energy.origin.weaker(factor.origin)
    assert product.low <= product.value <= product.high
    assert product.value == pytest.approx(energy.value * factor.value)


def test_missing_is_named_and_never_zero():
    absent = Quantity.absent("J", "permission")
    known = Quantity.of(100.0, "J", "counter", Origin.MEASURED, relative=0.05)
    total = add([known, absent], names=["gpu", "cpu"])
    assert total.value == 100.0
    assert [(part.device, part.reason) for part in total.missing] == [("cpu", "permission")]
    assert add([absent], names=["cpu"]).value is None
    with pytest.raises(ValidationError, match="origin is missing"):
        Quantity(value=0.0, unit="J", origin=Origin.MISSING, source="permission")
    with pytest.raises(ValidationError, match="reason"):
        Quantity(value=None, unit="J", origin=Origin.MISSING)


def test_quantities_of_two_units_do_not_add():
    with pytest.raises(UnitError, match="J and Wh"):
        add([Quantity.exact(1, "J", "a"), Quantity.exact(1, "Wh", "b")])


def test_joules_of_two_boundaries_do_not_add():
    with pytest.raises(BoundaryError, match="chip and facility"):
        Boundary.CHIP.require(Boundary.FACILITY)
    sums = totals([entry("gpu-0"), entry("node", 300.0, Boundary.NODE)])
    assert {at: total.value for at, total in sums.items()} == {"chip": 100.0, "node": 300.0}


def test_a_device_within_another_is_not_counted_twice():
    sums = totals([entry("package-0"), entry("dram-0", 20.0, within="package-0")])
    assert sums[Boundary.CHIP].value == 100.0


def test_a_total_states_how_much_of_it_was_measured():
    sums = totals([entry("gpu", 910.0), entry("cpu", 90.0, origin=Origin.MODELLED)])
    assert sums[Boundary.CHIP].shares == pytest.approx({"measured": 0.91, "modelled": 0.09})
    assert sums[Boundary.CHIP].origin == Origin.MODELLED


def test_a_record_survives_saving_and_loading(tmp_path):
    absent = Quantity.absent("1", "not given")
    record = RunRecord(
        name="run",
        kind="measured",
        tokens=absent,
        params_total=absent,
        params_active=absent,
        model_flop=absent,
        executed_flop=absent,
        elapsed_s=absent,
        chip_s=absent,
        energy=[entry("gpu")],
        totals=totals([entry("gpu")]),
        co2_location_g=absent,
        co2_market_g=absent,
        co2_embodied_g=absent,
        water_l=absent,
        cost_usd=absent,
        wasted=nothing_wasted("test", Origin.MEASURED),
    )
    record.save(tmp_path / "record.json")
    assert RunRecord.load(tmp_path) == record


def banded(coverage, relative=0.1, unit="J"):
    return Quantity.of(10.0, unit, "meter", Origin.MEASURED, relative=relative, coverage=coverage)


@pytest.mark.parametrize(
    ("coverages", "coverage", "remark"),
    [
        ((0.95, 0.95), 0.95, ""),
        ((0.8, 0.95), 0.8, "; bands of 80 % and 95 % combined, and stated as 80 %"),
    ],
)
def test_bands_of_two_coverages_are_never_combined_without_saying_so(coverages, coverage, remark):
    first, second = map(banded, coverages)
    total, product = add([first, second]), multiply(first, banded(coverages[1], unit="1"), "J")
    assert (total.coverage, product.coverage) == (coverage, coverage)
    assert total.source == "sum" + remark
    assert product.source == "(meter) x (meter)" + remark
    # Said once: what is computed from it has one coverage again.
    assert add([total, banded(coverage)]).source == "sum"


def test_a_number_without_a_band_does_not_change_the_coverage_of_those_that_have_one():
    count = Quantity.exact(3.0, "1", "count")
    assert multiply(banded(0.95), count, "J").coverage == 0.95
    assert add([banded(0.95), Quantity.exact(3.0, "J", "defined")]).coverage == 0.95
