"""What several test files need."""

import sys

import pytest


@pytest.fixture
def simulator(monkeypatch, capsys, tmp_path):
    """Run the command `simulator`; give its exit code, its output and what it said on stderr."""
    from simulator.cli import main

    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["simulator", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        told = capsys.readouterr()
        return end.value.code or 0, told.out, told.err

    return run
