"""Nothing is lost to SIGKILL of run, sampler or both, to a full disk, or to a long native call."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest

from energy import Tracker
from energy.ledger import accounting
from energy.ledger import reader as ledger
from energy.ledger.lines import FILE
from energy.ledger.lines import rows as rows_of
from tests.support import unmeasured_environment
from tests.support.samplers import sampler_pids

INTERVAL_S = 0.05

RUN = """
import sys, time
from energy import Tracker
with Tracker(sys.argv[1], interval_s={interval}, meters=["cpu_model"]) as tracker:
    print("open", flush=True)
    step = 0
    while True:
        with tracker.window("step"):
            sum(range(20_000))
        tracker.mark("step", step=step)
        step += 1
"""


def started(folder):
    """A run that is metered into a folder, on a node of its own."""
    node = Path(os.environ["XDG_RUNTIME_DIR"]) / folder.name
    node.mkdir()
    run = subprocess.Popen(
        [sys.executable, "-c", RUN.format(interval=INTERVAL_S), str(folder)],
        stdout=subprocess.PIPE,
        env={**os.environ, "XDG_RUNTIME_DIR": str(node)},
    )
    assert run.stdout.readline() == b"open\n"
    return run


def wait_for_end(folder):
    """Wait until the sampler has closed the ledger of a dead run."""
    for _ in range(200):
        if ledger.segments(folder / FILE)[-1].end != "lost":
            return
        time.sleep(0.02)
    raise AssertionError("the sampler did not close the ledger")


def killed(folder, victim, after_s):
    """Kill a run, its sampler or both; returns the only segment of the ledger, and the moment."""
    run = started(folder)
    time.sleep(after_s)
    (sampler,) = sampler_pids(folder)
    if victim != "run":
        os.kill(sampler, signal.SIGKILL)
    if victim == "sampler":
        # The run finds its pipe closed and starts another sampler.
        while (folder / FILE).read_bytes().count(b'"k":"header"') < 2:
            time.sleep(0.01)
    killed_s = time.monotonic()
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stdout.close()
    if victim != "run and sampler":
        wait_for_end(folder)
    (segment,) = ledger.segments(folder / FILE)
    return segment, killed_s


@pytest.mark.parametrize(
    ("victim", "kills"), [("run", 17), ("sampler", 17), ("run and sampler", 16)]
)
def test_a_kill_at_any_of_fifty_moments_loses_at_most_one_interval(tmp_path, victim, kills):
    """The memory model is linear in time, so every joule lost or counted twice would show."""
    moments = random.Random(7)
    plan = [(tmp_path / str(n), victim, moments.uniform(0.1, 0.4)) for n in range(kills)]
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda arguments: killed(*arguments), plan))
    lost_s, longest_gap_s = [], []
    for (folder, *_), (segment, killed_s) in zip(plan, results, strict=True):
        assert segment.end == ("lost" if victim == "run and sampler" else "parent died")
        if victim == "run and sampler":
            lost_s.append(killed_s - segment.stop_s)
            longest_gap_s.append(max(b - a for a, b in pairwise(segment.times)))
        else:
            assert segment.stop_s >= killed_s  # a sampler survived and took a last sample
        span_s = segment.stop_s - segment.start_s
        watts = segment.between("memory", segment.start_s, segment.stop_s) / span_s
        for earlier, later in pairwise(segment.times):
            step_j = segment.between("memory", earlier, later)
            assert step_j == pytest.approx(watts * (later - earlier), rel=0.05, abs=0.02)
            assert segment.between("cpu", earlier, later) >= 0
        record = accounting.record(folder / FILE, name="run", labels={}, notes=[])
        assert record.totals["chip"].value > 0
        assert any("killed" in note for note in record.notes)
    if lost_s:
        # A busy machine delays single samples; the gaps before the kill say by how much.
        assert median(lost_s) < INTERVAL_S + median(longest_gap_s)


def test_a_killed_sampler_is_replaced_and_no_joule_is_lost(tmp_path):
    with Tracker(tmp_path, interval_s=INTERVAL_S, meters=["cpu_model"]) as tracker:
        for step in range(30):
            if step == 10:
                os.kill(tracker.sampler_pid, signal.SIGKILL)
            with tracker.window("step"):
                time.sleep(0.01)
    segments = ledger.segments(tracker.path)
    assert len(segments) == 1
    written = [row["n"] for row, _ in rows_of(tracker.path) if row["k"] == "window"]
    assert written == list(range(1, 31))
    record = tracker.record()
    assert any("killed" in note for note in record.notes)
    assert next(iter(record.windows)).count == 30
    assert segments[0].curves["cpu"].unread == 0


def test_a_torn_last_line_is_dropped_and_the_chain_continues(tmp_path):
    with Tracker(tmp_path, interval_s=INTERVAL_S) as tracker:
        time.sleep(0.1)
    with tracker.path.open("ab") as file:
        file.write(b'{"k":"s","m":123,"j":{"cp')
    before = list(rows_of(tracker.path))
    with Tracker(tmp_path, interval_s=INTERVAL_S, resume_at={}) as tracker:
        time.sleep(0.1)
    after = list(rows_of(tracker.path))
    assert [row for row, _ in after[: len(before)]] == [row for row, _ in before]
    assert all(valid for _, valid in after)


def test_a_full_disk_never_reaches_training(tmp_path):
    """A limit on file size refuses the sampler's writes as a full disk would."""
    code = (
        "import resource, sys, time\n"
        "from energy import Tracker\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "with Tracker(sys.argv[1], interval_s=0.02) as tracker:\n"
        "    for step in range(100):\n"
        "        with tracker.window('step'): time.sleep(0.002)\n"
        "print('trained')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        env=unmeasured_environment(),
    )
    assert run.stdout == "trained\n", run.stderr
    lines = (tmp_path / FILE).read_bytes()
    assert len(lines) <= 4096
    assert lines.endswith(b"\n")
    assert [json.loads(line) for line in lines.splitlines()]


def test_a_long_native_call_leaves_no_gap(tmp_path):
    """A call that holds the interpreter lock does not stop a sampler in another process."""
    with Tracker(tmp_path, interval_s=INTERVAL_S) as tracker:
        # A single regular expression that backtracks for about a second, in C, under the lock.
        import re

        re.match(r"(a+)+$", "a" * 25 + "b")
    times = ledger.segments(tracker.path)[0].times
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(gaps) > 5
    assert max(gaps) < 0.5
