"""A sampler that is killed, is stopped or crashes is replaced while the run goes on."""

import gc
import os
import signal
import subprocess
import sys
import time

import pytest

from energy import Tracker
from energy.errors import InputError
from energy.ledger import accounting
from energy.ledger import reader as ledger
from energy.ledger.lines import FILE, seal
from energy.ledger.writer import _holder, _is_dying
from energy.meters.base import Domain
from energy.tracking import process, supervisor
from energy.tracking.sent import KEPT_ROWS, SentRows
from tests.energy.sampler.processes import Run, wait_until
from tests.support.samplers import sampler_pids
from tests.support.standin import nvml_environment, write_ledger, write_tree

BOARD, WATTS = "GPU-stand-in-0", 300.0


@pytest.fixture
def nvml(monkeypatch, library):
    """Set the stand-in of this process and its children."""

    def use(**settings):
        settings = {"LOW_W": WATTS, "HIGH_W": WATTS, **settings}
        for name, value in nvml_environment(library, **settings).items():
            monkeypatch.setenv(name, value)

    return use


def board(record):
    """The entries of the board, by origin."""
    return {entry.origin.value: entry for entry in record.energy if entry.device == BOARD}


@pytest.mark.parametrize(
    ("signal_sent", "why"), [(signal.SIGKILL, "killed"), (signal.SIGSTOP, "stopped")]
)
@pytest.mark.parametrize("settings", [{}, {"NO_COUNTER": 1}], ids=["counter", "power"])
def test_a_lost_sampler_is_replaced_at_once_and_the_time_without_it_is_not_measured(
    tmp_path, nvml, signal_sent, why, settings
):
    nvml(**settings)
    run = Run(tmp_path, ["nvml"])
    run.wait_for("s", 2)
    run.window()
    os.kill(run.sampler(), signal_sent)
    (lost,) = run.wait_for("lost_sampler")
    samples = len(run.rows("s"))
    run.window()
    run.wait_for("s", samples + 2)
    assert run.end() == ""
    assert lost["why"] == why
    (segment,) = ledger.segments(run.path)
    assert [row["n"] for row in run.rows("window")] == [1, 2]
    assert len(segment.windows) == 2
    record = accounting.record(run.path, name="run", labels={}, notes=[])
    assert any(f"sampler was {why}" in note for note in record.notes)
    entries, elapsed_s = board(record), record.elapsed_s.value
    truth_j = WATTS * elapsed_s
    if settings:
        unread_s = (1 - entries["measured"].covered) * elapsed_s
        assert entries["measured"].value == pytest.approx(truth_j - WATTS * unread_s, rel=0.02)
        assert "measured" in entries
        assert unread_s == 0 or {"modelled", "missing"} & entries.keys()
    else:
        assert entries["measured"].covered == 1
        assert entries["measured"].low <= truth_j <= entries["measured"].high


def test_run_and_sampler_that_are_suspended_together_go_on_with_the_same_sampler(tmp_path):
    run = Run(tmp_path)
    run.wait_for("s", 2)
    pids = (run.process.pid, run.sampler())
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(2.5)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    (gap,) = run.wait_for("gap")
    assert gap["why"] == "the sampler was suspended or starved"
    run.window()
    assert run.end() == ""
    assert len(run.rows("header")) == 1
    assert run.rows("lost_sampler") == []


def test_a_command_whose_sampler_was_killed_is_metered_on_and_not_waited_for(tmp_path):
    go = tmp_path / "go"
    code = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.02)\nexit(3)"
    folder = tmp_path / "run"
    arguments = ["run", "--out", str(folder), "--meter", "cpu_model", "--interval", "0.1", "--"]
    run = subprocess.Popen(
        [sys.executable, "-m", "energy", *arguments, sys.executable, "-c", code],
        stderr=subprocess.PIPE,
        text=True,
    )
    path = folder / FILE
    wait_until(lambda: path.exists() and path.read_bytes().count(b'"k":"s"') >= 2)
    (sampler,) = sampler_pids(folder)
    os.kill(sampler, signal.SIGKILL)
    wait_until(lambda: path.read_bytes().count(b'"k":"header"') >= 2)
    go.touch()
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 3, errors
    assert "waiting for" not in errors
    (segment,) = ledger.segments(path)
    assert segment.end == "closed"


def test_a_forked_child_neither_ends_nor_watches_the_sampler_of_its_parent(tmp_path):
    with Tracker(tmp_path, interval_s=0.1, meters=["cpu_model"]) as tracker:
        with tracker.window("parent"):
            pass
        child = os.fork()
        if child == 0:
            with tracker.window("child"):
                pass
            tracker.close()
            os._exit(0)
        os.waitpid(child, 0)
        # Nobody could send it again.
        wait_until(lambda: b'"child"' in tracker.path.read_bytes())
        os.kill(tracker.sampler_pid, signal.SIGKILL)
        with tracker.window("parent"):
            pass
    (segment,) = ledger.segments(tracker.path)
    assert segment.end == "closed"
    assert sorted(row["name"] for row in segment.windows) == ["child", "parent", "parent"]
    assert len(tracker.sampler_pids) == 2


def test_a_run_that_exits_without_closing_ends_and_its_sampler_closes_the_ledger(tmp_path):
    code = (
        "import sys; from energy import Tracker\n"
        "tracker = Tracker(sys.argv[1], interval_s=0.1, meters=['cpu_model']); tracker.open()\n"
        "with tracker.window('step'): pass\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=60)
    assert run.returncode == 0

    def ended():
        (segment,) = ledger.segments(tmp_path / FILE)
        return None if segment.end == "lost" else segment

    segment = wait_until(ended)
    assert segment.end == "parent died"
    assert len(segment.windows) == 1


def test_a_tracker_that_nobody_holds_any_more_lets_its_sampler_end(tmp_path):
    tracker = Tracker(tmp_path, interval_s=0.1, meters=["cpu_model"])
    tracker.open()
    del tracker
    gc.collect()
    wait_until(lambda: not sampler_pids(tmp_path), "the sampler goes on")


def test_a_tracker_that_was_closed_can_be_opened_again(tmp_path):
    tracker = Tracker(tmp_path, interval_s=0.1, meters=["cpu_model"])
    for name in ("first", "second"):
        with tracker, tracker.window(name):
            time.sleep(0.2)
        assert tracker.snapshot().elapsed_s > 0.2
    record = tracker.record()
    assert [window.name for window in record.windows] == ["first", "second"]
    assert all(window.energy_j.value > 0 for window in record.windows)
    assert record.wasted.energy_j.value == 0
    assert record.notes == []


def test_a_sampler_that_crashes_again_and_again_is_given_up_with_a_note(tmp_path, monkeypatch):
    crashing = tmp_path / "crash.py"
    crashing.write_text("raise SystemExit(1)\n")
    monkeypatch.setattr(process, "SAMPLER", crashing)
    monkeypatch.setattr(supervisor, "MAX_RESTARTS", 3)
    with Tracker(tmp_path / "run", meters=["cpu_model"]) as tracker:
        until_s = time.monotonic() + 60
        while not any("3 times in a row" in note for note in tracker.notes):
            assert time.monotonic() < until_s
            with tracker.window("step"):
                time.sleep(0.02)
    assert len(tracker.sampler_pids) == 4


def test_a_run_that_ends_before_its_sampler_has_started_has_a_record(tmp_path, monkeypatch):
    late = tmp_path / "late.py"
    late.write_text(
        "import runpy, time\n"
        "time.sleep(2)\n"
        f"runpy.run_path({str(process.SAMPLER)!r}, run_name='__main__')\n"
    )
    monkeypatch.setattr(process, "SAMPLER", late)
    for wait in ("READY_S", "CLOSE_S"):
        monkeypatch.setattr(supervisor, wait, 0.05)
    with Tracker(tmp_path / "run", meters=["cpu_model"]) as tracker, tracker.window("step"):
        pass
    assert [window.name for window in tracker.record().windows] == ["step"]
    assert any("the sampler was late" in note for note in tracker.notes)


def test_rows_are_looked_for_from_the_end_of_the_ledger_only(tmp_path):
    path, lines, digest = tmp_path / FILE, [], ""
    numbers = [*range(1, 3 * KEPT_ROWS + 1)]
    for row in [
        {"k": "header", "id": "other", "n": 7},
        {"k": "header", "id": "own"},
        *({"k": "mark", "n": number} for number in numbers),
    ]:
        line, digest = seal(row, digest)
        lines.append(line)
    # Were the first half read, this row would count as written.
    lines[2 + 5] = lines[2 + 5].replace(b'"n":6', f'"n":{3 * KEPT_ROWS - 1}'.encode())
    lines[-2] = b"damaged\n"
    path.write_bytes(b"".join(lines))
    rows = SentRows(path, "own")
    for number in numbers:
        rows.add(number, b"", passed=number)
    assert rows.written() == {*numbers[-KEPT_ROWS:]} - {3 * KEPT_ROWS - 1}


@pytest.mark.parametrize("interval_s", [0, -1, 3601, float("inf"), float("nan")])
def test_an_interval_of_more_than_an_hour_or_no_number_is_refused(tmp_path, interval_s):
    with pytest.raises(InputError, match="above 0 and at most 3600"):
        Tracker(tmp_path, interval_s=interval_s)


def test_the_lock_of_a_killed_process_that_hangs_in_the_kernel_does_not_count(tmp_path):
    locks = tmp_path / "locks"
    own = tmp_path / "ledger"
    with own.open("wb") as file:
        inode = os.fstat(file.fileno()).st_ino
        locks.write_text(f"1: POSIX  ADVISORY  WRITE 5 00:2a:{inode} 0 EOF\n")
        assert _holder(file.fileno(), locks) is None
        with locks.open("a") as more:
            more.write(f"2: FLOCK  ADVISORY  WRITE 708 00:2a:{inode} 0 EOF\n")
        assert _holder(file.fileno(), locks) == 708
    signals = "SigPnd:\t{}\nShdPnd:\t0000000000000000"
    write_tree(
        tmp_path,
        {
            "1/status": "State:\tD (disk sleep)\n" + signals.format("0000000000000100"),
            "2/status": "State:\tD (disk sleep)\n" + signals.format("0000000000000000"),
            "3/status": "State:\tZ (zombie)\n" + signals.format("0000000000000000"),
        },
    )
    assert [_is_dying(pid, tmp_path) for pid in (1, 2, 3, 4, None)] == [
        True,
        False,
        True,
        False,
        False,
    ]


def test_a_run_whose_first_sampler_died_at_once_does_not_continue_the_run_before_it(tmp_path):
    domain = Domain(id="cpu", kind="cpu", boundary="chip").as_dict()
    rows = []
    for run_id, second in (("a", 1), ("b", 100)):
        header = {"k": "header", "v": 2, "id": run_id, "domains": [domain], "continues": second > 1}
        rows += [
            header | {"m": second * 10**9},
            {"k": "s", "m": second * 10**9, "j": [0.0]},
            {"k": "s", "m": (second + 1) * 10**9, "j": [50.0]},
            {"k": "end", "m": (second + 1) * 10**9, "why": "closed"},
        ]
    write_ledger(tmp_path / FILE, rows)
    first, second = ledger.segments(tmp_path / FILE)
    assert (first.header["id"], second.header["id"]) == ("a", "b")
    assert (first.end, second.end) == ("closed", "closed")
