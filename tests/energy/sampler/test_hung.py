"""A driver that does not return costs the time of its own meter, and nothing else."""

import subprocess
import sys
import threading
import time

import pytest

from energy.ledger import accounting
from energy.ledger import reader as ledger
from energy.ledger.lines import FILE
from energy.meters.base import BaseSource, Domain
from energy.meters.sources import Opening
from energy.sampler import calls, retries
from energy.sampler.calls import DISK, Calls, SupersededError, Watched
from energy.sampler.retries import Retries, answers
from tests.energy.sampler.processes import Run, wait_until
from tests.support.samplers import sampler_pids
from tests.support.standin import nvml_environment

BOARD, WATTS = "GPU-stand-in-0", 300.0


def environment(library, hang_at_s=None, **settings):
    """The environment of a run whose driver hangs so many seconds from now."""
    if hang_at_s is not None:
        settings |= {"EPOCH_S": time.monotonic() - 1, "HANG_AT_S": 1 + hang_at_s}
    return nvml_environment(library, LOW_W=WATTS, HIGH_W=WATTS, **settings)


def entries(record, device):
    return [entry for entry in record.energy if entry.device == device]


@pytest.mark.parametrize("settings", [{}, {"NO_COUNTER": 1}], ids=["counter", "power"])
def test_a_call_that_hangs_in_the_middle_of_a_run_leaves_the_rest_of_its_meter_missing(
    tmp_path, library, settings
):
    run = Run(tmp_path, ["nvml", "cpu_model"], environment(library, 4.0, **settings))
    (hung,) = run.wait_for("hung")
    samples = len(run.rows("s"))
    run.wait_for("s", samples + 8)  # longer than a gap that is bridged
    run.window()
    assert run.end() == ""
    assert hung["meter"] == "nvml"
    record = accounting.record(run.path, name="run", labels={}, notes=[])
    assert sum("a call of nvml did not return" in note for note in record.notes) == 1
    read, *others = entries(record, BOARD)
    read_s = read.covered * record.elapsed_s.value
    assert read.origin.value == "measured"
    assert read.low <= WATTS * read_s <= read.high
    assert read.covered < 1
    assert all(entry.origin.value in ("missing", "modelled") for entry in others)
    assert "did not return" in "".join(entry.why or "" for entry in others)
    (cpu,) = entries(record, "cpu")
    assert cpu.covered == 1


def test_a_command_ends_with_its_exit_code_though_its_meter_never_opened(tmp_path, library):
    folder = tmp_path / "run"
    run = subprocess.run(
        [
            *(sys.executable, "-m", "energy", "run", "--out", folder),
            *("--meter", "nvml", "--meter", "cpu_model", "--", "sh", "-c", "exit 9"),
        ],
        env=environment(library, 0.0),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 9, run.stderr
    assert "did not return" in run.stderr
    (segment,) = ledger.segments(folder / FILE)
    assert segment.end == "closed"
    assert segment.curves["cpu"].unread == 0
    assert sampler_pids(tmp_path) == []


def test_a_run_whose_meter_hangs_does_not_blind_the_next_run(tmp_path, library):
    first = Run(tmp_path / "first", ["nvml"], environment(library, 0.5))
    first.wait_for("hung")
    second = Run(tmp_path / "second", ["nvml"], environment(library))
    second.wait_for("s", 3)
    assert (first.end(), second.end()) == ("", "")
    record = accounting.record(second.path, name="run", labels={}, notes=[])
    (entry,) = entries(record, BOARD)
    assert (entry.origin.value, entry.covered) == ("measured", 1)


def test_a_meter_whose_call_returns_late_is_read_again(tmp_path, library):
    slow = environment(library, 4.0, HANG_FOR_S=4)
    run = Run(tmp_path, ["nvml"], slow)
    run.wait_for("hung")
    run.wait_for("header", 3)
    samples = len(run.rows("s"))
    run.wait_for("s", samples + 3)
    assert run.end() == ""
    record = accounting.record(run.path, name="run", labels={}, notes=[])
    (entry,) = entries(record, BOARD)  # its counter has gone on
    assert entry.low <= WATTS * record.elapsed_s.value <= entry.high


class Stuck(BaseSource):
    """A source whose calls wait until a test lets them go."""

    name = "stuck"

    def __init__(self):
        self.go = threading.Event()

    def probe(self):
        self.go.wait()
        return [Domain(id="board", kind="gpu", boundary="chip")]

    def read(self):
        self.go.wait()
        return {"board": 1.0}


def test_the_thread_of_a_call_that_returns_late_is_superseded(monkeypatch):
    monkeypatch.setattr(calls, "LIMIT_S", 0.05)
    source, ends, made = Stuck(), [], []

    def work():
        made.append(Calls())
        try:
            Watched(source, made[0]).read()
        except SupersededError:
            ends.append("superseded")

    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: made)
    assert wait_until(made[0].overdue) == "stuck"
    assert not made[0].supersede("another")
    assert made[0].supersede("stuck")
    assert made[0].overdue() is None
    source.go.set()
    thread.join()
    assert ends == ["superseded"]
    assert made[0].returned == ["stuck"]
    assert Watched(source, made[0]).read() == {"board": 1.0}


def test_a_disk_that_is_slow_is_waited_for(monkeypatch):
    monkeypatch.setattr(calls, "LIMIT_S", 0.0)
    made = Calls()

    def write():
        time.sleep(0.02)
        return made.waits_s(), made.overdue()

    waits_s, overdue = made.make(DISK, write)
    assert waits_s > 0
    assert overdue is None


def test_a_source_that_hangs_while_it_is_opened_is_missing_and_the_next_one_is_opened():
    opening = Opening(["cpu_model", "rapl", "cpu_tree:1"])
    opening.open_next()
    assert opening.waiting[0] == "rapl"
    opening.names["rapl"] = "rapl"  # as far as it gets
    (left_out,) = opening.leave_out("rapl", "it hangs")
    assert (left_out.id, left_out.origin, left_out.reason) == ("rapl", "missing", "it hangs")
    opening.open_next()
    assert [source.name for source in opening.sources] == ["cpu_model", "cpu_tree"]
    before = list(opening.domains)
    opening.leave_out("cpu_model", "it hangs too")
    reasons = {domain.id: domain.reason for domain in opening.domains}
    assert reasons["cpu"] == "it hangs too"
    assert reasons["cpu-tree-1"] == ""
    assert not opening.take_back("rapl")
    assert opening.take_back("cpu_model")
    assert opening.domains == before
    assert {source.name for source in opening.sources} == {"cpu_model", "cpu_tree"}


def test_a_meter_that_hangs_is_tried_again_in_a_child_after_twice_the_time(tmp_path, monkeypatch):
    monkeypatch.setattr(retries, "FIRST_S", 0.01)
    monkeypatch.setattr(retries, "CHILD_S", 0.0)
    driver = tmp_path / "driver.py"
    driver.write_text("import time; time.sleep(60)\n")
    tried = Retries(str(driver))
    tried.add("nvml", "nvml", [])
    (retry,) = tried._retries.values()
    while retry.child is None:
        assert not tried.answer()
    child = retry.child
    while retry.child is not None:
        assert not tried.answer()
    assert child.wait(30) < 0
    assert retry.wait_s == 2 * retries.FIRST_S
    driver.write_text("")
    monkeypatch.setattr(retries, "CHILD_S", 60.0)
    retry.due_s = 0.0
    wait_until(tried.answer)
    tried.remove("nvml")
    assert not tried


def test_a_new_sampler_in_which_a_meter_hangs_again_waits_longer_than_the_one_before():
    for earlier, wait_s in ((0, 60), (1, 120), (6, 3600)):
        tried = Retries("program", earlier)
        tried.add("nvml", "nvml", [])
        assert tried._retries["nvml"].wait_s == wait_s


def test_only_a_meter_that_can_be_read_answers(tmp_path):
    assert answers("cpu_model")
    assert not answers(f"replay:{tmp_path}/no-such-file.csv")
