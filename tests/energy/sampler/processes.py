"""Runs that are metered in processes of their own."""

import json
import subprocess
import sys
import time

from energy.ledger.lines import FILE
from tests.support.samplers import sampler_pids


def wait_until(condition, otherwise="still not so"):
    """Wait until a condition holds, for a minute at most; returns what it answers then."""
    until_s = time.monotonic() + 60
    while not (answer := condition()):
        assert time.monotonic() < until_s, otherwise
        time.sleep(0.01)
    return answer


RUN = """
import sys, time
from energy import Tracker
settings = {{"interval_s": 0.2, "meters": {meters}}}
with Tracker(sys.argv[1], **settings) as tracker:
    print("open", *tracker.notes, flush=True)
    for line in sys.stdin:
        if line.startswith("window"):
            with tracker.window("step"):
                time.sleep(0.01)
        print("done", flush=True)
print("closed", *tracker.notes, flush=True)
"""


class Run:
    """A run that is metered into a folder, and marks a window whenever a test wants one.

    Args:
        folder: of the run.
        meters: names of the meters.
        environment: of the run, its own by default.
    """

    def __init__(self, folder, meters=("cpu_model",), environment=None):
        self.folder, self.path = folder, folder / FILE
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN.format(meters=list(meters)), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
            bufsize=1,
        )
        self.notes = self._answer("open")

    def window(self):
        """Mark a window."""
        self.process.stdin.write("window\n")
        assert self._answer("done") == ""

    def end(self):
        """End in order; returns the notes of the tracker."""
        self.process.stdin.close()
        notes = self._answer("closed")
        assert self.process.wait(30) == 0
        self.process.stdout.close()
        return notes

    def kill(self):
        """End by SIGKILL."""
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def sampler(self):
        """Process id of its only sampler."""
        (pid,) = sampler_pids(self.folder)
        return pid

    def rows(self, kind):
        """The whole rows of a kind in its ledger."""
        lines = self.path.read_bytes().splitlines(keepends=True)
        rows = (json.loads(line) for line in lines if line.endswith(b"\n"))
        return [row for row in rows if row["k"] == kind]

    def wait_for(self, kind, count=1):
        """Wait until its ledger has so many rows of a kind; returns them."""
        return wait_until(
            lambda: rows if len(rows := self.rows(kind)) >= count else None, f"no {kind} row"
        )

    def _answer(self, word):
        line = self.process.stdout.readline()
        assert line.startswith(word), line
        return line.removeprefix(word).strip()
