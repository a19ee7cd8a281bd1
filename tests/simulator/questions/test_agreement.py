"""Agreements of a prediction and the measured run that it was made for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.errors import InputError, MissingDataError, ToleranceError
from energy.quantity import Origin, Quantity
from energy.record import Kind
from simulator.questions.validate.records import (
    agreement,
    pairs,
    read_records,
    require_within,
    step_time,
)
from tests.support.records import run_record

PREDICTED = {"kind": Kind.PREDICTED, "origin": Origin.MODELLED}


def row(compared, name):
    return next(row for row in compared.rows if row.name == name)


@given(st.floats(1, 1e6), st.floats(1, 1e6))
def test_the_error_is_signed_and_relative_to_the_measured_value(predicted_s, measured_s):
    compared = agreement(
        run_record(elapsed_s=predicted_s, **PREDICTED), run_record(elapsed_s=measured_s)
    )
    assert row(compared, "elapsed time").error == pytest.approx(predicted_s / measured_s - 1)


@given(st.floats(0.01, 0.5), st.floats(-1, 1))
def test_a_measurement_is_in_the_band_exactly_when_it_is_between_its_ends(width, offset):
    compared = agreement(
        run_record(elapsed_s=100.0, relative=width, **PREDICTED),
        run_record(elapsed_s=100.0 * (1 + offset) + 1e-3),
    )
    measured = 100.0 * (1 + offset) + 1e-3
    inside = 100 * (1 - width) <= measured <= 100 * (1 + width)
    assert row(compared, "elapsed time").in_band is inside


def test_watts_modelled_on_both_sides_prove_nothing_and_are_not_judged():
    measured = run_record(elapsed_s=100.0)
    modelled = run_record(origin=Origin.MODELLED)
    for name in ("totals", "co2_location_g", "co2_market_g"):
        setattr(measured, name, getattr(modelled, name))
    compared = agreement(run_record(elapsed_s=100.0, it_j=5e4, **PREDICTED), measured)
    assert row(compared, "it energy").both_modelled
    assert any("nothing about watts" in note for note in compared.notes())
    require_within([compared], 0.5)


@pytest.mark.parametrize(("padding", "words"), [(1.0, "by one formula"), (1.01, "padded")])
def test_counts_that_are_not_the_same_are_not_called_one_formula(padding, words):
    flop = [Quantity.exact(1e15 * factor, "FLOP", "test") for factor in (1.0, padding)]
    sides = [run_record(**PREDICTED), run_record()]
    for record, executed in zip(sides, flop, strict=True):
        record.executed_flop = executed
    (note,) = (note for note in agreement(*sides).notes() if "executed FLOP" in note)
    assert words in note


def test_an_error_beyond_the_tolerance_is_named():
    compared = agreement(run_record(elapsed_s=150.0, **PREDICTED), run_record(elapsed_s=100.0))
    require_within([compared], 0.5)
    with pytest.raises(ToleranceError, match=r"\+50.0% in (step|elapsed) time") as caught:
        require_within([compared], 0.2)
    assert caught.value.exit_code == 5


def test_a_prediction_written_after_its_run_is_noted():
    early, late = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
    fair = agreement(run_record(created_utc=early, **PREDICTED), run_record(created_utc=late))
    unfair = agreement(run_record(created_utc=late, **PREDICTED), run_record(created_utc=early))
    assert (fair.predicted_before, unfair.predicted_before) == (True, False)
    assert any("after the run" in note for note in unfair.notes())


def test_records_are_paired_by_name():
    records = [
        run_record("a"),
        run_record("b"),
        run_record("b", **PREDICTED),
        run_record("a", **PREDICTED),
        run_record("c"),
    ]
    assert [(p.name, m.name) for p, m in pairs(records)] == [("a", "a"), ("b", "b")]


def test_a_measurement_without_a_prediction_is_refused():
    with pytest.raises(MissingDataError, match="predicted: none"):
        pairs([run_record("a")])
    with pytest.raises(InputError, match="two of a"):
        pairs([run_record("a", **PREDICTED), run_record("a", **PREDICTED), run_record("a")])


def test_every_record_below_a_folder_is_read_once(tmp_path):
    run_record("a").save(tmp_path / "a" / "record.json")
    run_record("b").save(tmp_path / "deep" / "b" / "record.json")
    assert [record.name for record in read_records([tmp_path, tmp_path / "a"])] == ["a", "b"]
    (tmp_path / "empty").mkdir()
    for name in ("empty", "absent"):
        with pytest.raises(InputError, match="expected a record"):
            read_records([tmp_path / name])


def test_step_time_comes_from_the_windows_of_the_steps():
    assert step_time(run_record(elapsed_s=50.0, steps=10)).value == pytest.approx(5.0)
    bare = run_record()
    bare.windows = []
    assert "no window" in step_time(bare).source


def test_what_both_sides_count_by_one_formula_is_not_measured():
    compared = agreement(run_record(**PREDICTED), run_record())
    counted = [row.name for row in compared.rows if row.counted]
    assert "tokens" in counted
    assert "model FLOP" in counted
    assert any("counted on both sides" in note for note in compared.notes())
