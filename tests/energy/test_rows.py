"""Flat rows and CSV: the unit of a number stands in the name of its column, once."""

import csv
import io

import pytest

from energy.console import print_csv
from energy.quantity import Origin, Quantity
from energy.rows import rows_of, with_unit


@pytest.mark.parametrize(
    ("name", "unit", "column"),
    [
        ("energy", "MWh", "energy_mwh"),
        ("energy_mwh", "MWh", "energy_mwh"),
        ("mwh", "MWh", "mwh"),
        ("elapsed_days", "d", "elapsed_days"),
        ("weeks", "wk", "weeks"),
        ("location", "g/kWh", "location_g_per_kwh"),
        ("tokens_per_s", "1/s", "tokens_per_s"),
        ("power_mw_chip", "MW", "power_chip_mw"),
        ("pue", "1", "pue"),
    ],
)
def test_a_unit_stands_at_the_end_of_a_name_once(name, unit, column):
    assert with_unit(name, unit) == column


def test_a_quantity_is_a_value_two_ends_and_an_origin_and_a_list_in_a_table_is_its_rows():
    power = Quantity(value=2.0, low=1.0, high=3.0, unit="MW", origin=Origin.ASSUMED)
    data = {"name": "a run", "parts": [{"power_mw": {"chip": power}, "notes": ["left out"]}]}
    assert rows_of(data) == [
        {
            "power_chip_mw": 2.0,
            "power_chip_mw_low": 1.0,
            "power_chip_mw_high": 3.0,
            "power_chip_origin": "assumed",
        }
    ]
    assert rows_of({"name": "a run", "parts": []}) == [{"name": "a run"}]


def test_csv_has_a_column_for_each_key_of_any_row_and_quotes_what_needs_it(capsys):
    watts = Quantity.exact(2.0, "W", "a meter")
    print_csv([{"name": 'a,"b"', "power": watts}, {"name": "c\nd", "more": None}])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["name"] for row in rows] == ['a,"b"', "c\nd"]
    assert [row["power_w"] for row in rows] == ["2.0", ""]
    assert rows[0]["power_origin"] == "measured"
    assert rows[1]["more"] == ""
