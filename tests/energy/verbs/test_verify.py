"""`energy verify` from the shell: exit code 5 on anything BAD, 2 for a file that is no ledger."""

import json
import subprocess
import sys

import pytest

from energy.ledger.lines import FILE
from tests.support.ledgers import domain, end, header, record_of, sample, steady


def energy(*arguments):
    command = [sys.executable, "-m", "energy", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def counted(readings):
    rows = [sample(second, value) for second, value in enumerate(readings)]
    return [header([domain()]), *rows, end(len(readings) - 1)]


SOUND = [1e6 + 300.0 * second for second in range(10)]
DIPPED = [*SOUND[:5], 200.0, *SOUND[6:]]
LOST = [*SOUND[:4], *[None] * 6]
STOPPED = [header([domain(method="power")]), *steady(0, 4), *steady(20, 24), end(24)]


@pytest.mark.parametrize(
    ("rows", "bad"),
    [
        (counted(SOUND), set()),
        (counted(DIPPED), {"doubts"}),
        (counted(LOST), {"unread", "coverage"}),
        (STOPPED, {"gaps", "coverage"}),
    ],
    ids=["sound", "dipped", "lost", "stopped"],
)
def test_the_exit_code_is_5_if_any_check_is_bad(tmp_path, rows, bad):
    record_of(tmp_path, rows).save(tmp_path / "record.json")
    checks = energy("verify", tmp_path, "--json")
    failed = {c["check"] for c in json.loads(checks.stdout)["checks"] if not c["passed"]}
    assert (failed, checks.returncode) == (bad, 5 if bad else 0)


@pytest.mark.parametrize("verb", ["verify", "record", "merge"])
@pytest.mark.parametrize(
    "text", ["device,watts\n0,300\n", '{\n "name": "run"\n}\n', '{"text": "a"}\n', "\n\n"]
)
def test_a_file_that_is_no_ledger_is_refused_in_one_line(tmp_path, verb, text):
    file = tmp_path / "file"
    file.write_text(text)
    options = ["--out", tmp_path / "all"] if verb == "merge" else []
    refused = energy(verb, file, *options)
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "expected a ledger" in line
    assert "a file that begins with" in line


def test_a_ledger_that_is_cut_off_in_its_first_line_is_a_ledger(tmp_path):
    record_of(tmp_path, counted(SOUND))
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:50])
    checked = energy("verify", tmp_path)
    assert checked.returncode == 5
    assert "BAD chain" in checked.stdout
