"""Grid series as Electricity Maps, WattTime, Great Britain, the EIA and ENTSO-E hand them out."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from energy.errors import InputError
from energy.facts.grid_series import read_series
from simulator.questions.when.answer import when
from simulator.questions.when.page import notes

MAPS = """\
Datetime (UTC),Country,Zone name,Zone id,Carbon intensity gCO₂eq/kWh (direct),\
Carbon intensity gCO₂eq/kWh (Life cycle),Data source
2024-01-01 00:00:00,Germany,Germany,DE,120.5,160.2,entsoe.eu
2024-01-01 01:00:00,Germany,Germany,DE,118.0,158.7,entsoe.eu
"""

BRITAIN = """\
from,to,forecast,actual,index
2020-05-24T20:30Z,2020-05-24T21:00Z,146,,low
2020-05-24T21:00Z,2020-05-24T21:30Z,148,,low
"""

EIA = """\
timestamp,      WND, SUN, WAT, OIL,   NG,  COL,  NUC, OTH, avg_CI
2022-01-01T00:00:00+00:00, 1251,   0, 3209,   0, 15117, 2365, 4992, 337, 367.450
2022-01-01T01:00:00+00:00, 1270,   0, 3022,   0, 15035, 2013, 4993, 311, 363.434
"""


def read(folder, text, name="grid.csv", **options):
    (folder / name).write_text(text)
    return read_series(folder / name, **options)


def test_of_two_factors_of_electricity_maps_one_must_be_named(tmp_path):
    with pytest.raises(InputError, match="--column"):
        read(tmp_path, MAPS)
    assert read(tmp_path, MAPS, column="life cycle").g_per_kwh.tolist() == [160.2, 158.7]
    assert read(tmp_path, MAPS, column="direct").g_per_kwh.tolist() == [120.5, 118.0]


def test_a_forecast_of_great_britain_is_read_and_never_mixed_with_what_was(tmp_path):
    """Carbon Intensity API, fields as in emoncms/demandshaper."""
    assert read(tmp_path, BRITAIN).g_per_kwh.tolist() == [146, 148]
    assert read(tmp_path, BRITAIN.replace(",,", ",99,")).g_per_kwh.tolist() == [99, 99]
    with pytest.raises(InputError, match="--column forecast"):
        read(tmp_path, BRITAIN.replace("148,,", "148,99,"))


def test_a_table_derived_from_the_eia_is_read(tmp_path):
    """HewlettPackard/sustain-lc."""
    assert read(tmp_path, EIA).g_per_kwh.tolist() == [367.45, 363.434]


def test_pounds_of_watttime_are_marginal_grams_and_no_footprint(tmp_path):
    """870 lb/MWh x 453.59237 g/lb / 1,000 kWh = 394.6 g/kWh."""
    hours = [datetime(2023, 7, 15, tzinfo=UTC) + timedelta(hours=h) for h in range(48)]
    answer = {
        "data": [{"point_time": h.isoformat(), "value": 870} for h in hours],
        "meta": {"region": "CAISO_NORTH", "signal_type": "co2_moer", "units": "lbs_co2_per_mwh"},
    }
    series = read(tmp_path, json.dumps(answer), "moer.json")
    assert series.signal == "marginal"
    assert series.g_per_kwh[0] == pytest.approx(394.625, abs=1e-3)
    text = " ".join(notes(when(series, days=0.5, mw=1)))
    assert "no footprint" in text
    health = json.dumps({**answer, "meta": {"signal_type": "health_damage"}})
    with pytest.raises(InputError, match="health_damage"):
        read(tmp_path, health, "moer.json")


def test_answers_of_electricity_maps_and_of_great_britain_in_json(tmp_path):
    maps = {
        "zone": "DE",
        "history": [
            {"datetime": f"2026-05-01T0{h}:00:00.000Z", "carbonIntensity": 300 + h} for h in (0, 1)
        ],
    }
    assert read(tmp_path, json.dumps(maps), "a.json").g_per_kwh.tolist() == [300, 301]
    britain = {
        "data": [
            {"from": f"2018-01-20T12:{m}Z", "intensity": {"forecast": 266, "actual": 263}}
            for m in ("00", "30")
        ]
    }
    assert read(tmp_path, json.dumps(britain), "b.json").g_per_kwh.tolist() == [263, 263]


def entsoe(*series):
    body = "".join(
        f"<TimeSeries><curveType>{curve}</curveType><MktPSRType><psrType>{source}</psrType>"
        "</MktPSRType><Period><timeInterval><start>2026-01-01T00:00Z</start>"
        "<end>2026-01-01T04:00Z</end></timeInterval><resolution>PT60M</resolution>"
        + "".join(
            f"<Point><position>{p}</position><quantity>{q}</quantity></Point>" for p, q in points
        )
        + "</Period></TimeSeries>"
        for curve, source, points in series
    )
    return (
        '<?xml version="1.0"?><GL_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-6:'
        f'generationloaddocument:3:0"><type>A75</type>{body}</GL_MarketDocument>'
    )


def test_a_curve_of_type_a03_is_filled_forward(tmp_path):
    """Wind 26 and coal 995 g/kWh; 100 and 100 MW: 510.5; 300 and 100 MW: 268.25."""
    pytest.importorskip("codecarbon", reason="brings the factors of sources")
    wind, coal = ("A03", "B19", [(1, 100), (3, 300)]), ("A03", "B05", [(1, 100)])
    series = read(tmp_path, entsoe(wind, coal), "entsoe.xml")
    assert series.g_per_kwh.tolist() == pytest.approx([510.5, 510.5, 268.25, 268.25])
    gap = ("A01", "B19", [(1, 100), (3, 300)])
    with pytest.raises(InputError, match="no point 2"):
        read(tmp_path, entsoe(gap, coal), "entsoe.xml")
    others = ("A01", "B20", [(p, 900) for p in (1, 2, 3, 4)])
    with pytest.raises(InputError, match="from others"):
        read(tmp_path, entsoe(others, coal), "entsoe.xml")


def berlin_year(first, hours):
    """Stamps as a clock in Berlin shows them, without an offset."""
    zone, lines = ZoneInfo("Europe/Berlin"), ["time,g_per_kwh"]
    for hour in range(hours):
        local = (first + timedelta(hours=hour)).astimezone(zone)
        lines.append(f"{local:%Y-%m-%dT%H:%M},{hour % 500}")
    return "\n".join(lines)


def test_a_year_in_berlin_has_no_gap_and_a_summer_is_not_utc(tmp_path):
    begin = datetime(2024, 12, 31, 23, tzinfo=UTC)
    series = read(tmp_path, berlin_year(begin, 8760), timezone="Europe/Berlin")
    assert series.edges_s[0] == begin.timestamp()
    assert series.span_s == 8760 * 3600
    assert series.g_per_kwh.tolist() == [h % 500 for h in range(8760)]
    summer = datetime(2025, 7, 1, tzinfo=UTC)
    july = read(tmp_path, berlin_year(summer, 48), timezone="Europe/Berlin")
    assert july.edges_s[0] == summer.timestamp()
    with pytest.raises(InputError, match="--timezone"):
        read(tmp_path, berlin_year(begin, 8760))
    with pytest.raises(InputError, match="Europe/Berlin"):
        read(tmp_path, MAPS, column="direct", timezone="Europe/Atlantis")


def test_an_autumn_in_berlin_may_run_backwards_and_a_spring_in_utc_is_not_of_berlin(tmp_path):
    begin = datetime(2025, 10, 25, 12, tzinfo=UTC)
    head, *lines = berlin_year(begin, 24).splitlines()
    backwards = "\n".join([head, *reversed(lines)])
    series = read(tmp_path, backwards, timezone="Europe/Berlin")
    assert series.edges_s[0] == begin.timestamp()
    assert series.g_per_kwh.tolist() == list(range(24))
    lines = [f"2025-03-30T{h:02}:00,300" for h in range(6)]
    with pytest.raises(InputError, match=r"Europe/Berlin in .* line 4; got 2025-03-30T02:00"):
        read(tmp_path, "\n".join(["time,g_per_kwh", *lines]), timezone="Europe/Berlin")


def test_a_file_that_runs_backwards_is_turned_round(tmp_path):
    lines = [f"2024-03-02T{h:02}:00:00Z,{200 + h}" for h in range(23, -1, -1)]
    series = read(tmp_path, "\n".join(["time,g_per_kwh", *lines]))
    assert series.g_per_kwh.tolist() == [200 + h for h in range(24)]
