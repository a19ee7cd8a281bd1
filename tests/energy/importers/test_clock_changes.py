"""Clocks that change in spring and autumn cost no joule and add none, in any log in local time."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from energy.importers.imported import Hints
from energy.importers.kinds import named, runs_of
from energy.importers.ledger_rows import blocks_of
from energy.importers.moments import Clock
from tests.energy.importers.samples import DATA

BERLIN = "Europe/Berlin"
AUTUMN = datetime(2026, 10, 25, 1, tzinfo=UTC)
SPRING = datetime(2026, 3, 29, 1, tzinfo=UTC)
PACE_S, WATTS, HALF_S = 30, 300.0, 5400


def nvidia_smi(walls):
    lines = [f"{wall:%Y/%m/%d %H:%M:%S}.000, 0, {WATTS} W" for wall in walls]
    return ["timestamp, index, power.draw [W]", *lines]


def ipmi(walls):
    return [
        f"    Instantaneous power reading:   {WATTS:.0f} Watts\n"
        f"    IPMI timestamp:                {wall:%a %b %d %H:%M:%S %Y}\n"
        for wall in walls
    ]


def ptd(walls):
    return [
        f"Time,{wall:%m-%d-%Y %H:%M:%S}.000,Watts,{WATTS},Volts,230,Amps,1,PF,1,Mark,all"
        for wall in walls
    ]


def megatron(walls):
    return [
        f"[{wall:%Y-%m-%d %H:%M:%S}] iteration {n}/ 999 | elapsed time per iteration (ms): "
        f"{PACE_S * 1000} | energy per GPU (J/iter/GPU): {PACE_S * WATTS} | x: 1"
        for n, wall in enumerate(walls, 1)
    ]


def carbontracker(walls):
    start = f"{walls[0]:%Y-%m-%d %H:%M:%S} - "
    parts_line = "Components: GPU with device(s) A, B."
    lines = [start + "carbontracker version 2.4.7", start + parts_line]
    for n, wall in enumerate(walls, 1):
        stamp = f"{wall:%Y-%m-%d %H:%M:%S} - "
        lines += [f"{stamp}Epoch {n}:", f"{stamp}Duration: 0:00:{PACE_S}.00"]
        lines.append(f"{stamp}Average power usage (W) for gpu: {WATTS / 2}")
        lines.append(f"{stamp}Average power usage (W) for cpu: 0.0")
    return lines


KINDS = {
    "nvidia-smi": nvidia_smi,
    "ipmi": ipmi,
    "ptd": ptd,
    "megatron": megatron,
    "carbontracker": carbontracker,
}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def moments(change, before_s=HALF_S, after_s=HALF_S):
    return [change + timedelta(seconds=s) for s in range(-before_s, after_s + 1, PACE_S)]


def run_of(kind, times, zone, timezone):
    """What an import reads of a log at these times, as the clocks of a zone show them."""
    walls = [time.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for time in times]
    text = "\n".join(KINDS[kind](walls)) + "\n"
    (run,) = runs_of(named(kind), text, Hints("log", timezone, chips=1))
    return run


def spent(device):
    """Begin, end and joules of a device, whose powers hold for three usual intervals at most."""
    if device.spent:
        whole = blocks_of([device])
        return whole[0][0], whole[-1][1], sum(joules for _, _, joules in device.spent)
    wave = device.powers
    steps = [(later[0] - time_s, watts) for (time_s, watts), later in pairwise(wave)]
    return wave[0][0], wave[-1][0], sum(min(s, 3 * PACE_S) * watts for s, watts in steps)


def said(run):
    return " ".join(run.notes)


@pytest.mark.parametrize("change", [AUTUMN, SPRING], ids=["autumn", "spring"])
def test_with_its_zone_named_a_log_has_its_joules_at_their_times(kind, change):
    times = moments(change)
    run = run_of(kind, times, BERLIN, BERLIN)
    begin_s, end_s, joules = spent(run.devices[0])
    assert end_s == times[-1].timestamp()
    assert begin_s in (times[0].timestamp(), times[0].timestamp() - PACE_S)
    assert joules == pytest.approx(WATTS * (end_s - begin_s))
    assert "back" not in said(run)
    assert "UTC" not in said(run)


@pytest.mark.parametrize("after_s", [HALF_S, 1800])
def test_without_its_zone_the_second_hour_of_autumn_follows_the_first(kind, after_s):
    run = run_of(kind, moments(AUTUMN, after_s=after_s, before_s=1800), BERLIN, None)
    begin_s, end_s, joules = spent(run.devices[0])
    assert end_s - begin_s == pytest.approx(1800 + after_s, abs=PACE_S)
    assert joules == pytest.approx(WATTS * (end_s - begin_s))
    assert "its clock was set back by 1 h" in said(run)
    assert "taken as UTC" in said(run)


def test_without_its_zone_the_hour_that_spring_leaves_out_is_missing_and_said(kind):
    run = run_of(kind, moments(SPRING), BERLIN, None)
    begin_s, end_s, joules = spent(run.devices[0])
    assert end_s - begin_s == pytest.approx(2 * HALF_S + 3600, abs=PACE_S)
    assert joules == pytest.approx(WATTS * 2 * HALF_S, abs=WATTS * 4 * PACE_S)
    assert "from 2026-03-29 01:59:30 to 03:00:00, as in spring" in said(run)


def test_a_zone_that_is_not_that_of_the_log_is_noticed(kind):
    autumn = run_of(kind, moments(AUTUMN - timedelta(hours=-1)), "UTC", BERLIN)
    assert "show an hour twice and the log once" in said(autumn)
    spring = run_of(kind, moments(SPRING + timedelta(hours=1)), "UTC", BERLIN)
    assert "are none in Europe/Berlin" in said(spring)
    begin_s, end_s, joules = spent(spring.devices[0])
    assert joules == pytest.approx(WATTS * (end_s - begin_s)), "no joule is lost"


def test_a_log_that_lies_in_the_hour_that_comes_twice_says_which_is_taken(kind):
    run = run_of(kind, moments(AUTUMN, 3000, -600), BERLIN, BERLIN)
    assert "show its times twice" in said(run)
    both = run_of(kind, moments(AUTUMN, 1200, 1200), BERLIN, BERLIN)
    assert "show its times twice" not in said(both)


def test_the_stamps_of_jobs_and_of_totals_say_so_too():
    table = "JobID|Start|Elapsed|NNodes|ConsumedEnergyRaw\n7|{}|00:10:00|1|60000\n"
    for stamp, words in (
        ("2026-10-25T02:10:00", "show its times twice"),
        ("2026-03-29T02:10:00", "are none in Europe/Berlin"),
        ("2026-05-29T02:10:00", "Slurm"),
    ):
        (run,) = runs_of(named("sacct"), table.format(stamp), Hints("log", BERLIN))
        assert words in said(run)


def test_the_moment_in_the_name_of_a_table_of_perun_may_be_none():
    text = next(DATA.glob("perun_*")).read_text()
    for stamp, words in (
        ("2026-10-25T02:10:00", "show its times twice"),
        ("2026-99-25T02:10:00", "cannot be read"),
    ):
        (run,) = runs_of(named("perun"), text, Hints(f"perun_{stamp}.csv", BERLIN))
        assert words in said(run)


def test_a_clock_that_a_hand_set_back_takes_no_window_of_zeus_into_another():
    """Windows of a clock that runs on in UTC lie in each other, or are apart."""
    lines = ["start_time,window_name,elapsed_time,gpu0_energy"]
    lines += [f"{1.79e9 + 60 * n},step,60.0,18000.0" for n in range(40)]
    lines += [f"{1.79e9 + 60 * n - 1200},step,60.0,18001.0" for n in range(40, 80)]
    (run,) = runs_of(named("zeus"), "\n".join(lines), Hints("log"))
    begin_s, end_s, joules = spent(run.devices[0])
    assert joules == pytest.approx(40 * 18000 + 40 * 18001)
    assert end_s - begin_s == pytest.approx(80 * 60)
    assert "set back by 20 min" in said(run)


def test_a_counter_of_dcgm_goes_on_where_its_clock_was_set_back():
    line = 'DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{gpu="0",UUID="GPU-a"}} {} {}\n'
    samples = [
        line.format(5_000_000 + 300_000 * n, round(1.79e12 + 1000 * n - (20_000 if n > 60 else 0)))
        for n in range(120)
    ]
    (run,) = runs_of(named("dcgm"), "".join(samples), Hints("log"))
    counts = run.devices[0].counts
    assert [joules for _, joules in counts] == sorted(joules for _, joules in counts)
    assert counts[-1][0] - counts[0][0] == pytest.approx(119)


def test_a_damaged_stamp_does_not_move_the_lines_after_it_by_an_hour():
    clock = Clock(BERLIN)
    stamps = ["2026-10-25 02:10:00", "2027-10-25 02:10:01", "2026-10-25 02:10:02"]
    first, _, last = map(clock.seconds, stamps)
    assert last - first == 2
