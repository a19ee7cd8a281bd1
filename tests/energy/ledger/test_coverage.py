"""Joules are measured only where readings reach; the rest of the time is bridged or missing."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.ledger import accounting
from energy.ledger import reader as ledger
from energy.ledger.lines import FILE
from energy.ledger.verify import verify
from tests.support.ledgers import (
    domain,
    end,
    header,
    ns,
    old_domain,
    polled,
    record_of,
    sample,
    seconds_of,
    steady,
    window,
)

WATTS = 300.0


def counted(start, stop, watts=WATTS):
    """Samples of a counter once a second."""
    return [sample(second, 1e6 + watts * second) for second in range(start, stop + 1)]


def failing(start, stop):
    """Samples in which the board did not answer."""
    return [sample(second, None) for second in range(start, stop + 1)]


def windows_of(run):
    return {window.name: window.energy_j for window in run.windows}


def test_windows_after_a_board_is_lost_are_missing_and_never_0(tmp_path):
    rows = [*counted(0, 4), *failing(5, 19)]
    windows = [window("before", 1, 3), window("across", 3, 6), window("after", 6, 8)]
    run = record_of(tmp_path, [header([domain()]), *rows, *windows, end(19)])
    joules = windows_of(run)
    assert joules["before"].value == pytest.approx(600)
    assert joules["across"].value == pytest.approx(300)
    assert "2.00 s without readings: readings failed" in joules["across"].missing[0].reason
    assert joules["after"].value is None
    read, missing = run.energy
    assert (read.value, read.covered) == pytest.approx((1200, 4 / 19))
    assert (missing.value, missing.seconds, missing.begin_s, missing.end_s) == (None, 15, 4, 19)
    assert missing.why == "readings failed"
    assert run.totals["chip"].missing[0].device == "gpu-0"


def test_the_time_before_a_late_first_answer_is_missing(tmp_path):
    run = record_of(tmp_path, [header([domain()]), *failing(0, 1), *counted(2, 10), end(10)])
    read, missing = sorted(run.energy, key=lambda entry: entry.origin)
    assert read.value == pytest.approx(8 * WATTS)
    assert (missing.begin_s, missing.end_s, missing.seconds) == (0, 2, 2)


def test_a_counter_tells_the_time_without_a_sampler_and_its_power_does_not(tmp_path):
    restart = header([domain()], continues=True, m=ns(20))
    run = record_of(
        tmp_path / "counter",
        [header([domain()]), *counted(0, 5), restart, *counted(20, 25), end(25)],
    )
    (read,) = run.energy
    assert (read.value, read.covered) == (pytest.approx(25 * WATTS), 1.0)
    powered = header([domain(method="power")])
    run = record_of(
        tmp_path / "power",
        [
            powered,
            *steady(0, 5),
            {**powered, "continues": True, "m": ns(20)},
            {"k": "lost_sampler", "m": ns(20), "why": "killed"},
            *steady(20, 25),
            window("a", 2, 4),
            window("b", 10, 12),
            end(25),
        ],
    )
    read, missing = run.energy
    assert read.value == pytest.approx(10.5 * WATTS)
    assert missing.seconds == pytest.approx(14.5)
    assert missing.why == "the sampler was killed and started again"
    assert windows_of(run)["a"].value == pytest.approx(2 * WATTS)
    assert windows_of(run)["b"].value is None
    assert "segment 1: the sampler was killed and started again" in run.notes


def test_a_sum_of_the_sampler_in_version_1_does_not_reach_across_its_death(tmp_path):
    """Version 1: the sampler added powers up in memory, and began at 0 after each start."""
    first = header([old_domain(method="power")], v=1, m=ns(0))
    rows = [
        first,
        *(sample(second, 300.0 * second) for second in (0, 1)),
        {**first, "continues": True, "m": ns(7.3)},
        sample(7.4, 0.02),
        window("a", 0.2, 2.2),
        window("b", 5, 7),
        sample(8.4, 300.02),
        end(8.4),
    ]
    run = record_of(tmp_path, rows)
    read, missing = run.energy
    assert read.value == pytest.approx(600)
    assert (missing.seconds, missing.value) == (pytest.approx(6.4), None)
    assert windows_of(run)["b"].value is None
    findings = {finding.check: finding for finding in verify(tmp_path / FILE)}
    assert not findings["coverage"].passed
    assert "do not reach across" in findings["gaps"].message


def test_a_short_gap_between_readings_is_bridged_with_a_band_up_to_the_limit(tmp_path):
    rows = [*steady(0, 5, 200.0), *steady(8, 12, 400.0)]
    run = record_of(tmp_path, [header([domain(method="power")]), *rows, end(12)])
    read, bridge = run.energy
    assert read.value == pytest.approx(5.5 * 200 + 4 * 400)
    assert (bridge.origin, bridge.api, bridge.seconds) == ("modelled", "bridge", pytest.approx(2.5))
    assert bridge.value == pytest.approx(2.5 * 300)
    assert (bridge.low, bridge.high) == (0, pytest.approx(2.5 * 700))
    assert run.totals["chip"].shares["modelled"] > 0


def test_a_board_that_a_restarted_sampler_leaves_out_is_missing_from_then_on(tmp_path):
    hung = domain(reason="a call of its driver did not return")
    rows = [
        header([domain()]),
        *counted(0, 5),
        {"k": "hung", "m": ns(12), "meter": "nvml", "s": 7.0},
        header([hung], continues=True, m=ns(12)),
        *failing(12, 20),
        end(20),
    ]
    run = record_of(tmp_path, rows)
    read, missing = run.energy
    assert (read.origin, read.value) == ("measured", pytest.approx(1500))
    assert missing.seconds == 15
    assert "did not return" in missing.why


def test_each_gap_has_the_reason_of_its_own_time(tmp_path):
    refused = header([domain(reason="no permission")], m=ns(0))
    granted = header([domain()], continues=True, m=ns(5))
    rows = [refused, *failing(0, 4), granted, *counted(5, 10), *failing(11, 20), end(20)]
    run = record_of(tmp_path, rows)
    read, *missing = run.energy
    assert read.value == pytest.approx(5 * WATTS)
    assert [(gap.begin_s, gap.end_s, gap.why) for gap in missing] == [
        (0, 5, "no permission"),
        (10, 20, "readings failed"),
    ]


@pytest.mark.parametrize("first", ["counter", "power"])
def test_a_board_that_is_read_otherwise_after_a_restart_is_read_on_both_sides(tmp_path, first):
    """The sampler trusts the counter of a board in one of its lives, and its power in the other."""
    counter, power = header([domain(low=0.8)]), header([domain(method="power", low=0.9)])
    before, after = (counter, power) if first == "counter" else (power, counter)
    lives = {
        "counter": counted,
        "power": steady,
    }
    other = "power" if first == "counter" else "counter"
    rows = [
        before,
        *lives[first](0, 5),
        {**after, "continues": True, "m": ns(14.9)},
        *lives[other](15, 20),
        window("before", 1, 3),
        window("between", 8, 12),
        window("after", 16, 18),
        end(20),
    ]
    run = record_of(tmp_path, rows)
    joules = windows_of(run)
    assert joules["before"].value == pytest.approx(2 * WATTS)
    assert joules["after"].value == pytest.approx(2 * WATTS)
    assert joules["between"].value is None
    read, missing = run.energy
    assert read.value == pytest.approx(10 * WATTS)
    assert missing.seconds == pytest.approx(10)
    assert read.low < 0.8 * read.value * (1 + 1e-9)
    assert run.notes == []


def test_a_window_without_any_sample_keeps_its_time_and_is_missing(tmp_path):
    late = window("late", 8.0, 8.7)
    run = record_of(tmp_path, [header([domain()]), *counted(0, 5), late])
    (late,) = run.windows
    assert late.elapsed_s.value == pytest.approx(0.7)
    assert late.energy_j.value is None
    assert run.elapsed_s.value == pytest.approx(8.7)


def test_phases_name_what_they_miss(tmp_path):
    rows = [*counted(0, 10), *failing(11, 20), window("step", 5, 15), end(20)]
    run = record_of(tmp_path, [header([domain()]), *rows])
    phases = {phase.name: phase.energy_j for phase in run.phases}
    assert phases["compute"].value == pytest.approx(5 * WATTS)
    assert phases["idle"].value == pytest.approx(5 * WATTS)
    assert [gap.device for gap in phases["idle"].missing] == ["gpu-0"]


def test_very_many_gaps_for_one_reason_are_one_entry(tmp_path):
    rows = [row for start in range(0, 600, 20) for row in steady(start, start + 1)]
    run = record_of(tmp_path, [header([domain(method="power")]), *rows, end(581)])
    read, missing = run.energy
    assert missing.seconds == pytest.approx(29 * 18.5)
    assert (missing.begin_s, missing.end_s) == (pytest.approx(1.5), 580)
    assert read.value == pytest.approx(WATTS * (29 * 1.5 + 1))


def test_a_live_snapshot_counts_what_was_read_only(tmp_path):
    path = tmp_path / FILE
    record_of(tmp_path, [header([domain()]), *counted(0, 5), *failing(6, 12)])
    (segment,) = ledger.Reader(path, live=True).segments()
    live = accounting.snapshot([segment], "run", 12.0)
    assert live.energy.value == pytest.approx(5 * WATTS)
    assert live.energy.missing
    assert live.power_w.value is None


# A board answers, or fails, for some seconds at a time, by counter or by power.
STRETCHES = st.lists(st.tuples(st.booleans(), st.integers(1, 12)), min_size=1, max_size=6)


def rows_of(stretches, method):
    """Samples of 300 W once a second with stretches in which the board does not answer."""
    rows, second = [header([domain(method=method)])], 0
    for answers, seconds in stretches:
        for _ in range(seconds):
            if method == "counter":
                rows.append(sample(second, 1e6 + WATTS * second if answers else None))
            else:
                polls = [(second + i / 10, WATTS if answers else None) for i in range(-9, 1)]
                rows.append(polled(second, polls[9:] if second == 0 else polls))
            second += 1
    return rows, second - 1


@settings(deadline=None, max_examples=60)
@given(STRETCHES, st.sampled_from(["counter", "power"]))
def test_read_bridged_and_missing_seconds_add_up_to_the_run(tmp_path_factory, stretches, method):
    rows, stop = rows_of(stretches, method)
    run = record_of(tmp_path_factory.mktemp("run"), [*rows, end(stop)])
    seconds = seconds_of(run.energy, run.elapsed_s.value)
    assert sum(seconds.values()) == pytest.approx(stop, abs=1e-6)
    read_j = sum(e.value for e in run.energy if e.origin == "measured")
    assert read_j == pytest.approx(WATTS * seconds["read"], rel=1e-6)


@settings(deadline=None, max_examples=60)
@given(
    STRETCHES,
    st.sampled_from(["counter", "power"]),
    st.lists(st.floats(0, 1), min_size=1, max_size=8),
)
def test_joules_of_contiguous_windows_add_up_to_the_run(
    tmp_path_factory, stretches, method, shares
):
    rows, stop = rows_of(stretches, method)
    edges = sorted({0.0, float(stop), *(round(share * stop, 3) for share in shares)})
    windows = [window(f"w{i}", *pair) for i, pair in enumerate(pairwise(edges))]
    run = record_of(tmp_path_factory.mktemp("run"), [*rows, *windows, end(stop)])
    spent = sum(part.energy_j.value or 0.0 for part in run.windows)
    assert spent == pytest.approx(run.totals["chip"].value or 0.0, rel=1e-9, abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(STRETCHES, st.sampled_from(["counter", "power"]))
def test_no_window_without_readings_claims_measured_joules(tmp_path_factory, stretches, method):
    rows, stop = rows_of(stretches, method)
    windows, second = [], 0
    for answers, seconds in stretches:
        if not answers and seconds > 7:
            windows.append(window(f"w{second}", second + 1, second + seconds - 1))
        second += seconds
    run = record_of(tmp_path_factory.mktemp("run"), [*rows, *windows, end(stop)])
    good = [second for second, row in enumerate(rows[1:]) if answered(row)] or [stop]
    for part in run.windows:
        # A counter that answers again tells what was spent meanwhile.
        between = method == "counter" and good[0] <= part.begin_s and part.end_s <= good[-1]
        assert (part.energy_j.value or 0) > 0 if between else part.energy_j.value is None


def answered(row):
    return any(j is not None for j in row["j"]) or any(
        power is not None for poll in row.get("p", {}).get("nvml", []) for power in poll[1:]
    )
