"""Price books: what someone pays, in a file of their own."""

import tomllib

import pytest

from energy.errors import InputError
from energy.facts.price_book import TEMPLATE
from energy.facts.prices import price, price_of, priced
from simulator.questions.plan.question import question
from simulator.runs.predict import predict
from simulator.scenarios.scenario import load
from simulator.scenarios.writer import write


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "book.toml"
    path.write_text(TEMPLATE)
    return path


def test_the_template_is_a_valid_book_with_rented_and_owned_chips_and_electricity(book):
    rented, owned, electricity = priced(str(book))
    assert rented.chip == "h100-sxm5-80gb"
    assert rented.price.numbers() == (2.35, 2.20, 2.60)
    # 45,000 dollars over four years of 8,766 hours at 0.85, and 0.40 an hour.
    assert owned.price.value == pytest.approx(45_000 / (4 * 8_766 * 0.85) + 0.40, rel=1e-12)
    assert (owned.chip, owned.term) == ("b200-sxm-180gb", "owned")
    assert (electricity.kind, electricity.price.value) == ("electricity", 0.09)


def test_another_currency_is_converted_at_its_rate_and_says_so(book):
    book.write_text(
        TEMPLATE.replace('currency = "USD"', 'currency = "EUR"').replace("# usd_per", "usd_per")
    )
    row = price(f"{book}:h100", "USD/h")
    assert row.price.numbers() == pytest.approx((2.35 * 1.08, 2.20 * 1.08, 2.60 * 1.08))
    assert "at 1.08 USD a EUR" in row.price.source
    assert row.currency == "EUR"


def test_a_book_prices_each_chip_with_its_own_row(book):
    assert price_of("h100-sxm5-80gb", priced(str(book)), str(book)).id == f"{book}:h100"
    assert price(str(book), "USD/kWh").price.value == 0.09
    with pytest.raises(InputError, match="expected a price of the chip tpu-v4"):
        price_of("tpu-v4", priced(str(book)), str(book))
    with pytest.raises(InputError, match=r"one of: .*h100, .*own-b200"):
        price(str(book), "USD/h")
    with pytest.raises(InputError, match="did you mean"):
        price(f"{book}:h1000")


def test_a_run_costs_its_chip_hours_at_the_price_of_the_book_also_when_saved(book, tmp_path):
    scenario = load(
        "glam-64b-64e",
        {"hardware.chip": "h100", "site.chip_price": str(book), "hardware.framework": None},
    )
    record = predict(scenario).record
    hours = record.elapsed_s.value / 3600 * scenario.hardware.count
    assert record.cost_usd.value == pytest.approx(2.35 * hours)
    write(scenario, tmp_path / "saved.toml")
    assert predict(load(str(tmp_path / "saved.toml"))).record.cost_usd.value == pytest.approx(
        record.cost_usd.value
    )


def test_a_plan_takes_the_price_of_its_chip_from_a_book(book):
    answer = question("mixtral-8x7b", chip="b200", chips=64, tokens=1e12, batch=64, price=str(book))
    assert answer.scenario.site.chip_price.value == pytest.approx(1.909839, rel=1e-5)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('currency = "USD"', 'curency = "USD"', "did you mean currency"),
        ('date = "2026-11"', "", "expected date"),
        ('currency = "USD"', 'currency = "EUR"', "usd_per_unit"),
        ('currency = "USD"', 'currency = "USD"\nusd_per_unit = 2', "usd_per_unit"),
        ("[chips.h100]", "[chips.h1000]", "h100"),
        ('term = "owned"', 'term = "leased"', "one of: on demand"),
        ("per_h = {", "per_hour = {", "per_h"),
        ("low = 2.20", "low = 2.40", "low <= value <= high"),
        ("low = 2.20", "low = nan", "per_h"),
        ("lifetime_years = 4", "lifetime_years = 0", "lifetime_years"),
        ("utilization = 0.85", "utilization = 85", "utilization"),
        ("purchase = 45000", "purchase = -1", "purchase"),
        ("per_kwh = 0.09", "per_kwh = true", "per_kwh"),
        ("[electricity.contract]", "[electricity]", "electricity.per_kwh"),
    ],
)
def test_what_is_wrong_in_a_book_is_named(book, old, new, named):
    assert old in TEMPLATE
    book.write_text(TEMPLATE.replace(old, new, 1))
    tomllib.loads(book.read_text())
    with pytest.raises(InputError) as error:
        priced(str(book))
    assert named in str(error.value)


def test_a_book_without_prices_and_one_that_is_not_there_say_how_to_write_one(book, tmp_path):
    book.write_text(TEMPLATE[: TEMPLATE.index("[chips.h100]")])
    for path in (book, tmp_path / "none.toml"):
        with pytest.raises(InputError, match="simulator prices init"):
            priced(str(path))
