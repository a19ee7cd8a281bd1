"""The phases of a run divide its time and joules, and the summary ends with their origins."""

import re
import subprocess
import sys
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import Tracker
from energy.arithmetic import add
from energy.ledger import phases
from energy.ledger.phases import split_by_phase
from energy.ledger.windows import Windows
from energy.quantity import Boundary, Origin, Quantity
from energy.reports import summary
from tests.support.records import run_record

moments = st.integers(0, 80).map(lambda eighths: eighths / 8)
windows = st.lists(st.tuples(moments, moments, st.sampled_from("abc")), max_size=12)


def divided(drawn, start_s, stop_s):
    """Phase -> its stretches, of windows as begin, end and phase."""
    closed = Windows.of(
        {"m0": begin * 1e9, "m1": end * 1e9, "name": "w", "phase": phase}
        for begin, end, phase in drawn
    )
    by_phase = {}
    for phase, starts, stops in split_by_phase(closed, start_s, stop_s):
        by_phase.setdefault(phase, []).extend(zip(starts, stops, strict=True))
    return by_phase


def test_a_moment_belongs_to_the_innermost_window_around_it():
    stretches = divided([(1, 9, "compute"), (4, 6, "evaluation")], 0, 10)
    assert stretches == {
        "idle": [(0, 1), (9, 10)],
        "compute": [(1, 4), (6, 9)],
        "evaluation": [(4, 6)],
    }


@given(windows)
def test_phases_divide_the_run_without_a_gap_or_an_overlap(drawn):
    by_phase = divided(drawn, 2.0, 8.0)
    stretches = sorted(stretch for own in by_phase.values() for stretch in own)
    assert stretches[0][0] == 2.0
    assert stretches[-1][1] == 8.0
    assert all(a[1] == b[0] for a, b in pairwise(stretches))


@given(windows, st.floats(2, 8, exclude_max=True))
def test_a_moment_belongs_to_the_window_around_it_that_began_last(drawn, moment):
    """Whether the run is divided at once or in parts."""
    around = [w for w in drawn if w[0] <= moment < w[1]]
    begun = max((begin for begin, _, _ in around), default=None)
    shortest = min((end for begin, end, _ in around if begin == begun), default=None)
    expected = {p for begin, end, p in around if (begin, end) == (begun, shortest)} or {"idle"}
    for at_once in (1, 3, phases.AT_ONCE):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(phases, "AT_ONCE", at_once)
            by_phase = divided(drawn, 2.0, 8.0)
        belongs_to = {
            phase
            for phase, own in by_phase.items()
            if any(start <= moment < stop for start, stop in own)
        }
        assert len(belongs_to) == 1
        assert belongs_to <= expected


def test_the_phases_of_a_record_sum_to_its_totals(tmp_path):
    with Tracker(tmp_path, interval_s=0.05, meters=["cpu_model"]) as tracker:
        with tracker.window("epoch"):
            time.sleep(0.1)
            with tracker.window("validation", phase="evaluation"):
                time.sleep(0.1)
        with tracker.window("save", phase="checkpoint"):
            time.sleep(0.1)
        time.sleep(0.1)
    record = tracker.record()
    spent = {phase.name: phase for phase in record.phases}
    assert set(spent) == {"compute", "evaluation", "checkpoint", "idle"}
    assert all(phase.elapsed_s.value > 0.08 for phase in record.phases)
    for total, part in (
        (record.elapsed_s.value, sum(phase.elapsed_s.value for phase in record.phases)),
        (record.totals[Boundary.CHIP].value, sum(p.energy_j.value for p in record.phases)),
    ):
        assert part == pytest.approx(total, rel=1e-6)
    assert sum(line.startswith("  phase ") for line in summary.lines(record)) == 4


def test_the_summary_ends_with_the_share_of_each_origin():
    def part(joules, origin):
        return Quantity.of(joules, "J", str(origin), origin, relative=0.06)

    total = add(
        [
            part(91, Origin.MEASURED),
            part(7, Origin.MODELLED),
            part(2, Origin.ASSUMED),
            Quantity.absent("J", "permission"),
        ],
        names=["gpu", "tpu", "memory", "cpu"],
    ).scaled(1.84 * 3.6e4)
    record = run_record().model_copy(update={"totals": {Boundary.CHIP: total}})
    assert summary.lines(record)[-1] == (
        "1.84 kWh ±6.0 % (80 %), chip boundary; 91 % measured, 7 % modelled, 2 % assumed; "
        "missing: cpu (permission)"
    )


def test_energy_run_ends_with_the_share_of_each_origin(tmp_path):
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            "from energy.cli import main; main()",
            "run",
            "--out",
            str(tmp_path / "r"),
            "--",
            "sleep",
            "0.2",
        ],
        capture_output=True,
        text=True,
    )
    headline = run.stderr.splitlines()[-2]  # kilowatt-hours and grams follow
    shares = r"chip boundary; (\d+ % (measured|modelled|assumed)(, )?)+"
    assert re.search(shares, headline), run.stderr
