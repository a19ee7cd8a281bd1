"""The pages, data and metrics that a report writes are checked as records are: round trips."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from energy import units
from energy.claims.check import check
from energy.cli import command
from energy.disclosure.formats import write
from energy.disclosure.readers.files import claims_of
from energy.disclosure.readers.pages import amount
from energy.errors import InputError
from energy.quantity import Boundary, Quantity
from tests.energy.disclosure.runs import known, metered

PAGES = {"html": ".html", "md": ".md", "json": ".json"}
FACTS = known(metered(boundary=Boundary.CHIP))


def claim_of(folder, name, change=lambda text: text):
    path = folder / f"page{PAGES.get(name, '.txt')}"
    path.write_text(change(write(name, FACTS, "x")), encoding="utf-8")
    (claim,) = claims_of(path)
    return claim


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_ours_is_read_back_with_the_figures_of_its_run_and_breaks_no_rule(tmp_path, name):
    claim = claim_of(tmp_path, name)
    names = {"flop": "model_flop", "co2_g": "co2_location_g", "energy_j": "energy_chip_j"}
    assert {"energy_facility_j", "co2_g", "co2_embodied_g", "flop", "chip_s", "pue"} <= set(
        claim.numbers
    )
    for figure, value in claim.numbers.items():
        assert value == pytest.approx(FACTS.number(names.get(figure, figure)), rel=0.01), figure
    assert claim.words["boundary"] == "chip"
    assert not check(claim)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(
    ("slip", "rule"),
    [
        ("a thousandth of the CO2e", "carbon-per-kwh"),
        ("a negative facility", "negative"),
    ],
)
def test_slips_that_were_edited_into_a_page_are_noticed(tmp_path, name, slip, rule):
    grams, facility = FACTS.quantities["co2_location_g"], FACTS.quantities["energy_facility_j"]
    small = Quantity.exact(grams.numbers()[0] / 1e3, "g", "").human()
    if name == "json":
        text = repr(grams.value), repr(grams.numbers()[0] / 1e3)
        minus = repr(facility.value), f"-{facility.value!r}"
    else:
        text, minus = (grams.human(), small), (facility.human(), f"-{facility.human()}")
    old, new = text if rule == "carbon-per-kwh" else minus
    claim = claim_of(tmp_path, name, lambda page: page.replace(old, new))
    assert rule in {finding.rule for finding in check(claim)}


def test_metrics_of_ours_add_up_by_run_and_a_negative_sample_is_noticed(tmp_path):
    claim = claim_of(tmp_path, "openmetrics")
    assert claim.numbers["energy_chip_j"] == pytest.approx(FACTS.number("energy_chip_j"))
    wrong = claim_of(
        tmp_path, "openmetrics", lambda text: re.sub(r"(_total\{.*\}) ", r"\1 -", text)
    )
    assert "negative" in {finding.rule for finding in check(wrong)}


@pytest.mark.parametrize("text", ["<!doctype html><p>nothing</p>", "# TYPE x counter\n", "word"])
def test_a_file_without_a_figure_is_refused_and_not_passed(tmp_path, text):
    path = tmp_path / "page.html"
    path.write_text(text)
    answer = CliRunner().invoke(command(), ["lint", str(path)])
    assert isinstance(answer.exception, InputError)


@given(st.floats(1e-3, 1e18), st.sampled_from(["J", "s", "g"]))
def test_every_amount_that_is_printed_is_read_back_within_its_digits(value, unit):
    printed = Quantity.exact(value, unit, "test").human()
    assert amount(printed) == pytest.approx(value, rel=0.02, abs=0.5 if unit == "s" else 1e-9)


def test_counts_are_read_as_they_are_printed():
    for value in (3.5e23, 1.2e12, 6e11, 0.44):
        assert amount(Quantity.exact(value, "1", "test").human()) == pytest.approx(value, rel=0.01)
    assert amount(units.duration(31_000.0)) == pytest.approx(31_000, rel=0.01)
