"""Compute as in the European Union's Guidelines (18 July 2025) and its documentation form."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.disclosure import eu_mdf as eu
from energy.errors import InputError
from energy.units import S_PER_DAY, S_PER_HOUR
from tests.support import GOLDEN

ANNEX = list(csv.DictReader((GOLDEN / "eu_annex.csv").read_text().splitlines()))
# G is printed as 1.5e23 and H as 6.5e23, truncated rather than rounded: the rows contain what their
# inputs give, and a test below compares that with the printed figures.
TRUNCATED = {"G": 1.5e23, "H": 6.5e23}


def computed(row):
    if row["approach"] == "hardware":
        seconds = float(row["device_hours"]) * S_PER_HOUR
        return eu.hardware_compute(
            seconds, float(row["peak_flop_per_s"]), float(row["utilization"])
        )
    return eu.dense_compute(float(row["parameters"]), float(row["tokens"]))


@pytest.mark.parametrize("row", ANNEX, ids=lambda row: row["id"])
def test_every_example_of_the_annex_is_reproduced(row):
    assert eu.rounded(computed(row), int(row["digits"])) == float(row["published_flop"])


@pytest.mark.parametrize(("name", "printed"), TRUNCATED.items())
def test_the_two_printed_figures_that_were_truncated_are_one_digit_away(name, printed):
    row = next(row for row in ANNEX if row["id"] == name)
    assert printed <= computed(row) < printed + 0.1e23


def test_glam_is_a_general_purpose_model_29_times_below_systemic_risk():
    compute = 6 * 96.6e9 * 600e9
    elapsed_s, chips = 1230 * S_PER_HOUR, 1024
    assert eu.size_bucket(1.2e12) == ">1T"
    assert eu.rounded(compute) == 3.5e23
    assert eu.time_bucket(elapsed_s) == "1–3 months"
    assert eu.rounded(elapsed_s / S_PER_DAY) == 51
    assert eu.rounded(elapsed_s * chips / S_PER_DAY) == 5.2e4
    assert eu.presumed(compute) == "general purpose"
    assert round(eu.SYSTEMIC_FLOP / compute) == 29


@pytest.mark.parametrize(
    ("flop", "presumed"),
    [
        (1e23, "below"),
        (1.1e23, "general purpose"),
        (1e25, "general purpose"),
        (1.1e25, "systemic risk"),
    ],
)
def test_a_threshold_must_be_exceeded_not_only_reached(flop, presumed):
    assert eu.presumed(flop) == presumed


def test_the_allowed_error_is_relative_to_the_reported_value():
    assert eu.within_allowed_error(1e23, 1.3e23 * (1 - 1e-12))
    assert not eu.within_allowed_error(1e23, 1.31e23)
    # 1.31e23 reported for 1e23 is off by 24 % of the report, although by 31 % of the truth.
    assert eu.within_allowed_error(1.31e23, 1e23)


def test_a_modifier_becomes_a_provider_above_one_third():
    assert not eu.modifier_is_provider(1e23, 3e23)
    assert eu.modifier_is_provider(1.01e23, 3e23)
    # An unknown original counts as its threshold.
    assert eu.modifier_is_provider(0.34e23, None)
    assert not eu.modifier_is_provider(0.34e23, None, systemic=True)
    assert eu.modifier_is_provider(0.34e25, None, systemic=True)


@pytest.mark.parametrize("utilization", [0.0, 1.01, 94.0, -0.3])
def test_a_utilization_that_is_no_mfu_is_refused(utilization):
    with pytest.raises(InputError, match="utilization"):
        eu.hardware_compute(1.0, 1e15, utilization)


@pytest.mark.parametrize(
    ("parameters", "bucket"),
    [(5e8, "≤500M"), (5.01e8, "≤5B"), (1e12, "≤1T"), (1.2e12, ">1T")],
)
def test_a_size_on_the_edge_belongs_to_the_smaller_bucket(parameters, bucket):
    assert eu.size_bucket(parameters) == bucket


@given(st.floats(1, 1e30), st.integers(1, 6))
def test_rounding_moves_a_figure_by_at_most_half_of_its_last_digit(value, digits):
    assert eu.rounded(value, digits) == pytest.approx(value, rel=0.5 * 10.0 ** (1 - digits) + 1e-12)
