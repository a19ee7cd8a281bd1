"""What a training loop sees: windows that add up, marks, notes instead of exceptions."""

import threading
import time
from itertools import pairwise

import pytest

from energy import Tracker
from energy.errors import InputError
from energy.ledger import reader as ledger
from energy.ledger.curve import Curve
from energy.ledger.lines import rows as rows_of
from energy.ledger.segment import Segment
from energy.ledger.verify import verify
from energy.quantity import Boundary, Origin
from energy.tracking import overhead


def work(seconds):
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        pass


def test_a_tracker_that_was_never_opened_has_spent_no_time(tmp_path):
    snapshot = Tracker(tmp_path / "run").snapshot()
    assert snapshot.elapsed_s == 0
    assert snapshot.energy.value is None


def test_contiguous_windows_add_up_to_the_window_around_them():
    """Neighboring windows share their edges, so their joules add up to within rounding."""
    times = [index * 0.01 for index in range(101)]
    segment = Segment.from_header({"domains": [{"id": "cpu", "wrap_j": 0}]})
    for t in times:
        segment.add_sample({"m": t * 1e9, "j": [t**2 * 7]})
    edges = [0.003 + index * 0.00099 for index in range(1001)]
    steps = [segment.between("cpu", a, b) for a, b in pairwise(edges)]
    assert sum(steps) == pytest.approx(segment.between("cpu", edges[0], edges[-1]), rel=1e-9)


def test_a_tick_that_is_recorded_twice_within_a_microsecond_counts_once():
    """100 W, then 400 W from 0.237 s on, in ticks of 0.1 s; a window ends 30 ms before the step."""
    curve = Curve()
    for tick in range(6):
        moment = tick / 10
        joules = 100 * moment + 300 * max(0.0, moment - 0.237)
        curve.add(moment, joules)
        curve.add(moment + 4e-7, joules)
    assert curve.at(0.207) - curve.at(0.1) == pytest.approx(10.7, rel=1e-6)


def test_windows_nest_and_overlap_and_run_in_any_thread(tmp_path):
    with Tracker(tmp_path, name="run", interval_s=0.05) as tracker:

        def inner():
            for _ in range(20):
                with tracker.window("inner"):
                    time.sleep(0.005)

        threads = [threading.Thread(target=inner) for _ in range(3)]
        with tracker.window("outer", phase="evaluation"):
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
    windows = {window.name: window for window in tracker.record().windows}
    assert (windows["inner"].count, windows["outer"].count) == (60, 1)
    assert windows["outer"].phase == "evaluation"
    assert windows["inner"].elapsed_s.value > windows["outer"].elapsed_s.value


def test_a_machine_without_a_meter_never_reports_measured_energy(tmp_path):
    with Tracker(tmp_path, interval_s=0.05, meters=["cpu_model"]) as tracker:
        work(0.3)
        live = tracker.snapshot()
    total = tracker.record().totals[Boundary.CHIP]
    assert Origin.MEASURED not in total.shares
    assert Origin.MEASURED not in live.energy.shares
    assert total.low < total.value < total.high
    assert total.origin is not Origin.MEASURED


def test_snapshots_grow_toward_the_record(tmp_path):
    with Tracker(tmp_path, interval_s=0.05) as tracker:
        work(0.2)
        early = tracker.snapshot().energy.value
        work(0.2)
        late = tracker.snapshot().energy.value
    assert 0 < early < late <= tracker.record().totals[Boundary.CHIP].value


def test_a_snapshot_without_a_device_has_the_joules_of_the_others(tmp_path):
    with Tracker(tmp_path, interval_s=0.05, meters=["cpu_model"]) as tracker:
        work(0.2)
        live = tracker.snapshot()
    assert live.devices == {"cpu", "memory"}
    parts = [live.without({device}) for device in ("cpu", "memory")]
    for name in ("energy", "power_w"):
        values = [getattr(part, name).value for part in parts]
        assert sum(values) == pytest.approx(getattr(live, name).value)
    assert live.without(live.devices).energy.value is None


def test_the_sync_callback_runs_at_both_edges_of_a_window_and_is_recorded(tmp_path):
    calls = []

    def synchronize():
        calls.append(1)

    with (
        Tracker(tmp_path, interval_s=0.05, sync=synchronize) as tracker,
        tracker.window("step"),
    ):
        pass
    assert len(calls) == 2
    assert tracker.record().environment["sync"].endswith(".synchronize")
    with Tracker(tmp_path / "without", interval_s=0.05) as tracker:
        pass
    assert "sync" not in tracker.record().environment


def test_an_exception_in_training_passes_through_and_its_window_is_kept(tmp_path):
    tracker = Tracker(tmp_path, interval_s=0.05)
    with pytest.raises(ZeroDivisionError), tracker, tracker.window("step"):
        _ = 1 / 0
    assert [window.name for window in tracker.record().windows] == ["step"]


def test_what_a_restart_repeats_is_wasted_and_counted_once(tmp_path):
    with Tracker(tmp_path, interval_s=0.02) as first:
        for step in range(4):
            with first.window("step"):
                work(0.03)
            first.mark("step", step=step)
    with Tracker(tmp_path, interval_s=0.02, resume_at={"step": 1}) as second:
        for step in range(2, 4):
            with second.window("step"):
                work(0.03)
            second.mark("step", step=step)
    record = second.record(flop_by_window={"step": 1e6})
    steps = next(window for window in record.windows if window.name == "step")
    assert steps.count == 4
    assert record.wasted.model_flop.value == 2e6
    assert 0.06 <= record.wasted.elapsed_s.value < record.elapsed_s.value
    assert 0 < record.wasted.energy_j.value < record.totals[Boundary.CHIP].value


def test_a_folder_that_cannot_be_written_is_refused_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="expected to write"):
        Tracker(tmp_path / "file" / "run").open()


def test_an_edited_ledger_fails_verify(tmp_path):
    with Tracker(tmp_path, interval_s=0.05) as tracker:
        work(0.2)
    tracker.record().save(tmp_path / "record.json")
    assert all(finding.passed for finding in verify(tracker.path))
    lines = tracker.path.read_text().splitlines(keepends=True)
    lines[2] = lines[2].replace('"j":[', '"j":[1')
    tracker.path.write_text("".join(lines))
    findings = {finding.check: finding for finding in verify(tracker.path)}
    assert not findings["chain"].passed
    assert "row 3" in findings["chain"].message


def test_an_emptied_ledger_fails_verify_and_contradicts_its_record(tmp_path):
    with Tracker(tmp_path, interval_s=0.05, meters="cpu_model") as tracker:
        pass
    tracker.record().save(tmp_path / "record.json")
    tracker.path.write_text(tracker.path.read_text()[:50])
    failed = {finding.check for finding in verify(tracker.path) if not finding.passed}
    assert failed == {"chain", "sum"}


def test_the_overhead_of_metering_is_measured_and_recorded_in_the_ledger(tmp_path):
    def step():
        sum(range(50_000))

    with Tracker(tmp_path, interval_s=0.05, meters=["cpu_model"]) as tracker:
        measured = overhead.measure(tracker, step, pairs=12)
        with pytest.raises(InputError, match="at least 6 pairs"):
            overhead.measure(tracker, step, pairs=2)
    (segment,) = ledger.segments(tracker.path)
    (mark,) = [mark["fields"] for mark in segment.marks if mark["kind"] == "overhead"]
    assert (mark["pairs"], mark["relative"]) == (12, measured.value)
    assert measured.low <= measured.value <= measured.high
    assert mark["with_s"] > 0 < mark["without_s"]
    assert sum(row["name"] == "overhead" for row in segment.windows) == 12


def test_the_overhead_of_a_slow_sync_callback_shows(tmp_path):
    """A callback of 5 ms at both edges of a window adds 10 ms to a step of 20 ms."""
    with Tracker(
        tmp_path, interval_s=0.5, meters=["cpu_model"], sync=lambda: time.sleep(0.005)
    ) as tracker:
        measured = overhead.measure(tracker, lambda: time.sleep(0.02), pairs=8)
    assert 0.3 < measured.value < 0.8
    assert measured.low > 0


def test_a_burst_of_windows_between_two_reads_of_the_sampler_is_kept_whole(tmp_path):
    with Tracker(tmp_path, interval_s=0.05, meters=["cpu_model"]) as tracker:
        for _ in range(3000):
            with tracker.window("step"):
                pass
    written = [row["n"] for row, _ in rows_of(tracker.path) if row["k"] == "window"]
    assert written == list(range(1, 3001))


def test_the_interval_of_the_overhead_is_that_of_a_median():
    assert [overhead._cut(pairs) for pairs in (6, 12, 40, 100)] == [0, 2, 13, 39]


@pytest.mark.parametrize("options", [{"meters": "nosuch"}, {"meters": ["x"]}, {"interval_s": 0}])
def test_options_that_would_meter_nothing_are_refused_before_training(tmp_path, options):
    with pytest.raises(InputError):
        Tracker(tmp_path, **options)


def test_names_and_labels_of_any_type_make_a_record(tmp_path):
    tracker = Tracker(tmp_path, name=7, labels={"seed": 1}, meters="cpu_model", interval_s=0.05)
    assert repr(tracker) == f"<Tracker: 7 in {tmp_path}, not started>"
    with tracker.window("too early"):
        pass
    with tracker:
        assert repr(tracker).endswith("running>")
    record = tracker.record()
    assert (record.name, record.labels["seed"]) == ("7", "1")
    assert record.notes == ["windows and marks before the tracker was started were left out"]
