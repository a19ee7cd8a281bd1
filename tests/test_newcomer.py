"""The newcomer's path of the README: from an empty folder to a Pareto picture in four commands."""

import re
import shlex

from tests.support import ROOT

README = (ROOT / "README.md").read_text()
SECTION = README.split("## From an empty folder to a Pareto picture")[1].split("\n## ")[0]
BLOCKS = re.findall(r"```\n(.*?)```", SECTION, re.DOTALL)
COMMANDS = [line for line in BLOCKS[0].replace("\\\n", " ").splitlines() if line.strip()]


def words(line):
    return line.split()


def test_the_path_is_four_commands_that_run_from_an_empty_folder(simulator, tmp_path):
    assert list(tmp_path.iterdir()) == []
    assert len(COMMANDS) == 4
    for command in COMMANDS:
        code, out, err = simulator(*shlex.split(command)[1:])
        assert (code, err) == (0, "")
        assert out
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {"my-run.toml", "power.html", "pareto.png"}
    assert (tmp_path / "pareto.png").read_bytes()[:4] == b"\x89PNG"


def test_what_the_readme_prints_is_what_the_last_command_says(simulator):
    simulator(*shlex.split(COMMANDS[0])[1:])
    _, out, _ = simulator(*shlex.split(COMMANDS[-1])[1:])
    said = [words(line) for line in out.splitlines()]
    for line in BLOCKS[1].splitlines():
        assert words(line) in said
