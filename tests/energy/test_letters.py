"""Control letters of names reach no terminal, and what a terminal needs of our own does."""

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import RunRecord
from energy.letters import Escaping, escaped, terminal
from energy.reports.terminal import EscapingConsole, table
from tests.support import ROOT

HIDES = "a\x1b[2K\x1b[1A\rb\x07\x9b31mc\u202ed"
SHOWN = r"a\x1b[2K\x1b[1A\rb\x07\x9b31mc\u202ed"


@given(st.text())
def test_no_control_letter_is_left_and_all_others_stay(text):
    shown = escaped(text)
    shown.encode()
    assert all(letter.isprintable() or letter in "\t\n" or ord(letter) > 0x9F for letter in shown)
    plain = "".join(letter for letter in text if letter.isprintable() or letter in "\t\n")
    assert escaped(plain) == plain


def test_a_stream_escapes_what_is_printed_but_for_the_return_of_a_progress_bar():
    stream = io.StringIO()
    print(HIDES, file=Escaping(stream))
    print("\r 50 %", end="", file=Escaping(stream))
    terminal(Escaping(stream)).write("\x1b[K")
    assert stream.getvalue() == f"{SHOWN}\n\r 50 %\x1b[K"


def test_a_table_on_a_terminal_has_its_own_styles_and_no_control_letters_of_its_cells():
    stream = io.StringIO()
    rows = table("run", title="[bold]runs")
    rows.add_row(HIDES)
    EscapingConsole(file=stream, force_terminal=True, color_system="standard").print(rows)
    text = stream.getvalue()
    assert r"a\x1b[2K\x1b[1A" in text
    assert "\x1b[1m" in text
    assert "\x1b[2K" not in text


def on_a_terminal(*arguments):
    """What a command writes to a terminal."""
    leader, follower = pty.openpty()
    run = subprocess.Popen(
        [sys.executable, "-m", "energy", *map(str, arguments)],
        stdout=follower,
        stderr=follower,
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "300"},
    )
    os.close(follower)
    written = b""
    while True:
        try:
            part = os.read(leader, 1 << 16)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        written += part
    os.close(leader)
    run.wait(60)
    return written.decode()


@pytest.mark.process
def test_names_from_records_folders_and_arguments_are_shown_as_text(tmp_path):
    metered = ["run", "--out", tmp_path / "r", "--label", f"x={HIDES}", "--", "true"]
    assert "record: " in on_a_terminal(*metered)
    record = RunRecord.load(tmp_path / "r")
    record.name = f"mine {HIDES}"
    record.windows = [window.model_copy(update={"name": HIDES}) for window in record.windows]
    record.save(tmp_path / "r")
    outputs = [
        on_a_terminal("report", tmp_path / "r"),
        on_a_terminal("verify", Path(f"/no/{HIDES}")),
        on_a_terminal("grid", HIDES),
    ]
    for output in outputs:
        assert r"a\x1b[2K\x1b[1A" in output
        assert not set(output) & set("\x1b\x07\x9b\u202e")
        assert "\r" not in output.replace("\r\n", "")
