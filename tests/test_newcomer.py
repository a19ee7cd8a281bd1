"""The README's path for newcomers: from an empty folder to a Pareto front in four commands."""

import re
import shlex

from tests.support import ROOT

README = (ROOT / "README.md").read_text()
SECTION = README.split("## From an empty folder to a Pareto front")[1].split("\n## ")[0]
BLOCKS = re.findall(r"```\n(.*?)```", SECTION, re.DOTALL)
COMMANDS = [line for line in BLOCKS[0].replace("\\\n", " ").splitlines() if line.strip()]


def test_the_path_is_four_commands_that_run_from_an_empty_folder(simulator, tmp_path):
    assert list(tmp_path.iterdir()) == []
    assert len(COMMANDS) == 4
    for command in COMMANDS:
        code, out, err = simulator(*shlex.split(command)[1:])
        assert (code, err) == (0, "")
        assert out
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {"my-run.toml", "power.html", "pareto.png"}
    assert (tmp_path / "pareto.png").read_bytes()[:4] == b"\x89PNG"


def test_the_readme_shows_what_the_last_command_prints(simulator):
    simulator(*shlex.split(COMMANDS[0])[1:])
    _, out, _ = simulator(*shlex.split(COMMANDS[-1])[1:])
    printed = [line.split() for line in out.splitlines()]
    for line in BLOCKS[1].splitlines():
        assert line.split() in printed
