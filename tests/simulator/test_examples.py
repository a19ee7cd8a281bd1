"""The examples in the help of the questions run as they are printed."""

import shlex
from datetime import UTC, datetime, timedelta

import pytest

from simulator.cli import command

OF_FILES = ("init", "predict", "calibrate", "validate")
"""Their examples name files that a reader writes first."""
COMMANDS = [
    verb for verb in command().registered_commands if verb.callback.__name__ not in OF_FILES
]
EXAMPLES = [
    line.strip()
    for verb in COMMANDS
    for line in (verb.epilog or "").splitlines()
    if line.strip().startswith("simulator ")
]


def test_every_question_has_examples():
    for verb in COMMANDS:
        name = verb.callback.__name__
        assert any(line.split()[1] == name for line in EXAMPLES), name


@pytest.mark.parametrize("line", EXAMPLES)
def test_an_example_runs_as_it_is_printed(simulator, tmp_path, line):
    start = datetime(2025, 1, 1, tzinfo=UTC)
    rows = (
        f"{start + timedelta(hours=hour):%Y-%m-%dT%H:%MZ},{300 + 100 * (hour % 24 > 12)}"
        for hour in range(8760)
    )
    (tmp_path / "grid-2025.csv").write_text("time,g_per_kwh\n" + "\n".join(rows))
    code, out, err = simulator(*shlex.split(line)[1:])
    assert (code, err) == (0, "")
    assert out
