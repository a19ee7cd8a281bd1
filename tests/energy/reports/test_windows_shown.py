"""Windows too short for the meters are counted wherever windows are shown, and every band names
its coverage there."""

from pathlib import Path

import pytest

from energy.quantity import MissingPart, Origin, Quantity
from energy.record import Window
from energy.reports import summary
from energy.reports.html import page
from energy.reports.runs import Run
from tests.support.records import run_record


def window(name, count, unresolved, joules):
    return Window(
        name=name,
        count=count,
        elapsed_s=Quantity.exact(1.0, "s", "clock"),
        energy_j=Quantity.of(
            joules, "J", "counter", Origin.MEASURED, relative=(-0.5, 0.9), coverage=0.95
        ),
        unresolved=unresolved,
    )


@pytest.fixture
def record():
    windows = [window("forward", 1200, 800, 100.0), window("epoch", 1, 0, 300.0)]
    return run_record("mine", relative=0.1).model_copy(update={"windows": windows})


def test_the_summary_counts_them(record):
    lines = summary.lines(record)
    assert (
        "  forward x 1,200 (800 unresolved): 1.00 s, 100 J (95 %: 50.0 J to 190 J) measured"
        in lines
    )
    assert "  epoch x 1: 1.00 s, 300 J (95 %: 150 J to 570 J) measured" in lines
    assert "±10 % (80 %)" in lines[-1]


def test_the_summary_names_what_a_window_leaves_out_unless_it_is_missing_throughout(record):
    cpu = MissingPart(device="cpu", reason="permission")
    lost = MissingPart(device="GPU-0", reason="0.2 s without readings: lost")
    forward, epoch = record.windows
    boundary, total = next(iter(record.totals.items()))
    partly = forward.energy_j.model_copy(update={"missing": (cpu, lost)})
    rest = epoch.energy_j.model_copy(update={"missing": (cpu,)})
    changed = record.model_copy(
        update={
            "windows": [
                forward.model_copy(update={"energy_j": partly}),
                epoch.model_copy(update={"energy_j": rest}),
            ],
            "totals": {boundary: total.model_copy(update={"missing": (cpu,)})},
        }
    )
    first, second, last = summary.lines(changed)[-3:]
    assert first.endswith("measured; missing: GPU-0 (0.2 s without readings: lost)")
    assert second.endswith("measured")
    assert last.endswith("; missing: cpu (permission)")


def test_the_page_counts_them_and_says_what_it_means(record):
    text = page([Run(Path("mine"), record, ())])
    assert "forward x 1,200, compute (800 unresolved)" in text
    assert "epoch x 1, compute<" in text
    assert "95 %: 50.0 to 190 J" in text
    assert "Unresolved: shorter than three updates" in text


def test_the_frame_counts_them(record):
    frame = record.windows_to_frame()
    assert list(frame["unresolved"]) == [800, 0]
    row = frame.loc["forward"]
    assert (row["count"], row["low"], row["high"], row["coverage"]) == (1200, 50.0, 190.0, 0.95)
    assert record.model_copy(update={"windows": []}).windows_to_frame().empty
