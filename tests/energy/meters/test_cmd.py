"""Watts from the lines of a program: what a line says; programs that die, hang or babble."""

import math
import stat
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.errors import InputError
from energy.meters.cmd import Cmd, reading_of
from energy.meters.files import process_state
from energy.meters.sources import open_sources, require
from energy.tracking.tracker import Tracker


@pytest.fixture
def program(tmp_path):
    """Write a Python program; returns the meter's command."""

    def written(code):
        file = tmp_path / "plug"
        file.write_text(f"#!{sys.executable} -S\nimport os, sys, time\n{code}\n")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
        return str(file)

    return written


def opened(command, boundary="node"):
    meter = Cmd(command, boundary)
    return meter, meter.probe()


def next_watts(meter, wanted, seconds=5.0):
    """The first reading that `wanted` accepts; fails if none comes."""
    stop_s = time.monotonic() + seconds
    while time.monotonic() < stop_s:
        watts = meter.watts()
        if wanted(watts):
            return watts
        time.sleep(0.01)
    raise AssertionError("no such reading came")


@pytest.mark.parametrize(
    ("line", "reading"),
    [
        ("231.5", ("", 231.5)),
        (" 231.5 W\r", ("", 231.5)),
        ("outlet1 116.2", ("outlet1", 116.2)),
        ("PDU 3 outlet 1  116.2", ("PDU 3 outlet 1", 116.2)),
        ('{"watts": 231.5}', ("", 231.5)),
        ('{"name": "plug", "watts": 12, "volts": 230}', ("plug", 12.0)),
        ("", None),
        ("# watts of the rack", None),
        ("outlet1 N/A", ("outlet1", None)),
        ("-3", ("", None)),
        ("nan", ("", None)),
        ("inf W", ("", None)),
        ("Traceback (most recent call last):", ("Traceback (most recent call", None)),
        ('{"watts": true}', ("", None)),
        ('{"watts": "none"}', ("", None)),
        ("{not JSON", ("", None)),
    ],
)
def test_a_line_is_watts_or_a_name_and_watts_or_json(line, reading):
    assert reading_of(line) == reading


@given(st.text())
def test_no_line_is_an_error_and_every_power_is_a_number_of_0_or_more(line):
    reading = reading_of(line)
    assert reading is None or reading[1] is None or 0 <= reading[1] < math.inf


def test_a_program_that_prints_for_ever_meters_the_node(program):
    meter, (domain,) = opened(program("while True: print(231.5, flush=True); time.sleep(0.05)"))
    assert (domain.id, domain.boundary, domain.method) == ("plug", "node", "power")
    assert domain.origin == "measured"
    assert 0.05 <= domain.tick_s < 1
    assert next_watts(meter, bool) == {"plug": 231.5}
    meter.close()


def test_each_name_is_a_device_of_the_chosen_boundary(program):
    code = "while True: print('a 1\\nb 2', flush=True); time.sleep(0.05)"
    meter, domains = opened(program(code), "facility")
    assert [(d.id, d.boundary) for d in domains] == [
        ("plug/a", "facility"),
        ("plug/b", "facility"),
    ]
    assert next_watts(meter, bool) == {"plug/a": 1.0, "plug/b": 2.0}
    meter.close()


def test_a_program_that_prints_and_ends_is_run_again(program, monkeypatch):
    monkeypatch.setattr("energy.meters.cmd.EVERY_S", 0.1)
    meter, (domain,) = opened(program("print(time.monotonic())"))
    assert domain.reason == ""
    first = next_watts(meter, bool)
    assert next_watts(meter, bool)["plug"] > first["plug"]
    meter.close()


@pytest.mark.parametrize(
    "end",
    [
        "os.kill(os.getpid(), 9)",
        "sys.exit(3)",
        "print('no route to host', flush=True); time.sleep(99)",
    ],
    ids=["killed", "an error", "babble"],
)
def test_a_program_that_fails_is_a_gap_and_never_0(program, end):
    code = "for _ in range(9): print(50.0, flush=True); time.sleep(0.05)\n" + end
    meter, _ = opened(program(code))
    seen = []
    next_watts(meter, lambda watts: seen.append(watts) or watts == {"plug": None})
    assert {value for watts in seen for value in watts.values()} <= {50.0, None}
    meter.close()


def test_a_program_that_hangs_is_a_gap_from_three_lines_on(program):
    code = "for _ in range(5): print(50.0, flush=True); time.sleep(0.05)\ntime.sleep(99)"
    meter, _ = opened(program(code))
    assert next_watts(meter, lambda watts: None in watts.values()) == {"plug": None}
    assert next_watts(meter, bool) == {"plug": None}
    meter.close()


def test_a_program_that_ends_at_once_with_an_error_is_missing_with_its_exit_code(program):
    meter, (domain,) = opened(program("sys.exit(4)"))
    assert domain.origin == "missing"
    assert "exit code 4" in domain.reason
    meter.close()


def test_closing_ends_the_program_and_what_it_has_started(program, tmp_path):
    code = (
        "import subprocess\nchild = subprocess.Popen(['sleep', '60'])\n"
        f"open({str(tmp_path / 'pids')!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "while True: print(1.0, flush=True); time.sleep(0.05)"
    )
    meter, _ = opened(program(code))
    meter.close()
    pids = (tmp_path / "pids").read_text().split()
    assert len(pids) == 2
    for pid in pids:
        stop_s = time.monotonic() + 5
        while _runs(pid):
            assert time.monotonic() < stop_s, "a process was left behind"
            time.sleep(0.02)


def _runs(pid):
    """Whether a process runs; a zombie that nobody has waited for yet does not."""
    return process_state(Path(f"/proc/{pid}/stat")) not in ("", "Z")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cmd:/nowhere/plug 1", "/nowhere/plug"),
        ("cmd@rack:true", "chip, node, it, facility"),
        ("cmd:", "cmd:PROGRAM"),
        ("cmd:'open quote", "program after cmd:"),
    ],
)
def test_a_command_that_can_never_run_is_refused_before_the_run(name, said):
    with pytest.raises(InputError, match=said):
        require([name])


def test_two_programs_of_one_name_are_two_meters(program):
    command = program("while True: print(sys.argv[1], flush=True); time.sleep(0.05)")
    sources, domains = open_sources([f"cmd:{command} 10", f"cmd:{command} 20"])
    assert [domain.id for domain in domains] == ["plug", "plug#2"]
    assert {domain.meter for domain in domains} == {"cmd:plug", "cmd:plug#2"}
    for source, watts in zip(sources, (10.0, 20.0), strict=True):
        assert list(next_watts(source, bool).values()) == [watts]
        source.close()


def test_a_run_names_the_seconds_after_its_program_died_and_counts_nothing_for_them(
    program, tmp_path
):
    code = (
        f"died = {str(tmp_path / 'died')!r}\nif os.path.exists(died): sys.exit(3)\n"
        "for _ in range(10): print(50, flush=True); time.sleep(0.1)\n"
        "open(died, 'w').close(); sys.exit(3)"
    )
    name = f"cmd@facility:{program(code)}"
    with Tracker(tmp_path / "run", meters=[name], interval_s=0.2) as tracker:
        time.sleep(7.5)
    record = tracker.record()
    known, gap = record.energy
    assert (known.boundary, known.origin) == ("facility", "measured")
    assert 25 <= known.value <= 50 * 1.5
    assert (gap.origin, gap.value) == ("missing", None)
    assert 5.5 < gap.seconds < 7.5
    assert record.totals["facility"].missing
