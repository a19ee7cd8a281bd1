"""What every command shares: errors in one line, exit codes, closed pipes and Ctrl-C."""

import os
import signal
import subprocess
import sys
import time

import pytest

GRID = [sys.executable, "-m", "energy.cli", "grid"]


def test_a_reader_that_has_seen_enough_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    run = subprocess.run(GRID, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.process
def test_an_interrupted_command_says_so_and_exits_with_130():
    run = subprocess.Popen(
        [sys.executable, "-m", "energy.cli", "doctor", "--seconds", "20"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(3)
    run.send_signal(signal.SIGINT)
    assert run.communicate(timeout=20)[1] == "interrupted\n"
    assert run.returncode == 130


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_disk_behind_stdout_is_one_line():
    with open("/dev/full", "w") as full:
        run = subprocess.run(GRID, stdout=full, stderr=subprocess.PIPE, text=True)
    assert run.returncode == 2
    assert run.stderr.startswith("error: expected to write the output; got no space left")
