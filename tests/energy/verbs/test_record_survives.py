"""`energy record` is killed, or its disk is full or read-only: nothing is half-written."""

import os
import resource
import signal
import tempfile
import time
from pathlib import Path
from random import Random

import pytest

from energy.ledger.lines import FILE
from energy.record import RunRecord
from tests.fuzz.energy_files import ledger
from tests.fuzz.harness import command, outcome

LIMITS = (0, 100, 1000, 4000)
"""Bytes of a file at which the disk is full: before the record, and at three places in it."""


@pytest.fixture
def run():
    """The folder of a run that has a ledger and no record, which everyone may enter."""
    with tempfile.TemporaryDirectory(prefix="glam-test-") as name:
        Path(name).chmod(0o755)
        folder = ledger(Path(name), Random(1)).parent
        outcome(command("energy", "record", folder))  # what is imported here, no child imports
        (folder / "record.json").unlink()
        yield folder


def started(folder, prepare=lambda: None):
    """A process that rebuilds the record; its exit code is 70 where it did not come to an end."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        prepare()
        end = outcome(command("energy", "record", folder))
        (folder.parent / "said").write_text(end.words)
        code = ENDS[end.kind]
    finally:
        os._exit(code)


ENDS = {"read": 0, "refused": 2}


def ended(pid):
    """The exit code, or the negative number of the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_sixty_kills_leave_a_whole_record_or_none(run):
    rows, random, whole = (run / FILE).read_bytes(), Random(2), 0
    begun = time.monotonic()
    assert ended(started(run)) == 0
    usual_s = time.monotonic() - begun
    (run / "record.json").unlink()
    for _ in range(60):
        pid = started(run)
        time.sleep(random.uniform(0, 1.2 * usual_s))
        os.kill(pid, signal.SIGKILL)
        ended(pid)
        assert (run / FILE).read_bytes() == rows
        # A kill between a temporary file's name and its rename leaves that name, hidden.
        left = [path for path in run.iterdir() if path.name.startswith(".record.json.")]
        assert set(run.iterdir()) <= {run / FILE, run / "record.json", *left}
        for path in left:
            os.utime(path, (0, 0))
        if (run / "record.json").exists():
            RunRecord.load(run)
            (run / "record.json").unlink()
            whole += 1
    assert whole < 60
    assert ended(started(run)) == 0
    RunRecord.load(run)
    assert {path.name for path in run.iterdir()} == {FILE, "record.json"}


@pytest.mark.parametrize("limit", LIMITS)
def test_a_full_disk_is_one_line_and_leaves_the_old_record(run, limit):
    assert ended(started(run)) == 0
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    full = (limit, limit)
    pid = started(run, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, full))
    # With hardly a byte left, what the child says of it cannot be written either.
    assert ended(pid) in ((2,) if limit >= 1000 else (2, 70))
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    if limit >= 1000:
        said = (run.parent / "said").read_text()
        assert len(said.splitlines()) == 1
        assert said.startswith("error: expected to write")


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, as only root may")
def test_a_folder_that_may_not_be_written_is_one_line(run):
    run.chmod(0o555)
    run.parent.chmod(0o777)
    (run / FILE).chmod(0o644)
    before = {path.name for path in run.iterdir()}
    assert ended(started(run, lambda: os.setuid(65534))) == 2
    assert {path.name for path in run.iterdir()} == before
    said = (run.parent / "said").read_text()
    assert len(said.splitlines()) == 1
    assert "permission denied" in said
