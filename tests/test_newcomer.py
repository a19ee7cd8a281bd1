"""The README's path for newcomers: from an empty folder to a Pareto front in four commands."""

import re
import shlex

from tests.support import ROOT

README = (ROOT / "README.md").read_text()
SECTION = README.split("## From an empty folder to a Pareto front")[1].split("\n## ")[0]
ACCURACY = {
    "chip-hours of 38 published training runs": (
        "chip-hours of whole runs, blind",
        "coverage of the 80 % band of chip-hours",
    ),
    "throughput, dense": tuple(
        f"dense, publisher left out, {name}" for name in ("median", "90th percentile", "coverage")
    ),
    "throughput, mixture of experts": tuple(
        f"MoE, publisher left out, {name}" for name in ("median", "90th percentile", "coverage")
    ),
    "watts per chip, 10 runs": ("watts per chip, blind",),
}
"""Rows of the README's table of accuracy, and the rows of the results that they round."""

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


def test_the_readmes_accuracy_is_that_of_the_results():
    results = (ROOT / "docs" / "results-simulator.md").read_text()
    for title, rows in ACCURACY.items():
        line = next(line for line in README.splitlines() if line.startswith(f"| {title}"))
        shown = re.findall(r"(\d+) %", line.split("|", 2)[2])
        measured = [
            next(line for line in results.splitlines() if line.startswith(f"| {row} |"))
            for row in rows
        ]
        assert shown == [f"{float(line.split('|')[4].strip(' %')):.0f}" for line in measured]
