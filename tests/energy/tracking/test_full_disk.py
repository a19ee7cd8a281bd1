"""A disk that takes no more rows delays them, or the record says what could not be written."""

import errno
import os
import resource
import time

import pytest

from energy import Tracker
from energy.ledger import writer as writers
from energy.ledger.lines import FILE
from energy.ledger.lines import rows as rows_of
from energy.ledger.writer import Writer


@pytest.fixture
def full_disk(monkeypatch):
    """Lets the disk refuse rows, and take them again."""
    write = os.write

    def refuse(file, line):
        write(file, line[:10])  # a file system writes what fits
        raise OSError(errno.ENOSPC, "No space left on device")

    return lambda full: monkeypatch.setattr(os, "write", refuse if full else write)


def test_a_disk_that_is_full_for_a_while_loses_no_row(tmp_path, full_disk):
    path = tmp_path / FILE
    writer = Writer(path)
    writer.append({"k": "mark", "n": 0})
    full_disk(True)
    for number in range(1, 5):
        writer.append({"k": "mark", "n": number})
    full_disk(False)
    assert [row["n"] for row, _ in rows_of(path)] == [0]
    assert writer.refused == errno.ENOSPC
    writer.append({"k": "mark", "n": 5})
    rows = list(rows_of(path))
    assert [row["n"] for row, _ in rows] == [0, 1, 2, 3, 4, 5]
    assert all(valid for _, valid in rows)
    assert writer.refused == 0


def test_rows_that_are_lost_because_the_disk_was_full_for_too_long_are_counted(
    tmp_path, full_disk, monkeypatch
):
    monkeypatch.setattr(writers, "KEPT_ROWS", 3)
    writer = Writer(tmp_path / FILE)
    writer.append({"k": "mark", "n": 0})
    full_disk(True)
    for number in range(1, 6):
        writer.append({"k": "mark", "n": number})
    full_disk(False)
    writer.append({"k": "mark", "n": 6})
    *rows, gap = [row for row, _ in rows_of(tmp_path / FILE)]
    assert [row["n"] for row in rows] == [0, 3, 4, 5, 6]
    assert gap["why"] == "2 rows could not be written (No space left on device)"
    assert 0 <= gap["s"] < 60


def test_a_run_whose_last_rows_could_not_be_written_says_so(tmp_path):
    with Tracker(tmp_path, interval_s=0.05, meters=["cpu_model"]) as meter:
        with meter.window("early"):
            time.sleep(0.3)
        until_s = time.monotonic() + 20
        while not any(row["k"] == "window" for row, _ in rows_of(meter.path)):
            assert time.monotonic() < until_s
            time.sleep(0.05)
        # Every process has a limit of the size of its files: its sampler cannot write any more.
        size = meter.path.stat().st_size
        resource.prlimit(meter.sampler_pid, resource.RLIMIT_FSIZE, (size, size))
        with meter.window("late"):
            time.sleep(0.3)
    record = meter.record()
    assert "the last rows of the ledger could not be written: File too large" in record.notes
    assert not any("were killed:" in note for note in record.notes)
    assert [window.name for window in record.windows] == ["early"]
