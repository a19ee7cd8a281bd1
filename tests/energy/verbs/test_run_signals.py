"""Signals of `energy run`: the command gets each once, and the record is written."""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time

import pytest

ENERGY = [sys.executable, "-m", "energy"]


def test_a_signal_reaches_the_command_and_its_death_is_reported(tmp_path):
    run = subprocess.Popen(
        [*ENERGY, "run", "--out", str(tmp_path / "r"), "--", "sleep", "30"],
        stderr=subprocess.DEVNULL,
    )
    while not (tmp_path / "r" / "ledger.jsonl").exists():
        time.sleep(0.02)
    time.sleep(0.5)
    run.send_signal(signal.SIGTERM)
    assert run.wait(60) == 128 + signal.SIGTERM
    assert (tmp_path / "r" / "record.json").exists()


IGNORED = "cat /proc/$$/status | sed -n 's/SigIgn:[[:space:]]*//p'"


@pytest.mark.parametrize("name", ["HUP", "INT", "QUIT", "PIPE"])
def test_a_signal_that_is_ignored_at_the_start_is_ignored_by_the_command_too(tmp_path, name):
    words = shlex.join([*ENERGY, "run", "--out", str(tmp_path / "r"), "--", "sh", "-c", IGNORED])
    for trap, ignored in ((f"trap '' {name}; ", 1), ("", 0)):
        run = subprocess.run(
            ["sh", "-c", f"{trap}{words}; exit $?"], capture_output=True, text=True
        )
        bit = 1 << (signal.Signals[f"SIG{name}"] - 1)
        assert bool(int(run.stdout, 16) & bit) == ignored, run.stderr
        shutil.rmtree(tmp_path / "r")


def test_a_run_under_nohup_survives_the_end_of_its_terminal(tmp_path):
    command = "echo up; sleep 1; echo done"
    run = subprocess.Popen(
        ["nohup", *ENERGY, "run", "--out", str(tmp_path / "r"), "--", "sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert run.stdout.readline() == "up\n"
    os.killpg(run.pid, signal.SIGHUP)  # as at logout
    out, err = run.communicate(timeout=60)
    assert (run.returncode, out) == (0, "done\n"), err
    assert (tmp_path / "r" / "record.json").exists()


def test_ctrl_c_is_left_to_the_command(tmp_path):
    code = (
        "import time\n"
        "try: print('ready', flush=True); time.sleep(30)\n"
        "except KeyboardInterrupt: raise SystemExit(9)"
    )
    run = subprocess.Popen(
        [*ENERGY, "run", "--out", str(tmp_path / "r"), "--", sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert run.stdout.readline() == b"ready\n"
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(60) == 9
    run.stdout.close()
    assert (tmp_path / "r" / "record.json").exists()


def test_ctrl_c_twice_stops_the_command_once_and_still_writes_the_record(tmp_path):
    code = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGINT, lambda *_: caught.append(1)); caught = []\n"
        "print('ready', flush=True)\n"
        "while len(caught) < 2: time.sleep(0.01)\n"
        "os._exit(9)"  # an interpreter that is shutting down no longer handles signals
    )
    run = subprocess.Popen(
        [*ENERGY, "run", "--out", str(tmp_path / "r"), "--", sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert run.stdout.readline() == b"ready\n"
    while b'"k":"end"' not in (tmp_path / "r" / "ledger.jsonl").read_bytes():
        os.killpg(run.pid, signal.SIGINT)  # some arrive after the command has ended
        time.sleep(0.01)
    assert run.wait(60) == 9
    run.stdout.close()
    assert (tmp_path / "r" / "record.json").exists()


COUNTING = """
import signal, sys, time
caught = []
signal.signal(signal.{name}, lambda *_: caught.append(1))
print("ready", flush=True)
while not caught: time.sleep(0.01)
time.sleep(0.5)  # a second one would have come by now
sys.exit(40 + len(caught))
"""


def to_the_process(run, number):
    run.send_signal(number)


def to_the_group(run, number):
    os.killpg(run.pid, number)


@pytest.mark.parametrize("send", [to_the_process, to_the_group])
@pytest.mark.parametrize("name", ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP"])
def test_the_command_gets_a_signal_once_whoever_it_was_sent_to(tmp_path, name, send):
    code = COUNTING.format(name=name)
    run = subprocess.Popen(
        [*ENERGY, "run", "--out", str(tmp_path / "r"), "--", sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert run.stdout.readline() == b"ready\n"
    send(run, getattr(signal, name))
    assert run.wait(60) == 41
    run.stdout.close()
    assert (tmp_path / "r" / "record.json").exists()


def test_ctrl_c_of_a_terminal_reaches_the_command_once(tmp_path):
    import pty

    code = COUNTING.format(name="SIGINT")
    words = [*ENERGY, "run", "--out", str(tmp_path / "r"), "--", sys.executable, "-c", code]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(words[0], words)
    shown = b""
    while b"ready" not in shown:
        shown += os.read(terminal, 1000)
    os.write(terminal, b"\x03")
    with contextlib.suppress(OSError):  # the other end is closed at its end
        while os.read(terminal, 1000):
            pass
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 41
    os.close(terminal)
    assert (tmp_path / "r" / "record.json").exists()


def test_a_signal_reaches_what_the_command_left_running(tmp_path):
    daemon = "(trap 'echo caught; exit' TERM; echo up; while :; do sleep 0.05; done) & exit 4"
    run = subprocess.Popen(
        [*ENERGY, "run", "--out", str(tmp_path / "r"), "--wait", "--", "sh", "-c", daemon],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdout.readline() == "up\n"
    assert "left running" in run.stderr.readline()
    run.send_signal(signal.SIGTERM)
    out, _ = run.communicate(timeout=60)
    assert (run.returncode, out) == (4, "caught\n")
