"""Dated prices, and scenarios that name one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.errors import InputError
from energy.facts import catalog
from energy.facts.prices import KINDS, price, prices
from energy.facts.rows import STATUSES
from energy.quantity import Origin
from simulator.runs.predict import predict
from simulator.scenarios.scenario import load


@pytest.mark.parametrize("row", prices(), ids=lambda row: row.id)
def test_every_price_has_a_band_a_date_terms_and_a_source(row):
    value, low, high = row.price.numbers()
    assert 0 < low <= value <= high
    assert low < high
    assert row.price.unit == KINDS[row.kind]
    assert len(row.date) == 7
    assert 2020 <= int(row.date[:4]) <= 2026
    assert row.terms
    assert row.status in STATUSES
    assert row.price.origin is Origin.ASSUMED
    assert row.id in row.price.source
    if row.kind == "chip":
        assert catalog.chip(row.chip).id == row.chip
    else:
        assert row.chip is None


# EIA (via Statista, 2024-03-18): 8.06 cents a kWh to industry in 2023. AIMultiple index of
# 2026-05-20: median of 2.95 dollars an H100-hour over 37 providers.
def test_cited_prices():
    assert price("us-industrial-2023").price.value == 0.0806
    assert price("h100-on-demand-2026", "USD/h").price.value == 2.95


def test_an_unknown_price_and_a_price_of_another_kind_are_errors():
    with pytest.raises(InputError, match="did you mean h100"):
        price("h100-on-demand")
    with pytest.raises(InputError, match="expected a price in USD/h"):
        price("us-industrial-2023", "USD/h")


def cost(**more):
    return predict(load("glam-mini-16e", more)).record.cost_usd


def test_no_price_is_assumed_by_default():
    assert cost().value is None
    assert "price" in cost().source


# Without the power of a chip there is no prediction, and so no cost.
@given(st.sampled_from([row for row in prices() if row.chip and catalog.chip(row.chip).tdp_w]))
def test_a_named_chip_price_is_the_same_number_with_a_band(row):
    named = cost(**{"site.chip_price": row.id, "hardware.chip": row.chip})
    alone = cost(**{"site.chip_price": row.price.value, "hardware.chip": row.chip})
    assert named.value == pytest.approx(alone.value)
    assert named.low < alone.low or named.high > alone.high
    assert named.origin is Origin.ASSUMED
    assert row.id in named.source


def test_a_price_of_another_chip_is_refused():
    with pytest.raises(InputError, match="a price of tpu-v4; write the number instead"):
        cost(**{"site.chip_price": "tpu-v4-list-2024"})


def test_a_named_electricity_price_applies_to_the_kwh_of_the_facility():
    record = predict(load("glam-mini-16e", {"site.electricity_price": "us-industrial-2023"})).record
    kwh = record.totals["facility"].value / 3.6e6
    assert record.cost_usd.value == pytest.approx(0.0806 * kwh)


def test_prices_can_be_listed_and_named_on_the_command_line(simulator):
    code, out, _ = simulator("prices", "--json")
    rows = json.loads(out)
    assert (code, len(rows)) == (0, len(prices()))
    assert all(row["source"] and row["date"] and row["price"]["low"] for row in rows)
    code, out, _ = simulator("prices", "h100")
    assert (code, "h100-1-year-2026" in out, "tpu" in out) == (0, True, False)
    assert simulator("prices", "abacus")[0] == 4
    code, out, _ = simulator(
        "inverse",
        "gpt3-175b",
        "--usd",
        1e6,
        "--json",
        "--set",
        "site.chip_price=v100-on-demand-2024",
    )
    answer = json.loads(out)
    assert (code, answer["binding"]) == (0, "usd")
    assert answer["spend"]["usd"]["value"] == pytest.approx(1e6, rel=1e-6)
    code, out, err = simulator("predict", "glam-mini-16e", "--set", "site.chip_price=h100-demand")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "expected site.chip_price as a number" in err
    assert "got h100-demand" in err
    assert "did you mean h100" in err
