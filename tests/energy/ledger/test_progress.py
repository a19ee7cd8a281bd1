"""Whoever reads a long ledger sees how far it is, and a short one passes without a word."""

import io

import pytest

from energy.ledger.progress import Progress
from energy.ledger.reader import Reader
from energy.ledger.verify import PASSES, verify
from tests.support.standin import write_ledger


class Stream(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.fixture
def path(tmp_path):
    """A ledger of 20,000 rows."""
    path = tmp_path / "ledger.jsonl"
    header = {"k": "header", "id": "run", "boot": "boot", "host": "node", "domains": []}
    write_ledger(path, [header, *({"k": "s", "m": n * 10**9, "j": []} for n in range(20_000))])
    return path


def words(
    path,
    terminal,
    seconds,
    read=lambda path, on_bytes: Reader(path, on_bytes=on_bytes).segments(),
    times=1,
):
    """What is printed while a ledger is read, with so many seconds between two looks."""
    now, stream = [0.0], Stream(terminal)
    with Progress([path], times, stream, lambda: now[0]) as progress:

        def advance(count):
            now[0] += seconds
            progress.advance(count)

        read(path, advance)
    return stream.getvalue()


def test_a_terminal_shows_the_share_that_is_read_and_the_line_goes_in_the_end(path):
    shown = words(path, True, 2.0).split("\r\x1b[K")
    assert shown[1].startswith(f"reading {path.parent}: 2")
    assert shown[-2].endswith("100 %, 0 s left")
    assert shown[-1] == ""


def test_what_takes_less_than_a_second_is_silent(path):
    assert words(path, True, 0.1) == ""


def test_a_log_file_gets_a_line_a_minute(path):
    assert words(path, False, 2.0) == ""
    assert words(path, False, 35.0).count("\n") == 2


def test_verify_reads_a_ledger_as_often_as_it_says(path):
    assert words(path, True, 2.0, verify, PASSES).count("100 %") == 1
