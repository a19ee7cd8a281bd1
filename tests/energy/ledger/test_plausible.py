"""No reading that a device cannot show is believed, and none that it can show is set aside."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.ledger import accounting
from energy.ledger import reader as ledger
from energy.ledger.curve import Curve
from energy.ledger.lines import FILE
from energy.ledger.plausible import Bound, default_limits
from energy.ledger.power import PowerTrack
from energy.ledger.verify import verify
from energy.ledger.writer import Writer
from energy.meters.files import fact_rows
from tests.support.ledgers import (
    LIMIT_W,
    domain,
    end,
    header,
    polled,
    record_of,
    sample,
    steady,
)

BASE_J = 22_795_000.0
RANGE_J = 262_143.32885
SOCKET = {"kind": "cpu", "tick_s": 0.0, "limit_w": 280.0, "wrap_j": RANGE_J}


def board_of(folder, joules, **fields):
    """The record of a counter that shows these joules, one a second."""
    rows = [sample(second, value) for second, value in enumerate(joules)]
    return record_of(folder, [header([domain(**fields)]), *rows, end(len(joules) - 1)])


def rising(seconds, watts=300.0, start=BASE_J):
    return [start + watts * second for second in range(seconds)]


@pytest.mark.parametrize(
    ("second", "count", "value"),
    [
        (3, 1, lambda _: 200.0),
        (3, 2, lambda _: 200.0),
        (3, 1, lambda true: true - 60e-6 - 300),
        (3, 1, lambda true: true + 90_000),
        (3, 2, lambda true: true + 90_000),
        (3, 1, lambda _: -5.0),
        (3, 1, lambda _: 1e300),
        (1, 1, lambda true: true + 90_000),
        (0, 1, lambda _: 200.0),
        (0, 2, lambda _: 200.0),
        (8, 1, lambda _: 200.0),
        (7, 2, lambda _: 200.0),
        (8, 1, lambda true: true + 5_000),
    ],
)
def test_a_dip_or_a_spike_is_set_aside_with_a_note(tmp_path, second, count, value):
    joules = rising(9)
    for k in range(second, second + count):
        joules[k] = value(joules[k])
    run = board_of(tmp_path, joules)
    at_edge = second == 0 or second + count == 9
    missing = count if at_edge else 0
    read = run.energy[0]
    assert read.value == pytest.approx(300 * (8 - missing))
    assert sum(entry.seconds or 0 for entry in run.energy[1:]) == missing
    (note,) = run.notes
    assert f"{'a reading' if count == 1 else '2 readings'} set aside" in note
    findings = {finding.check: finding.passed for finding in verify(tmp_path / FILE)}
    assert not findings["doubts"]


def test_a_counter_of_a_socket_that_steps_back_a_little_does_not_turn(tmp_path):
    joules = rising(9, 80.0, start=1000.0)
    joules[4] = joules[3] - 61e-6
    run = board_of(tmp_path, joules, **SOCKET)
    assert run.totals["chip"].value == pytest.approx(8 * 80)
    assert "set aside" in run.notes[0]


def test_the_reset_of_a_counter_is_a_gap_with_a_note(tmp_path):
    run = board_of(tmp_path, [*rising(5), *rising(5, start=120.0)])
    read, bridge = run.energy
    assert read.value == pytest.approx(8 * 300)
    assert (bridge.seconds, bridge.value) == (1, pytest.approx(300))
    (note,) = run.notes
    assert "the counter was reset between 4.0 and 5.0 s" in note


def test_a_counter_that_had_counted_little_is_reset_too(tmp_path):
    run = board_of(tmp_path, [0.0, 300.0, 600.0, 5.0, 305.0, 605.0, 905.0])
    assert run.totals["chip"].value == pytest.approx(6 * 300)
    assert "the counter was reset" in run.notes[0]


def test_a_counter_that_jumps_and_goes_on_from_there_is_a_gap_with_a_note(tmp_path):
    run = board_of(tmp_path, [*rising(5), *rising(5, start=BASE_J + 90_000)])
    assert run.totals["chip"].value == pytest.approx(9 * 300)
    assert run.energy[0].value == pytest.approx(8 * 300)
    assert "the counter jumped" in run.notes[0]


@pytest.mark.parametrize("never_zero", [False, True])
def test_a_counter_that_stood_still_and_catches_up_tells_the_time_between(tmp_path, never_zero):
    joules = [*rising(5), *[BASE_J + 1200] * 60, *rising(5, start=BASE_J + 300 * 65)]
    run = board_of(tmp_path, joules, never_zero=never_zero)
    assert run.totals["chip"].value == pytest.approx(69 * 300)
    assert run.totals["chip"].shares == {"measured": 1.0}


def test_a_board_whose_counter_stops_is_missing_from_then_on(tmp_path):
    joules = [*rising(5), *[BASE_J + 1200] * 6]
    read, missing = board_of(tmp_path, joules, never_zero=True).energy
    assert read.value == pytest.approx(4 * 300)
    assert missing.seconds == 6
    assert missing.why == "only readings that cannot be true"


def test_a_counter_that_stood_still_and_goes_on_from_there_tells_nothing_of_that_time(tmp_path):
    joules = [*rising(5), *[BASE_J + 1200] * 6, *rising(5, start=BASE_J + 1500)]
    read, missing = board_of(tmp_path, joules, never_zero=True).energy
    assert read.value == pytest.approx(8 * 300)
    assert (missing.seconds, missing.why) == (7, "the counter stood still")


@pytest.mark.parametrize(
    ("kind", "fields", "joules"),
    [
        *((kind, {}, None) for kind in ("node", "module", "facility", "gpu")),
        ("rail", {}, 0.0),
        ("rail", {"never_zero": True}, None),
    ],
)
def test_zero_watts_count_only_of_a_device_that_may_draw_none(tmp_path, kind, fields, joules):
    """A node that runs a sampler draws power, also where its ledger does not say so."""
    meter = domain("meter", method="power", kind=kind, **fields)
    run = record_of(tmp_path, [header([meter]), *steady(0, 5, watts=0.0), end(5)])
    assert run.totals["chip"].value == joules
    assert any("set aside" in note for note in run.notes) == (joules is None)


def test_the_turn_of_a_counter_is_believed(tmp_path):
    joules = [(RANGE_J - 500 + 200 * second) % RANGE_J for second in range(9)]
    run = board_of(tmp_path, joules, **SOCKET)
    assert run.totals["chip"].value == pytest.approx(8 * 200)
    assert run.notes == []


def test_a_counter_that_may_have_turned_more_than_once_tells_nothing(tmp_path):
    """At 280 W a counter of 262 kJ may turn every 10 min; nobody read it for an hour."""
    hour = [sample(3600 + second, 500.0 + 200 * second) for second in range(5)]
    early = [sample(second, 200.0 * second) for second in range(5)]
    run = record_of(tmp_path, [header([domain(**SOCKET)]), *early, *hour, end(3604)])
    read, missing = run.energy
    assert read.value == pytest.approx(8 * 200)
    assert (missing.seconds, missing.why) == (3596, "the counter may have turned more than once")
    assert "turned more than once" in run.notes[0]


def test_a_spike_up_to_the_limit_is_believed(tmp_path):
    joules = rising(9)
    joules[5:] = [value + LIMIT_W - 300 for value in joules[5:]]
    run = board_of(tmp_path, joules)
    assert run.totals["chip"].value == pytest.approx(8 * 300 + 400)
    assert run.notes == []


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_counter_that_returns_from_a_spike_within_the_limit_was_not_reset(tmp_path, count):
    joules = rising(9)
    joules[4 : 4 + count] = [value + LIMIT_W - 300 for value in joules[4 : 4 + count]]
    run = board_of(tmp_path, joules)
    (read,) = run.energy
    assert read.value == pytest.approx(8 * 300)
    (note,) = run.notes
    assert "set aside" in note


def test_the_reason_of_a_stretch_at_the_end_is_the_reading_that_was_set_aside(tmp_path):
    run = board_of(tmp_path, [*rising(8), 200.0])
    assert run.energy[1].why == "only readings that cannot be true"


@pytest.mark.parametrize("watts", [1e24, -50.0, 1051.0, math.inf])
def test_a_power_that_no_device_draws_is_set_aside(tmp_path, watts):
    rows = steady(0, 5)
    rows[3]["p"]["nvml"][4][1] = watts
    run = record_of(tmp_path, [header([domain(method="power")]), *rows, end(5)])
    assert run.totals["chip"].value == pytest.approx(1500)
    (note,) = run.notes
    assert "a reading set aside" in note


def test_a_platform_that_stands_still_is_refused_and_its_packages_count(tmp_path):
    psys = domain("psys", kind="psys", limit_w=0.0)
    package = domain("package", within="psys", **SOCKET)
    rows = [sample(second, 5000.0, 100.0 * second) for second in range(9)]
    run = record_of(tmp_path, [header([psys, package]), *rows, end(8)])
    assert run.totals["chip"].value == pytest.approx(800)
    refused = next(entry for entry in run.energy if entry.device == "psys")
    assert (refused.value, refused.seconds) == (None, 8)
    assert "refused: it shows 0 J" in refused.source
    assert any(note.startswith("psys: refused") for note in run.notes)


def test_a_node_that_shows_less_than_its_boards_is_refused(tmp_path):
    node = domain("node", method="power", kind="node", boundary="node", limit_w=0.0, meter="ipmi")
    rows = [sample(second, 1e6 + 300.0 * second, None) for second in range(9)]
    for row in rows:
        row["p"] = {"ipmi": [[0, 40.0]]}
    run = record_of(tmp_path, [header([domain(), node]), *rows, end(8)])
    assert run.totals["chip"].value == pytest.approx(2400)
    assert run.totals["node"].value is None


def test_a_node_whose_meter_lags_behind_a_short_run_is_not_refused(tmp_path):
    """Boards of 300 W and 100 W of the rest; the controller still shows idle watts for 2 s."""
    node = domain(
        "node", method="power", kind="node", boundary="node", limit_w=0.0, meter="ipmi", tick_s=1.0
    )
    rows = [sample(second, 1e6 + 300.0 * second, None) for second in range(9)]
    for second, row in enumerate(rows):
        row["p"] = {"ipmi": [[0, 90.0 if second < 2 else 400.0]]}
    run = record_of(tmp_path, [header([domain(), node]), *rows, end(8)])
    # A reading trails by half a second of the controller's period and half of that of the readings.
    assert run.totals["node"].value == pytest.approx(1 * 90 + 7 * 400)
    assert run.notes == []


def test_a_live_reader_believes_an_odd_reading_once_others_confirm_it(tmp_path):
    joules = [*rising(5), *rising(4, start=BASE_J + 90_000)]
    path, seen = tmp_path / FILE, []
    record_of(tmp_path, [header([domain()]), sample(0, joules[0]), sample(1, joules[1])])
    reader = ledger.Reader(path, live=True)
    writer = Writer(path)
    for second, value in enumerate(joules[2:], start=2):
        writer.append(sample(second, value))
        (segment,) = reader.segments()
        snapshot = accounting.snapshot([segment], "run", float(second))
        seen.append(snapshot.energy.value)
        assert snapshot.power_w.value is None or snapshot.power_w.value < LIMIT_W
    # At 5 s the odd reading, at 6 s what confirms it and the bridge over the second before it.
    assert seen == pytest.approx([600, 900, 1200, 1200, 1800, 2100, 2400])


def test_the_default_limits_have_a_row_for_every_kind_of_device():
    assert set(default_limits()) == {row["kind"] for row in fact_rows("meter_limits.csv")}
    assert all(limit_w > 0 for limit_w in default_limits().values())


# Seconds to the next reading and mean watts in between.
STEPS = st.lists(st.tuples(st.floats(0.05, 3.0), st.floats(20.0, LIMIT_W)), min_size=3, max_size=25)


def chain_of(steps, start=1e6):
    """Moments and joules of a counter that goes through these steps."""
    readings = [(0.0, start)]
    for seconds, watts in steps:
        moment, joules = readings[-1]
        readings.append((moment + seconds, joules + seconds * watts))
    return readings


def curve_of(readings):
    curve = Curve(bound=Bound(limit_w=LIMIT_W, tick_s=0.1, limit_known=True))
    for moment, joules in readings:
        curve.add(moment, joules)
    return curve


@settings(deadline=None)
@given(STEPS, st.data())
def test_an_impossible_reading_anywhere_in_a_chain_changes_no_joule(steps, data):
    readings = chain_of(steps)
    place = data.draw(st.integers(1, len(readings) - 1))
    (before_s, before), (after_s, _) = readings[place - 1 : place + 1]
    moment = before_s + (after_s - before_s) * data.draw(st.floats(0.1, 0.9))
    most_j = 1.5 * LIMIT_W * 100.0
    value = data.draw(
        st.one_of(
            st.floats(before + most_j, 1e15),
            st.floats(-1e15, before - most_j),
            st.sampled_from([math.inf, -math.inf, math.nan]),
        )
    )
    clean, odd = (
        curve_of(readings),
        curve_of([*readings[:place], (moment, value), *readings[place:]]),
    )
    moments = [moment for moment, _ in readings]
    assert [odd.at(t) for t in moments] == pytest.approx([clean.at(t) for t in moments])
    assert len(odd.doubted()) == 1
    assert odd.breaks == []


@settings(deadline=None)
@given(STEPS, st.randoms(use_true_random=False))
def test_the_order_in_which_readings_arrive_changes_nothing(steps, random):
    readings = chain_of(steps)
    readings[len(readings) // 2] = (readings[len(readings) // 2][0], 200.0)
    shuffled = readings[:]
    random.shuffle(shuffled)
    clean, late = curve_of(readings), curve_of(shuffled)
    assert list(late.times) == list(clean.times)
    assert late.spent_j() == pytest.approx(clean.spent_j())


@settings(deadline=None)
@given(STEPS)
def test_no_reading_of_a_true_chain_is_set_aside(steps):
    readings = chain_of(steps)
    curve = curve_of(readings)
    assert curve.doubted() == curve.breaks == []
    assert curve.spent_j() == pytest.approx(readings[-1][1] - readings[0][1])


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.01, 3.0), st.floats(0, LIMIT_W)), min_size=2, max_size=20))
def test_a_power_counts_until_the_next_reading_or_as_long_as_it_holds(steps):
    track = PowerTrack(Bound(limit_w=LIMIT_W), hold_s=0.5)
    moment, spent_j = 0.0, 0.0
    for seconds, watts in steps:
        track.add(moment, watts)
        moment += seconds
        spent_j += watts * min(seconds, 0.5)
    track.add(moment, 0.0)
    assert track.at(moment) == pytest.approx(spent_j)
    joules = [track.at(moment * i / 50) for i in range(51)]
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(joules))


def test_readings_of_power_may_miss_between_others(tmp_path):
    rows = [
        polled(second, [(second - 0.9, None), (second - 0.5, 300.0), (second, 300.0)])
        for second in range(1, 6)
    ]
    run = record_of(tmp_path, [header([domain(method="power")]), *rows, end(5)])
    assert run.totals["chip"].value == pytest.approx(4 * 300, rel=0.02)
