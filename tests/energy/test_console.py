"""What every command shares: errors in one line, exit codes, closed pipes and Ctrl-C."""

import os
import shlex
import signal
import subprocess
import sys

import pytest

GRID = [sys.executable, "-m", "energy.cli", "grid"]


def test_a_reader_that_has_seen_enough_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    run = subprocess.run(GRID, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize(("work", "code"), [("import stubborn", -signal.SIGINT), ("sent()", 130)])
def test_ctrl_c_is_not_lost_in_a_library_that_catches_what_its_import_raises(tmp_path, work, code):
    """It ends the process there, as it ends any program; later it is an error of ours."""
    sent = "import os, signal\ndef sent():\n os.kill(os.getpid(), signal.SIGINT)\n"
    (tmp_path / "stubborn.py").write_text(f"{sent}try:\n sent()\nexcept BaseException:\n pass\n")
    verb = f"def verb():\n {work}\n"
    run = subprocess.run(
        [sys.executable, "-c", f"import energy._ctrl_c\n{sent}{verb}{START}"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{os.getcwd()}"},
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert (run.returncode, run.stderr) == (code, "interrupted\n" if code > 0 else "")


START = "from energy.guard import start\nstart(lambda: verb)"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_disk_behind_stdout_is_one_line():
    with open("/dev/full", "w") as full:
        run = subprocess.run(GRID, stdout=full, stderr=subprocess.PIPE, text=True)
    assert run.returncode == 2
    assert run.stderr.startswith("error: expected to write the output; got no space left")


def test_a_verdict_is_the_exit_code_also_where_nobody_reads_the_page():
    reader, writer = os.pipe()
    os.close(reader)
    verb = "simulator serve llama3-70b --chip h100 --chips 1 --batch 1 --isl 500 --osl 300"
    run = subprocess.run(
        [sys.executable, "-m", *verb.split()], stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert (run.returncode, run.stderr.count("\n")) == (3, 1)


def test_a_short_answer_to_a_reader_that_is_gone_is_no_error_either():
    reader, writer = os.pipe()
    os.close(reader)
    run = subprocess.run([*GRID, "FRA"], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize(
    ("line", "code"), [("energy grid FRA >&-", 0), ("energy grid X 2>&-", 4), ("glam sizes <&-", 0)]
)
def test_a_stream_that_is_closed_changes_no_exit_code(line, code):
    room, _, rest = line.partition(" ")
    run = subprocess.run(
        f"{shlex.quote(sys.executable)} -m {room} {rest}", shell=True, capture_output=True
    )
    assert run.returncode == code
    assert b"Traceback" not in run.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_an_error_that_stderr_cannot_take_keeps_its_exit_code():
    with open("/dev/full", "w") as full:
        run = subprocess.run([*GRID, "X"], stdout=subprocess.PIPE, stderr=full)
    assert (run.returncode, run.stdout) == (4, b"")
