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
from energy.ledger.phases import split_by_phase
from energy.quantity import Boundary, Origin, Quantity
from energy.reports import summary
from tests.support.records import run_record

moments = st.floats(0, 10, allow_subnormal=False)
windows = st.lists(st.tuples(moments, moments, st.sampled_from("abc")), max_size=12)


def test_a_moment_belongs_to_the_innermost_window_around_it():
    stretches = split_by_phase([(1, 9, "compute"), (4, 6, "evaluation")], 0, 10)
    assert stretches == {
        "idle": [(0, 1), (9, 10)],
        "compute": [(1, 4), (6, 9)],
        "evaluation": [(4, 6)],
    }


@given(windows)
def test_phases_divide_the_run_without_a_gap_or_an_overlap(drawn):
    by_phase = split_by_phase(drawn, 2.0, 8.0)
    stretches = sorted(stretch for own in by_phase.values() for stretch in own)
    assert stretches[0][0] == 2.0
    assert stretches[-1][1] == 8.0
    assert all(a[1] == b[0] for a, b in pairwise(stretches))


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
        "1.84 kWh ±6.0 %, chip boundary; 91 % measured, 7 % modelled, 2 % assumed; "
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
    last = run.stderr.splitlines()[-1]
    assert re.search(r"chip boundary; (\d+ % (measured|modelled|assumed)(, )?)+", last), last
