"""The ratio of two runs, taken apart; and the answer of `simulator compare`."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.errors import InputError, MissingDataError
from energy.quantity import Boundary, Quantity
from simulator.questions.compare.answer import compare
from simulator.questions.compare.ratio import cautions, decompose, equal_figures
from simulator.runs import estimate as estimates
from simulator.runs import spend
from simulator.runs.sides import Side
from simulator.scenarios.scenario import load
from tests.support.records import run_record

FACTORS = ("model", "machine", "mechanization", "map")
positive = st.floats(1e-3, 1e12)


@st.composite
def sides(draw):
    accounting = draw(st.sampled_from(["location", "market"]))
    record = run_record(
        flop=draw(positive),
        it_j=draw(positive),
        pue=draw(st.floats(1, 3)),
        grid_g_per_kwh=draw(st.floats(1, 1000)),
        relative=draw(st.floats(0, 0.9)),
    )
    return Side(record, accounting)


@given(sides(), sides())
def test_the_product_of_the_factors_is_the_ratio(first, second):
    ratio = decompose(first, second, mixed=True)
    energy = ratio.model.value * ratio.machine.value * ratio.mechanization.value
    assert energy == pytest.approx(ratio.energy.value, rel=1e-9)
    assert energy * ratio.map.value == pytest.approx(ratio.co2.value, rel=1e-9)
    assert ratio.energy.value == pytest.approx(second.facility_j.value / first.facility_j.value)


@given(sides(), sides())
def test_swapping_the_runs_inverts_every_factor(first, second):
    there = decompose(first, second, mixed=True)
    back = decompose(second, first, mixed=True)
    for factor in (*FACTORS, "energy", "co2"):
        product = getattr(there, factor).value * getattr(back, factor).value
        assert product == pytest.approx(1, rel=1e-9)


@given(sides(), sides())
def test_the_shares_of_the_energy_ratio_sum_to_one(first, second):
    ratio = decompose(first, second)
    if abs(math.log(ratio.energy.value)) > 1e-6:
        shares = [ratio.share(factor) for factor in ("model", "machine", "mechanization")]
        assert sum(shares) == pytest.approx(1, abs=1e-6)


def test_a_run_compared_with_itself_is_one_in_every_factor():
    side = Side(run_record(relative=0.3))
    ratio = decompose(side, side)
    assert [getattr(ratio, name).value for name in (*FACTORS, "energy", "co2")] == [1.0] * 6


def test_gross_is_not_divided_by_net_unless_that_is_requested():
    net, gross = Side(run_record(), "market"), Side(run_record(flop=2e15), "location")
    assert any("not of one kind" in text for text in cautions([net, gross]))
    refused, mixed = decompose(net, gross), decompose(net, gross, mixed=True)
    for name in ("map", "co2"):
        assert getattr(refused, name).value is None
        assert "--accounting as-published" in getattr(refused, name).source
        assert getattr(mixed, name).value is not None
    assert refused.energy == mixed.energy
    assert decompose(net, net).co2.value == 1
    assert decompose(gross, gross).co2.value == 1


def test_equal_figures_come_from_the_records():
    first = Side(run_record(tokens=1e6, chips=8, chip="tpu-v4"))
    second = Side(run_record(tokens=2e6, chips=8, chip="v100"))
    equal = equal_figures([first, second])
    assert (equal["tokens"], equal["chips"], equal["kind of chip"]) == (False, True, False)
    assert "zone" not in equal


def test_runs_without_a_common_boundary_are_not_compared():
    first, second = run_record(), run_record()
    second.totals = {Boundary.FACILITY: second.totals[Boundary.FACILITY]}
    with pytest.raises(MissingDataError, match="one boundary"):
        decompose(Side(first), Side(second))


def test_missing_co2_is_missing_in_the_ratio():
    first, second = run_record(), run_record(flop=2e15)
    second.co2_location_g = Quantity.absent("g", "no zone")
    ratio = decompose(Side(first), Side(second))
    assert (ratio.map.value, ratio.co2.value) == (None, None)
    assert ratio.energy.value is not None


def test_a_comparison_takes_names_scenarios_and_records():
    glam, gpt3 = load("glam-64b-64e"), load("gpt3-175b")
    named, loaded = compare("glam-64b-64e", "gpt3-175b"), compare(glam, gpt3)
    assert named.ratios == loaded.ratios
    assert repr(named) == "<Comparison: glam-64b-64e against gpt3-175b>"
    record = named.sides[0].record
    assert compare(record, record).basis == "recorded"
    with pytest.raises(InputError, match="two runs or more"):
        compare(glam)


def test_an_override_changes_all_scenarios():
    changed = compare("glam-64b-64e", "gpt3-175b", overrides={"run.tokens": 1e11})
    assert [side.record.tokens.value for side in changed.sides] == [1e11, 1e11]


def test_each_step_is_estimated_once_although_equal_runs_have_two_lengths(monkeypatch):
    setups = []
    monkeypatch.setattr(
        spend, "estimate", lambda setup: (setups.append(setup), estimates.estimate(setup))[1]
    )
    equal = compare("glam-64b-64e", "glam-137b", basis="predicted", equal="time")
    assert [setup.scenario.name for setup in setups] == ["glam-64b-64e", "glam-137b"]
    first, second = (side.record.elapsed_s.value for side in equal.sides)
    assert second == pytest.approx(first, rel=1e-9)


def test_the_frame_of_a_comparison_has_a_row_for_each_run_and_units_in_its_columns():
    frame = compare("glam-64b-64e", "gpt3-175b").to_frame()
    assert list(frame["name"]) == ["glam-64b-64e", "gpt3-175b"]
    # arXiv:2112.06905, arXiv:2104.10350: 456 and 1,287 MWh.
    assert list(frame["energy_mwh"]) == pytest.approx([456, 1287], rel=0.003)


def test_model_flop_of_two_conventions_are_counted_alike_before_they_are_divided():
    base = {"hardware.chip": "h100", "hardware.software": "megatron", "hardware.count": 8}
    fused = load("glam-1.7b", base)
    unfused = load("glam-1.7b", base | {"plan.flash": False})
    answer = compare(fused, unfused, basis="predicted")
    assert {side.record.labels["attention_flop"] for side in answer.sides} == {"full"}
    assert answer.ratios[0].model.value == pytest.approx(1)
    for side in compare(fused, fused, basis="predicted").sides:
        assert side.record.labels["attention_flop"] == "causal"
        assert side.record.model_flop.value <= side.record.executed_flop.value
