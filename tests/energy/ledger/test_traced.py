"""`energy trace`: a run as a trace, with the windows and the joules of its record."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from energy.cli import command
from energy.ledger.traced import Rows
from energy.quantity import Boundary
from energy.trace import Trace, read_events
from tests.support.ledgers import domain, end, header, record_of, sample, window
from tests.support.traces import last_values, read_trace, slices


def trace(*words):
    return CliRunner().invoke(command(), ["trace", *map(str, words)])


def rows(watts=300, seconds=60, boot="boot", begins=0, devices=("gpu-0", "gpu-1"), **fields):
    """Boards of constant power, steps of 2 s with a forward pass of 1 s in each."""
    yield header([domain(name) for name in devices], m=begins * 10**9, boot=boot, **fields)
    yield sample(begins, *[0.0] * len(devices))
    for second in range(1, seconds + 1):
        at = begins + second
        if second % 2 == 0:
            yield window("forward", at - 2, at - 1)
            yield window("step", at - 2, at)
        yield sample(at, *[watts * second] * len(devices))
    yield end(begins + seconds)


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    record = record_of(folder, rows())
    record.save(folder)
    return folder, record


def test_windows_are_nested_slices_with_the_seconds_and_joules_of_the_record(run):
    folder, record = run
    assert trace(folder).exit_code == 0
    events = read_trace(folder / "trace.json")
    for own in record.windows:
        drawn = slices(events, name=own.name)
        assert len(drawn) == own.count
        assert sum(each["dur"] for each in drawn) / 1e6 == pytest.approx(own.elapsed_s.value)
        joules = sum(each["args"]["energy_j"] for each in drawn)
        assert joules == pytest.approx(own.energy_j.value)
    assert {each["args"]["boundary"] for each in slices(events)} == {"chip"}
    assert len({(each["pid"], each["tid"]) for each in slices(events)}) == 1


def test_the_counters_end_at_the_joules_of_the_record(run):
    folder, record = run
    trace(folder)
    last = last_values(read_trace(folder / "trace.json"), "energy, chip")
    assert last == {
        f"{entry.device} (measured)": pytest.approx(entry.value) for entry in record.energy
    }
    assert sum(last.values()) == pytest.approx(record.totals[Boundary.CHIP].value)


def test_attempts_follow_each_other_as_in_the_record(tmp_path):
    folder = tmp_path / "run"
    twice = [*rows(seconds=20), *rows(seconds=40, boot="next", begins=500)]
    record = record_of(folder, twice)
    record.save(folder)
    trace(folder)
    events = read_trace(folder / "trace.json")
    assert max(each["ts"] + each["dur"] for each in slices(events)) == 60e6
    assert sum(last_values(events, "energy, chip").values()) == pytest.approx(
        record.totals[Boundary.CHIP].value
    )


def test_a_device_without_readings_has_no_counter_and_its_windows_no_joules(tmp_path):
    folder = tmp_path / "run"
    reason = domain(reason="needs root")
    lines = [header([reason], m=0), sample(0, None), window("step", 0, 2), sample(2, None), end(2)]
    record_of(folder, lines).save(folder)
    assert trace(folder).exit_code == 0
    events = read_trace(folder / "trace.json")
    assert last_values(events, "energy, chip") == {}
    assert slices(events, name="step")[0]["args"] == {"phase": "compute"}


def test_a_predicted_step_is_laid_beside_the_step_of_median_duration(run, tmp_path):
    folder, _ = run
    predicted = Trace({"of": "a step"})
    predicted.slice(("stage 1", "step"), "step", 0.0, 1.5)
    predicted.counter("stage 1", "energy, chip", "J", 1.5, 450.0)
    predicted.save(tmp_path / "step.json")
    before = trace(folder, "--json")
    result = trace(folder, "--beside", tmp_path / "step.json", "--out", tmp_path / "both.json")
    assert result.exit_code == 0
    assert "begins at 30 s, with the step of median duration" in result.stdout
    events = read_trace(tmp_path / "both.json")
    assert len(slices(events)) == json.loads(before.stdout)["slices"] + 1
    beside = next(each for each in slices(events) if each["dur"] == 1.5e6)
    assert beside["ts"] == 30e6
    assert last_values(events, "energy, chip")["stage 1"] == 450.0


@pytest.mark.parametrize(
    "content", ["[]", '{"traceEvents": [{"ph": "X"}]}', '{"traceEvents": 1}', "{", '{"a": 1}']
)
def test_another_file_beside_is_refused_in_one_line(run, tmp_path, content):
    folder, _ = run
    other = tmp_path / "other.json"
    other.write_text(content)
    result = trace(folder, "--beside", other)
    assert result.exit_code != 0
    assert not (folder / "trace.json").exists()


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 30)), max_size=20))
def test_windows_that_overlap_are_in_rows_in_which_they_nest(spans):
    rows, placed = Rows(), {}
    for begin, long in sorted(spans, key=lambda span: (span[0], -span[1])):
        placed.setdefault(rows.row(begin, begin + long), []).append((begin, begin + long))
    for row in placed.values():
        for place, (_, stop) in enumerate(row):
            for other, other_stop in row[place + 1 :]:
                assert other >= stop or other_stop <= stop


def test_a_trace_reads_back_as_it_was_written(tmp_path):
    own = Trace({"of": "x"})
    own.slice(("a", "b"), "one", 0.0, 1 / 3, {"energy_j": 1.0})
    own.counter("a", "energy, chip", "J", 0.1, 2.0)
    own.save(tmp_path / "own.json")
    read_trace(tmp_path / "own.json")
    assert read_events(tmp_path / "own.json") == own.events


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_times_are_fractions_that_no_reader_rounds(begin, long):
    own = Trace({})
    own.slice(("a", "b"), "first", begin, begin + long)
    own.slice(("a", "b"), "next", begin + long, begin + 2 * long)
    first, second = own.events[-2:]
    assert first["ts"] + first["dur"] == second["ts"]
    assert int(first["ts"] * 1000) + int(first["dur"] * 1000) == int(second["ts"] * 1000)
