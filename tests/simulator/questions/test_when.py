"""When to run: series, starts and pauses, compared with a run simulated minute by minute."""

import json
import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.errors import InputError, MissingDataError
from energy.facts.grid_series import Series, read_series
from energy.units import J_PER_KWH
from simulator.questions.when.answer import when
from simulator.questions.when.curtailment import Curtailment
from simulator.questions.when.starts import Load, best_threshold, long_enough, outcomes, starts

HOUR = 3600.0


def hourly(values):
    edges = np.arange(len(values) + 1) * HOUR
    return Series(edges, np.array(values, dtype=float), "test")


intensities = st.lists(st.floats(0, 1000), min_size=6, max_size=30)
loads = st.builds(
    Load,
    work_s=st.integers(1, 300).map(lambda minutes: minutes * 60.0),
    power_w=st.floats(1, 1e9),
    paused_share=st.floats(0, 1),
    resume_s=st.integers(0, 90).map(lambda minutes: minutes * 60.0),
)


@given(intensities, loads)
def test_a_flat_grid_gives_the_flat_answer_for_every_start(values, load):
    series = hourly([values[0]] * len(values))
    grams = outcomes(series, load, starts(series, HOUR)).co2_g
    ended = grams[np.isfinite(grams)]
    expected = load.power_w * load.work_s / 3.6e6 * values[0]
    assert ended == pytest.approx(np.full(len(ended), expected), rel=1e-9, abs=1e-9)


@given(intensities, st.floats(1, 1e6))
def test_the_energy_of_each_hour_is_weighted_by_its_own_intensity(values, power_w):
    series = hourly(values)
    load = Load(work_s=len(values) * HOUR, power_w=power_w)
    runs = outcomes(series, load, np.array([0.0]))
    assert runs.co2_g[0] == pytest.approx(sum(power_w * HOUR / J_PER_KWH * each for each in values))


def test_pauses_and_resumptions_match_a_case_worked_by_hand():
    # 1 MW for 2 h at 100, then 500 g/kWh: 100 kg + 500 kg. Paused in the dirty hour at 10 % of
    # the watts: 100 + 50 + 200 kg; with half an hour to resume: 100 + 50 + 100 + 100 + 50.
    series = hourly([100, 500, 200, 100])
    load = Load(work_s=2 * HOUR, power_w=1e6, paused_share=0.1)
    start = np.array([0.0])
    assert outcomes(series, load, start).co2_g[0] == pytest.approx(600e3)
    paused = outcomes(series, load, start, threshold=300, delay_s=HOUR)
    assert (paused.co2_g[0], paused.elapsed_s[0]) == pytest.approx((350e3, 3 * HOUR))
    slow = Load(work_s=2 * HOUR, power_w=1e6, paused_share=0.1, resume_s=HOUR / 2)
    paused = outcomes(series, slow, start, threshold=300, delay_s=2 * HOUR)
    assert (paused.co2_g[0], paused.elapsed_s[0]) == pytest.approx((400e3, 3.5 * HOUR))


@settings(max_examples=300)
@given(
    intensities,
    loads,
    st.integers(0, 5),
    st.floats(0, 1000),
    st.integers(0, 600),
    st.sets(st.integers(0, 29), max_size=4),
)
def test_a_run_simulated_minute_by_minute_agrees(values, load, start, threshold, delay, off_hours):
    series, delay_s = hourly(values), delay * 60.0
    off = np.array([hour in off_hours for hour in range(len(values))])
    runs = outcomes(
        series, load, np.array([start * HOUR]), threshold=threshold, delay_s=delay_s, curtailed=off
    )
    simulated = minute_by_minute(values, load, start, threshold, delay_s, off)
    if simulated is None:
        assert math.isnan(runs.co2_g[0])
    else:
        expected = pytest.approx(simulated, rel=1e-6, abs=1e-6 * load.power_w / 3600)
        assert (runs.elapsed_s[0], runs.energy_j[0], runs.co2_g[0]) == expected


def minute_by_minute(values, load, start, threshold, delay_s, off):
    """Elapsed seconds, joules and grams of a simulated run; None when it does not end."""
    dirty = off | (np.array(values) > threshold)
    pausing = delay_s > load.resume_s and any(value > threshold for value in values)

    def resumed_at(stops):
        """For each hour, when the resumption after the last stop before it ends."""
        times, last = [], -math.inf
        for hour, stop in enumerate(stops):
            if hour and stops[hour - 1] and not stop:
                last = hour * HOUR + load.resume_s
            times.append(last)
        return times

    resumed = {True: resumed_at(dirty), False: resumed_at(off)}
    now, done, lost, pending, joules, grams = start * HOUR, 0.0, 0.0, 0.0, 0.0, 0.0
    while done < load.work_s - 1e-6:
        hour = int(now // HOUR)
        if hour >= len(values):
            return None
        stops = dirty if pausing else off
        stopped = bool(stops[hour])
        idle = not stopped and now < resumed[pausing][hour]
        power = load.power_w * (load.paused_share if stopped else 1.0)
        joules += power * 60
        grams += power * 60 / 3.6e6 * values[hour]
        now += 60
        if stopped or idle:
            lost += 60
            if pausing and lost >= delay_s - load.resume_s - 1e-6:
                pausing = False
                if stopped and not off[hour]:
                    pending = load.resume_s
                elif idle:
                    pending = resumed[True][hour] - now
        elif pending > 1e-6:
            pending -= 60
        else:
            done += 60
    return now - start * HOUR, joules, grams


@given(intensities, loads, st.floats(0, 1000), st.integers(0, 600))
def test_pauses_never_cost_more_time_than_allowed(values, load, threshold, delay):
    series, delay_s = hourly(values), delay * 60.0
    runs = outcomes(series, load, starts(series, HOUR), threshold=threshold, delay_s=delay_s)
    elapsed_s = runs.elapsed_s[np.isfinite(runs.elapsed_s)]
    assert np.all(elapsed_s <= load.work_s + delay_s + 1e-6)


@given(intensities, loads, st.integers(0, 600))
def test_the_best_threshold_is_never_worse_than_no_pause(values, load, delay):
    series, begin = hourly(values), np.array([0.0])
    steady = outcomes(series, load, begin)
    if math.isnan(steady.co2_g[0]):
        return
    threshold = best_threshold(series, load, begin, delay * 60.0)
    paused = outcomes(series, load, begin, threshold=threshold, delay_s=delay * 60.0)
    assert paused.co2_g[0] <= steady.co2_g[0] * (1 + 1e-9)


@given(intensities, st.integers(1, 4), st.integers(0, 4))
def test_pausing_never_beats_the_cleanest_hours(values, work, more):
    """A perfect schedule picks the cleanest hours of the window: a bound for any threshold."""
    work, more = min(work, len(values)), min(more, max(0, len(values) - work))
    series, load = hourly(values), Load(work_s=work * HOUR, power_w=3.6e6 / HOUR)
    begin = np.array([0.0])
    threshold = best_threshold(series, load, begin, more * HOUR)
    runs = outcomes(series, load, begin, threshold=threshold, delay_s=more * HOUR)
    perfect = sum(sorted(values[: work + more])[:work])
    assert runs.co2_g[0] >= perfect * (1 - 1e-9) - 1e-9


def test_curtailed_hours_draw_nothing_and_delay_the_run():
    series = Series(np.arange(49) * HOUR, np.full(48, 100.0), "test")
    evenings = Curtailment.of(["17:30-21:00"])
    cut = evenings.cut(series)
    off = evenings.mask(cut)
    assert np.sum(np.diff(cut.edges_s)[off]) == 2 * 3.5 * HOUR
    load = Load(work_s=24 * HOUR, power_w=1e6)
    runs = outcomes(cut, load, np.array([0.0]), curtailed=off)
    assert runs.elapsed_s[0] == pytest.approx(27.5 * HOUR)
    assert runs.energy_j[0] == pytest.approx(24 * HOUR * 1e6)


def test_a_daily_window_over_midnight_is_one_window():
    series = Series(np.arange(25) * HOUR, np.full(24, 100.0), "test")
    off = Curtailment.of(["22:00-02:00"]).mask(series)
    assert np.flatnonzero(off).tolist() == [0, 1, 22, 23]


def test_curtailed_hours_are_those_of_the_zone_that_is_named():
    begin = datetime(2025, 3, 29, tzinfo=UTC).timestamp()  # the last day of winter time
    series = Series(begin + np.arange(49) * HOUR, np.full(48, 100.0), "test")
    texts = [
        "17:00-21:00",
        "2025-03-30T08:00/2025-03-30T09:00",
        "2025-03-30T12:00Z/2025-03-30T13:00Z",
    ]
    off = Curtailment.of(texts, "Europe/Berlin").mask(series)
    assert np.flatnonzero(off).tolist() == [16, 17, 18, 19, 30, 36, 39, 40, 41, 42]
    with pytest.raises(InputError, match="a time zone"):
        Curtailment.of(texts, "Europe/Atlantis")


def test_a_run_longer_than_the_series_is_refused_unless_the_series_may_repeat():
    series = hourly([100, 200, 300])
    with pytest.raises(MissingDataError, match="--repeat"):
        long_enough(series, 4 * HOUR, repeat=False)
    longer = long_enough(series, 4 * HOUR, repeat=True)
    runs = outcomes(longer, Load(work_s=4 * HOUR, power_w=1e6), np.array([0.0, HOUR]))
    assert runs.co2_g == pytest.approx(np.array([700e3, 800e3]))
    assert longer.mean_g_per_kwh == series.mean_g_per_kwh


def year(tmp_path, amplitude=100):
    """A year of hours with a daily wave and a season."""
    lines = ["time,g_per_kwh"]
    for hour in range(8760):
        wave = amplitude * math.cos(2 * math.pi * (hour - 19) / 24)
        season = 50 * math.cos(2 * math.pi * hour / 8760)
        time = datetime.fromtimestamp(1735689600 + 3600 * hour, UTC)
        lines.append(f"{time:%Y-%m-%dT%H:%MZ},{300 + wave + season:.3f}")
    path = tmp_path / "grid.csv"
    path.write_text("\n".join(lines))
    return path


def answer_of(simulator, *arguments):
    code, out, err = simulator("when", *arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_the_verb_compares_every_start_with_the_flat_factor(simulator, tmp_path):
    path = year(tmp_path)
    answer = answer_of(simulator, path, "--days", 20, "--mw", 2, "--plot", "when.svg")
    assert answer["energy_mwh"]["value"] == pytest.approx(960)
    assert answer["flat_co2_g"] / 1e6 == pytest.approx(960e3 * 300 / 1e6, rel=1e-3)
    # The season alone, averaged over 20 days, is worth 50 of 300 g/kWh at most.
    assert -0.167 < answer["best"]["against_flat"] < -0.15
    assert answer["best"]["start"].startswith("2025-06-2")
    assert answer["series"]["swing_over_the_run"] < answer["series"]["swing"]
    assert len(answer["starts"]) == 365
    assert (tmp_path / "when.svg").exists()


def test_pauses_save_a_long_run_little_and_free_pauses_save_more(simulator, tmp_path):
    path = year(tmp_path)
    arguments = (path, "--days", 60, "--mw", 2, "--stretch", 1.2)
    costly = answer_of(simulator, *arguments)
    free = answer_of(simulator, *arguments, "--paused-share", 0, "--resume", 0)
    steady, paused = costly["best"]["co2_g"], free["paused"]["co2_g"]
    assert costly["paused"]["co2_g"] <= steady
    assert paused < costly["paused"]["co2_g"]
    assert paused > 0.85 * steady


def test_the_verb_counts_curtailed_hours_and_their_delay(simulator, tmp_path):
    path = year(tmp_path)
    answer = answer_of(
        simulator,
        path,
        "--days",
        10,
        "--mw",
        2,
        "--stretch",
        1,
        "--curtail",
        "17:00-21:00",
        "--curtail",
        "2025-06-01T00:00/2025-06-01T01:00",
        "--resume",
        0,
    )
    assert answer["curtailed_h"] == 365 * 4 + 1
    assert answer["best"]["elapsed_s"] == pytest.approx(12 * 86400, abs=4 * 3600)
    assert answer["paused"] is None


def test_the_function_takes_a_path_or_a_series_and_a_scenario(tmp_path):
    path = year(tmp_path)
    from_path = when(path, "gpt3-175b", stretch=1, zone="US")
    from_series = when(read_series(path), "gpt3-175b", stretch=1, zone="US")
    assert from_path.flat_g == from_series.flat_g
    assert from_path.zone_g.value == pytest.approx(1287e3 * 429, rel=0.003)
    frame = from_path.to_frame()
    assert len(frame) == 365
    assert frame["co2_g"].min() == from_path.steady.co2_g[from_path.steady.best]


def test_a_published_run_keeps_all_of_its_energy(simulator, tmp_path):
    # arXiv:2104.10350: 1,287 MWh in 14.8 days; at a flat 429 g/kWh 552 t.
    flat = tmp_path / "flat.csv"
    flat.write_text("time,g/kWh\n" + "".join(f"2025-{m:02d}-01,429\n" for m in range(1, 13)))
    answer = answer_of(simulator, flat, "gpt3-175b", "--stretch", 1)
    assert answer["energy_mwh"]["value"] == pytest.approx(1287, rel=0.003)
    assert answer["best"]["co2_g"] / 1e6 == pytest.approx(552, rel=0.003)
    assert answer["best"]["against_flat"] == pytest.approx(0, abs=1e-9)


def test_the_page_says_how_little_shifting_saves(simulator, tmp_path):
    code, out, _ = simulator("when", year(tmp_path), "glam-64b-64e", "--repeat", "--zone", "US")
    assert code == 0
    assert "less than the flat factor" in out
    assert "of this run, it varies by" in out
    assert "marginal" in out
    assert "flat factor of the zone" in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--days", 400, "--mw", 1), 4, "--repeat"),
        (("--days", 3), 4, "--mw"),
        (("--days", 3, "--mw", 1, "--stretch", 0.5), 2, "--stretch"),
        (("--days", 3, "--mw", 1, "--curtail", "late"), 2, "--curtail"),
        (("--days", 3, "--mw", 1, "--curtail", "12:00-12:00"), 2, "--curtail"),
        (("--days", 3, "--mw", 1, "--threshold", 0), 2, "--threshold"),
        (("--days", 3, "--mw", 1, "--every", 0), 2, "between starts"),
        (("--days", 3, "--mw", 1, "--every", 1e-9), 2, "at most 1,000,000 starts"),
        (("--days", "nan", "--mw", 1), 2, "--days"),
        (("--days", 3, "--mw", 1, "--zone", "Atlantis"), 4, "grid zone"),
        ((), 2, "a scenario, or its numbers"),
    ],
)
def test_invalid_usage_is_answered_in_one_line(simulator, tmp_path, arguments, code, message):
    exit_code, out, err = simulator("when", year(tmp_path), *arguments)
    assert (exit_code, out, err.count("\n")) == (code, "", 1)
    assert message in err
    assert simulator("when", tmp_path / "absent.csv", "--days", 3, "--mw", 1)[0] == 2


@pytest.mark.parametrize("option", [("--mw", "1e30"), ("--days", "1e30"), ("--mw", "inf")])
def test_an_amount_that_no_site_has_is_refused(simulator, tmp_path, option):
    series = tmp_path / "grid.csv"
    series.write_text("time,g_per_kwh\n2025-01-01T00:00Z,100\n2025-01-01T01:00Z,200\n")
    usual = {"--days": "1", "--mw": "4"} | dict([option])
    code, _, err = simulator(
        "when", str(series), *(word for pair in usual.items() for word in pair)
    )
    assert code == 2
    assert f"expected {option[0]} above 0, up to 1,000,000" in err
