"""CO2e hour by hour: the joules of each hour times its intensity, beside that of the year."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from energy.cli import command
from energy.disclosure.facts import facts_of
from energy.disclosure.formats import write
from energy.errors import InputError, MissingDataError
from energy.facts.grid_series import read_series
from energy.facts.site import site
from energy.footprint.apply import at_site, moved
from energy.ledger.hours import hours
from energy.ledger.lines import FILE
from energy.ledger.reader import Reader
from energy.quantity import Boundary
from energy.record import RunRecord
from tests.support.ledgers import domain, end, header, ns, record_of, sample
from tests.support.standin import write_ledger

START = datetime(2026, 3, 1, 10, tzinfo=UTC)


def energy(*words):
    return CliRunner().invoke(command(), [str(word) for word in words])


def rows(watts, *, boot="boot", more=(), begins=START, **fields):
    """A board with a power for each hour, read once a minute, from a moment of the wall clock."""
    board = domain(f"gpu-{boot}")
    yield header([board], m=ns(0), utc=begins.isoformat(), boot=boot, interval_s=60.0, **fields)
    joules = 0.0
    yield sample(0, joules)
    for minute in range(60 * len(watts)):
        joules += 60 * watts[minute // 60]
        yield sample(60 * (minute + 1), joules)
    yield from more
    yield end(3600 * len(watts))


def series(folder, intensities, begins=START, step=timedelta(hours=1), name="grid.csv"):
    lines = [f"{(begins + n * step).isoformat()},{grams}" for n, grams in enumerate(intensities)]
    path = folder / name
    path.write_text("time,g_per_kwh\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture
def run(tmp_path):
    """An hour at 100 W, then one at 300 W: 0.4 kWh."""
    folder = tmp_path / "run"
    record = at_site(record_of(folder, rows([100, 300])), site("FRA", pue=1.2))
    record.save(folder)
    return folder


def figures(folder):
    record = RunRecord.load(folder)
    return {name: q.value for name, q in record.quantities().items() if name.startswith("co2_")}


def test_hours_weigh_by_their_joules_and_stand_beside_the_year_in_the_record(run, tmp_path):
    grid, own = series(tmp_path, [100, 500]), series(tmp_path, [0, 40], name="own.csv")
    before = figures(run)
    answer = energy(
        "hourly", run, "--location-series", grid, "--market-series", own, "--market", 20, "--csv"
    )
    assert answer.exit_code == 0, answer.output
    record, after = RunRecord.load(run), figures(run)
    kwh = record.joules_at(Boundary.FACILITY).numbers()[0] / 3.6e6
    # 0.1 kWh at 100 and 0.3 kWh at 500: 400 g/kWh, not 300, the mean of the hours.
    assert after["co2_location_hourly_g"] == pytest.approx(400 * kwh)
    assert after["co2_market_hourly_g"] == pytest.approx(30 * kwh)
    assert after["co2_market_g"] == pytest.approx(20 * kwh)
    assert after["co2_location_g"] == before["co2_location_g"]
    table = list(csv.DictReader(io.StringIO(answer.stdout)))
    assert [float(row["read_kwh"]) for row in table] == pytest.approx([0.1, 0.3])


def test_every_page_and_form_with_room_has_the_four_figures_each_alone(run, tmp_path):
    grid = series(tmp_path, [100, 500])
    energy("hourly", run, "--location-series", grid, "--market-series", grid, "--market", 20)
    facts = facts_of([RunRecord.load(run)], {})
    page = write("md", facts, "x")
    for title in ("by location: ", "by location, hour", "by market: ", "by market, matched"):
        assert title in page
    known = json.loads(write("json", facts, "x"))["facts"]
    assert known["co2_location_hourly_g"]["value"] == known["co2_market_hourly_g"]["value"]


def test_another_zone_takes_the_hours_of_the_old_one_away_and_another_pue_keeps_them(run, tmp_path):
    energy("hourly", run, "--location-series", series(tmp_path, [100, 500]))
    record = RunRecord.load(run)
    grams = record.co2_location_hourly_g.numbers()[0]
    assert moved(record, None, 1.8).co2_location_hourly_g.value == pytest.approx(1.5 * grams)
    assert moved(record, "SWE", None).co2_location_hourly_g.value is None


@pytest.mark.parametrize(
    ("intensities", "options", "words"),
    [
        ([100], {}, "expected two rows or more"),
        (
            [100, 500],
            {"begins": START + timedelta(hours=1)},
            "to cover the run from 2026-03-01 10:",
        ),
        ([100, 500], {"begins": START - timedelta(hours=1)}, "no hour is filled in"),
        ([100, 500], {"step": timedelta(days=1)}, "steps of an hour or less"),
    ],
)
def test_a_series_that_does_not_fit_is_refused_and_the_record_stays(
    run, tmp_path, intensities, options, words
):
    before = (run / "record.json").read_bytes()
    path = series(tmp_path, intensities, **options)
    answer = CliRunner().invoke(command(), ["hourly", str(run), "--location-series", str(path)])
    assert isinstance(answer.exception, InputError | MissingDataError)
    assert words in str(answer.exception)
    assert (run / "record.json").read_bytes() == before


def test_marginal_intensities_are_no_footprint(run, tmp_path):
    path = tmp_path / "moer.csv"
    path.write_text("point_time,value\n2026-03-01T10:00Z,900\n2026-03-01T11:00Z,900\n")
    answer = energy("hourly", run, "--location-series", path)
    assert "marginal" in str(answer.exception)


def test_a_clock_that_was_set_moves_the_joules_after_it_to_the_right_hours(tmp_path):
    # From the second hour on, the wall clock is two hours ahead of where it was.
    utc = (START + timedelta(hours=3)).isoformat()
    jump = {"k": "clock", "m": ns(3600), "utc": utc, "why": "the wall clock was set", "s": 7200.0}
    record_of(tmp_path, rows([100, 300], more=[jump]))
    path = series(tmp_path, [100, 900, 900, 500])
    own = hours(Reader(tmp_path / FILE).segments(), read_series(path))
    assert own.factor.value == pytest.approx(400)
    assert own.joules / 3.6e6 == pytest.approx([0.1, 0, 0, 0.3])


def test_a_merged_run_weighs_the_devices_of_all_nodes_each_once(tmp_path):
    first, second, grid = tmp_path / "first", tmp_path / "second", series(tmp_path, [100, 500, 900])
    record_of(first, rows([100, 300], host="a")).save(first)
    later = START + timedelta(hours=1)
    record_of(second, rows([100, 300], boot="other", host="b", begins=later, id="2")).save(second)
    out = tmp_path / "all"
    assert energy("merge", first, second, first, "--out", out).exit_code == 0
    assert energy("hourly", out, "--location-series", grid).exit_code == 0
    factor = RunRecord.load(out).factors["grid_location_hourly"].value
    assert factor == pytest.approx((100 * 100 + 400 * 500 + 300 * 900) / 800)


@settings(max_examples=15)
@given(st.lists(st.tuples(st.floats(1, 600), st.floats(2, 1000)), min_size=2, max_size=6))
def test_the_mean_is_that_by_joules_and_lies_between_the_intensities(tmp_path_factory, hourly):
    folder = tmp_path_factory.mktemp("run")
    watts, grams = zip(*hourly, strict=True)
    write_ledger(folder / FILE, rows(watts))
    own = hours(Reader(folder / FILE).segments(), read_series(series(folder, grams)))
    expected = sum(w * g for w, g in hourly) / sum(watts)
    assert own.factor.numbers()[0] == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert sum(own.joules) == pytest.approx(3600 * sum(watts), rel=1e-6)
