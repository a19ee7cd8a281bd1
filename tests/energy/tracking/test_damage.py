"""What a run, its neighbors and its disk may do to a ledger without disturbing training."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import energy
from energy import Tracker
from energy.errors import InputError, MissingDataError
from energy.ledger import accounting
from energy.ledger import reader as ledger
from energy.ledger.lines import FILE
from energy.ledger.verify import verify
from energy.ledger.writer import Writer
from energy.meters.base import BaseSource, Domain
from energy.sampler.clocks import Clocks
from energy.sampler.sampling import Sampler

INTERVAL_S = 0.05


def tracker(folder, **settings):
    return Tracker(folder, interval_s=INTERVAL_S, meters=["cpu_model"], **settings)


def window_counts(meter):
    return {window.name: window.count for window in meter.record().windows}


def test_marks_accept_any_field_and_any_value(tmp_path):
    loop = []
    loop.append(loop)
    with tracker(tmp_path) as meter:
        meter.mark("evaluation", k=2, m=3, n=4, h=5, kind_=6, loss=np.float32(0.5), path=tmp_path)
        meter.mark("evaluation", circular=loop)
        meter.mark("evaluation", last=True)
    (segment,) = ledger.segments(meter.path)
    first, second = (mark["fields"] for mark in segment.marks)
    assert first == {"k": 2, "m": 3, "n": 4, "h": 5, "kind_": 6, "loss": 0.5, "path": str(tmp_path)}
    assert second == {"last": True}
    assert any("JSON cannot encode" in note for note in meter.notes)
    assert segment.end == "closed"
    assert all(finding.passed for finding in verify(meter.path))


def test_a_mark_that_died_with_its_sampler_wastes_a_single_step(tmp_path):
    with tracker(tmp_path) as meter:
        for step in range(1, 9):
            with meter.window("step"):
                time.sleep(0.005)
            if step < 8:  # the checkpoint of step 8 is on disk, its mark is not
                meter.mark("checkpoint", step=step)
    with tracker(tmp_path, resume_at={"step": 8}) as meter, meter.window("step"):
        time.sleep(0.005)
    record = meter.record(flop_by_window={"step": 1.0})
    assert record.wasted.model_flop.value == 1
    assert window_counts(meter) == {"step": 8}


def test_a_restart_from_the_beginning_wastes_everything_before_it(tmp_path):
    for resume_at in (None, {"step": 0}):
        with tracker(tmp_path, resume_at=resume_at) as meter:
            for step in range(1, 4):
                with meter.window("step"):
                    time.sleep(0.005)
                meter.mark("step", step=step)
    assert meter.record(flop_by_window={"step": 1.0}).wasted.model_flop.value == 3
    assert window_counts(meter) == {"step": 3}


def test_deleting_the_folder_of_a_run_stops_nothing(tmp_path):
    folder = tmp_path / "run"
    with tracker(folder) as meter:
        shutil.rmtree(folder)
        os.kill(meter.sampler_pid, signal.SIGKILL)
        for _ in range(3):
            with meter.window("step"):
                time.sleep(0.01)
        assert meter.snapshot().energy.value is None
    with pytest.raises(MissingDataError, match="expected samples"):
        meter.record()


def test_two_runs_cannot_be_metered_into_one_folder(tmp_path):
    with tracker(tmp_path) as meter:
        with pytest.raises(InputError, match="another run is metering"):
            tracker(tmp_path).open()
        with meter.window("step"):
            pass
    assert window_counts(meter) == {"step": 1}
    assert all(finding.passed for finding in verify(meter.path) if finding.check == "chain")


RUN = """
import os, sys, time
from energy import Tracker
with Tracker(sys.argv[1], interval_s=0.2, meters=["cpu_model"]):
    if os.fork() == 0:  # like a data loader worker, it keeps the pipe to the sampler open
        time.sleep(2)
        os._exit(0)
    print("open", flush=True)
    time.sleep(60)
"""


def test_a_run_restarted_right_after_a_kill_continues_an_unbroken_chain(tmp_path):
    for _ in range(3):
        run = subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path)], stdout=subprocess.PIPE)
        assert run.stdout.readline() == b"open\n"
        run.kill()
        run.wait()
        run.stdout.close()
    with tracker(tmp_path) as meter:
        pass
    ends = [segment.end for segment in ledger.segments(meter.path)]
    assert ends == ["parent died"] * 3 + ["closed"]
    assert next(finding for finding in verify(meter.path) if finding.check == "chain").passed


def test_windows_of_a_resumed_run_survive_the_death_of_its_sampler(tmp_path):
    with tracker(tmp_path) as meter:
        for _ in range(20):
            with meter.window("first"):
                pass
    with tracker(tmp_path, resume_at={}) as meter:
        os.kill(meter.sampler_pid, signal.SIGSTOP)
        for _ in range(10):
            with meter.window("second"):
                pass
        os.kill(meter.sampler_pid, signal.SIGKILL)
        with meter.window("second"):
            pass
    assert window_counts(meter) == {"first": 20, "second": 11}


def test_a_sampler_that_is_killed_in_a_run_without_windows_is_replaced_at_the_end(tmp_path):
    with tracker(tmp_path) as meter:
        os.kill(meter.sampler_pid, signal.SIGKILL)
        time.sleep(0.3)
    record = meter.record()
    (segment,) = ledger.segments(meter.path)
    assert segment.end == "closed"
    assert record.elapsed_s.value >= 0.3
    assert record.notes == ["segment 1: the sampler was killed and started again"]


def test_a_damaged_line_fails_verify_and_is_left_out_of_the_record(tmp_path):
    with tracker(tmp_path) as meter:
        time.sleep(0.3)
    lines = meter.path.read_bytes().splitlines(keepends=True)
    lines[2:4] = [b"[1,2]\n", b'{"k":"s"}\n', b"3\n", b"\xff\n"]
    meter.path.write_bytes(b"".join(lines))
    record = meter.record()
    assert record.totals["chip"].value > 0
    assert any("4 damaged lines" in note and "line 3" in note for note in record.notes)
    assert "chain" in {finding.check for finding in verify(meter.path) if not finding.passed}


def test_damage_to_a_line_adds_no_more_than_an_edge_and_raises_nothing(tmp_path):
    with tracker(tmp_path) as meter:
        time.sleep(0.3)
    lines = meter.path.read_bytes().splitlines(keepends=True)
    whole = meter.record().totals["chip"].value
    damage = [
        b"",
        b"{}",
        b'{"k":"s","m":1}',
        b'{"k":"s","m":"x","j":[1,2]}',
        b'{"k":"s","j":[]}',
        b'{"k":"header"}',
        b'{"k":"window"}',
        b'{"k":"t","j":5}',
        b'{"k":"end"}',
        b'{"k":"s","m":2,"j":7}',
        b'{"k":"t","m":1,"j":{"cpu":[[1]]}}',
    ]
    for number in range(1, len(lines) - 1):
        for text in damage:
            broken = [*lines[:number], text + b"\n", *lines[number + 1 :]]
            meter.path.write_bytes(b"".join(broken))
            joules = meter.record().totals["chip"].value
            # Without the last sample its interval counts with the power of the one before.
            assert 0 < joules <= whole * 1.3


def test_a_deleted_ledger_is_written_again_with_a_note(tmp_path):
    with tracker(tmp_path) as meter:
        with meter.window("early"):
            time.sleep(0.1)
        meter.path.unlink()
        time.sleep(0.2)
    record = meter.record()
    assert window_counts(meter) == {"early": 1}
    assert any("deleted" in note for note in record.notes)
    assert record.elapsed_s.value > 0.3
    assert next(finding for finding in verify(meter.path) if finding.check == "chain").passed


@pytest.mark.parametrize("harm", ["rm -r {run}", "mkdir -p {run}/record.json/record.json"])
def test_a_command_keeps_its_exit_code_when_its_record_cannot_be_written(tmp_path, harm):
    code = "from energy.cli import main; main()"
    command = harm.format(run=tmp_path / "r") + "; exit 9"
    run = subprocess.run(
        [sys.executable, "-c", code, "run", "--out", tmp_path / "r", "--", "sh", "-c", command],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 9, run.stderr
    assert "no record of this run" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_wall_clock_set_back_an_hour_is_noted_and_moves_no_joule(tmp_path):
    class Steady(BaseSource):
        """A counter of 100 W."""

        name = "steady"

        def read(self):
            return {"cpu": time.monotonic() * 100.0}

    domain, shift_s = Domain(id="cpu", kind="cpu", boundary="chip"), 0.0
    writer = Writer(tmp_path / FILE)
    writer.append({"k": "header", "boot": "b", "host": "h", "domains": [domain.as_dict()]})
    sampler = Sampler([Steady()], [domain], writer, 0.05)
    sampler._clocks = Clocks(wall=lambda: time.time() + shift_s)
    for second in range(6):
        shift_s = -3600.0 if second > 2 else 0.0
        sampler.sample()
        time.sleep(0.02)
    record = accounting.record(tmp_path / FILE, name="x", labels={}, notes=[])
    assert record.totals["chip"].value == pytest.approx(100 * record.elapsed_s.value, rel=0.05)
    assert sum("the wall clock was set (-3600 s)" in note for note in record.notes) == 1


def test_a_backport_beside_the_package_does_not_hide_the_standard_library(tmp_path):
    site = tmp_path / "site"
    shutil.copytree(Path(energy.__file__).parent, site / "energy")
    (site / "dataclasses.py").write_text("raise ImportError('made for Python 3.6')\n")
    code = (
        "import dataclasses, sys\n"
        "sys.path.append(sys.argv[1])\n"
        "from energy import Tracker\n"
        "from energy.tracking import tracker\n"
        "assert tracker.__file__.startswith(sys.argv[1])\n"
        "with Tracker(sys.argv[2], interval_s=0.05, meters=['cpu_model']) as meter: pass\n"
        "print(meter.notes)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(site), str(tmp_path / "run")],
        capture_output=True,
        text=True,
        cwd="/",
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
    )
    assert run.stdout == "[]\n", run.stderr
    assert len(ledger.segments(tmp_path / "run" / FILE)) == 1
