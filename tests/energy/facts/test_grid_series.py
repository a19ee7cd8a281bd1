"""A grid series is read from a CSV file, and a line that is wrong is named."""

from datetime import UTC, datetime

import pytest

from energy.errors import InputError
from energy.facts.grid_series import read_series


def written(tmp_path, text):
    path = tmp_path / "grid.csv"
    path.write_text(text)
    return path


def test_hours_days_and_months_are_read_in_grams_and_in_kilograms(tmp_path):
    hours = read_series(
        written(
            tmp_path,
            "time,zone,kgco2e_per_kwh\n2025-01-01T00:00Z,FR,0.05\n2025-01-01T01:00Z,FR,0.07\n\n",
        )
    )
    assert hours.g_per_kwh.tolist() == [50, 70]
    assert (hours.edges_s[0], hours.span_s) == (datetime(2025, 1, 1, tzinfo=UTC).timestamp(), 7200)
    for offset in ("", "Z"):
        text = "".join(f"2025-{m:02d}-01T00:00{offset},{m}\n" for m in range(1, 13))
        months = read_series(written(tmp_path, "time,g/kWh\n" + text))
        assert months.span_s == 365 * 86400
        # Weighted by the days of the months.
        days = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        mean = sum(m * d for m, d in enumerate(days, start=1)) / 365
        assert months.mean_g_per_kwh == pytest.approx(mean)
    local = read_series(
        written(tmp_path, "time,g_per_kwh\n2025-01-01T00:00+01:00,9\n2025-01-01T01:00+01:00,9")
    )
    assert local.edges_s[0] == datetime(2024, 12, 31, 23, tzinfo=UTC).timestamp()


HEAD = "time,g_per_kwh\n2025-01-01T00:00Z,100\n2025-01-01T01:00Z,100\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1"),
        ("time,intensity\n", "line 1"),
        ("time,g_per_kwh,kgco2e_per_kwh\n", "one intensity"),
        ("time,g_per_kwh\n2025-01-01T00:00Z,100\n", "two rows or more"),
        (HEAD + "tomorrow,100\n", "2025-01-31T13:00Z in grid.csv line 4"),
        (HEAD + "2025-01-01T02:00Z,\n", "line 4; got nothing"),
        (HEAD + "2025-01-01T02:00Z,nan\n", "line 4"),
        (HEAD + "2025-01-01T02:00Z,-1\n", "line 4"),
        (HEAD + "2025-01-01T02:00Z,5000\n", "have the right unit"),
        (HEAD + "2025-01-01T02:00Z\n", "line 4"),
        (HEAD + "2025-01-01T03:00Z,100\n", "every row 1 h after the one before"),
        (HEAD + "2025-01-01T01:00Z,100\n", "ascend in grid.csv line 4"),
        (HEAD + "2025-01-01T02:00,100\n", "all with or all without an offset"),
        (HEAD.replace(",100", ",0.4"), "at most 0.4: kilograms under a heading of grams"),
        ("time,g_per_kwh\n2025-01-01,1\n2026-01-01,1\n2027-01-01,1\n", "line 3"),
    ],
)
def test_an_invalid_row_is_an_error_that_names_its_line(tmp_path, text, message):
    with pytest.raises(InputError) as error:
        read_series(written(tmp_path, text))
    assert message in str(error.value)


def test_contracts_may_be_free_of_carbon_throughout(tmp_path):
    assert read_series(written(tmp_path, HEAD.replace(",100", ",0"))).mean_g_per_kwh == 0
