"""`energy run --power-limit`: set before the command starts, restored however the run ends."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.support.standin import nvml_environment

NO_PERMISSION, NOT_SUPPORTED = 4, 3


class Node:
    """A node with stand-in boards whose limits are files."""

    def __init__(self, library, folder, **settings):
        self.limits, self.out, self.runtime = folder / "limits", folder / "out", folder / "run"
        for created in (self.limits, self.runtime):
            created.mkdir()
        settings = {"LIMIT_W": 700, "DEVICES": 2, "LIMITS": self.limits, **settings}
        # A lock folder of its own, as every test has boards of the same names.
        self.environment = nvml_environment(library, **settings) | {
            "XDG_RUNTIME_DIR": str(self.runtime)
        }

    def started(self, watts, *command, out="first"):
        arguments = ["--meter", "nvml", "--power-limit", str(watts), "--out", str(self.out / out)]
        return subprocess.Popen(
            [sys.executable, "-m", "energy", "run", *arguments, "--", *command],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ended(self, watts, *command):
        run = self.started(watts, *command)
        _, printed = run.communicate(timeout=60)
        return run.returncode, printed

    def watts(self, board=0):
        """The limit of a board; None if it was never set."""
        try:
            return int((self.limits / str(board)).read_text()) / 1e3
        except (OSError, ValueError):
            return None

    def wait_for(self, watts):
        until_s = time.monotonic() + 30
        while self.watts() != watts:
            assert time.monotonic() < until_s, self.watts()
            time.sleep(0.02)


@pytest.fixture
def node(library, tmp_path):
    return Node(library, tmp_path)


SHOW = """
import pathlib, sys
print(*(path.read_text() for path in sorted(pathlib.Path(sys.argv[1]).iterdir())))
"""


def test_the_limit_holds_during_the_command_and_the_one_before_it_afterwards(node):
    run = node.started(300, sys.executable, "-c", SHOW, str(node.limits))
    printed, errors = run.communicate(timeout=60)
    assert run.returncode == 0, errors
    assert printed == "300000 300000\n"
    assert (node.watts(0), node.watts(1)) == (700, 700)
    environment = json.loads((node.out / "first" / "record.json").read_text())["environment"]
    assert environment["power_limit"] == {
        "set_w": 300,
        "before_w": {"GPU-stand-in-0": 700, "GPU-stand-in-1": 700},
    }
    assert environment["devices"]["GPU-stand-in-0"]["power_limit_w"] == 300


def test_only_boards_that_the_run_may_use_are_limited(node):
    node.environment["CUDA_VISIBLE_DEVICES"] = "1"
    assert node.ended(300, "true")[0] == 0
    assert (node.watts(0), node.watts(1)) == (None, 700)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_killed_leaves_the_limit_that_was_before(node, number):
    run = node.started(300, "sleep", "30")
    node.wait_for(300)
    time.sleep(0.5)
    run.send_signal(number)
    run.wait(20)
    node.wait_for(700)
    run.stdout.close()
    run.stderr.close()


def test_a_command_that_fails_or_is_not_there_leaves_the_limit_that_was_before(node):
    assert node.ended(300, "false")[0] == 1
    assert node.watts() == 700
    assert node.ended(300, "./no-such-program")[0] == 127
    assert node.watts() == 700


@pytest.mark.parametrize(
    ("watts", "settings", "words"),
    [
        (50, {}, "100 to 700 W, which GPU-stand-in-0 accepts; got 50 W"),
        (701, {}, "100 to 700 W"),
        (300, {"SET_FAILS": NO_PERMISSION}, "nvidia-smi -pl"),
        (300, {"SET_FAILS": NOT_SUPPORTED}, "expected to be allowed to set the power limit"),
        (300, {"DEVICES": 0}, "expected an NVIDIA board"),
        (300, {"MIG": 2}, "whole boards"),
    ],
    ids=["below", "above", "no permission", "not supported", "no board", "a shared board"],
)
def test_a_limit_that_cannot_be_set_is_refused_before_the_command_starts(
    library, tmp_path, watts, settings, words
):
    node = Node(library, tmp_path, **settings)
    code, printed = node.ended(watts, "touch", str(tmp_path / "started"))
    assert (code, len(printed.splitlines())) == (2, 1), printed
    assert words in printed
    assert not (tmp_path / "started").exists()
    assert not node.out.exists()
    assert node.watts() is None


def test_a_machine_without_a_driver_refuses_the_option(tmp_path):
    arguments = ["run", "--power-limit", "300", "--out", str(tmp_path / "r"), "--", "true"]
    run = subprocess.run(
        [sys.executable, "-m", "energy", *arguments],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
    )
    assert (run.returncode, len(run.stderr.splitlines())) == (2, 1)
    assert "expected an NVIDIA board" in run.stderr


def test_of_two_runs_with_one_limit_the_last_restores_it(node):
    first = node.started(300, "sleep", "1")
    node.wait_for(300)
    second = node.started(300, "sleep", "4", out="second")
    assert first.wait(30) == 0
    assert node.watts() == 300
    assert second.wait(30) == 0
    assert node.watts() == 700
    for run in (first, second):
        run.communicate()
    record = json.loads((node.out / "second" / "record.json").read_text())
    assert record["environment"]["power_limit"]["before_w"]["GPU-stand-in-0"] == 700


def test_a_second_run_with_another_limit_is_refused(node):
    first = node.started(300, "sleep", "3")
    node.wait_for(300)
    time.sleep(0.3)
    second = node.started(400, "true", out="second")
    _, printed = second.communicate(timeout=30)
    assert second.returncode == 2
    assert "another run has set" in printed
    assert node.watts() == 300
    assert first.wait(30) == 0
    first.communicate()
    assert node.watts() == 700
