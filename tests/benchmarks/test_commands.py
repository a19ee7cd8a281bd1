"""The benchmark of whole commands: fair turns, all processor time counted, failures refused."""

import pytest

from benchmarks import pages
from benchmarks.commands import __main__ as commands
from benchmarks.commands import beside
from benchmarks.gate import Gate
from energy.errors import AccountingError, InputError
from tests.support import ROOT

LOGS_ITS_FOLDER = """
import os
import pathlib
here = pathlib.Path(__file__).parents[1]
with open(here.parent / "log", "a") as log:
    print(here.name, file=log)
"""
BURNS_IN_A_CHILD = """
import subprocess, sys
burn = "import time\\nwhile time.process_time() < 0.3: pass"
subprocess.run([sys.executable, "-c", burn], check=True)
"""
FAILS = """
import sys
print("a reason", file=sys.stderr)
sys.exit(int(sys.argv[1]))
"""


def checkout(folder, code):
    """A stand-in for a checkout of the project: only a `simulator.cli` that runs some code."""
    (folder / "simulator").mkdir(parents=True)
    (folder / "simulator" / "__init__.py").touch()
    (folder / "simulator" / "cli.py").write_text(code)
    return folder


def test_each_round_runs_both_checkouts_and_the_first_one_alternates(tmp_path, monkeypatch):
    here, other = (checkout(tmp_path / name, LOGS_ITS_FOLDER) for name in ("here", "other"))
    monkeypatch.setattr(beside, "ROOT", here)
    monkeypatch.setattr(beside, "COMMANDS", (beside.Command("predict", 1.0),))
    measured = beside.compare(other, range(2))
    assert len(measured.libraries_s) == 2
    assert measured.rows()[-1][0].startswith("numpy")
    (comparison,) = measured.comparisons
    order = (tmp_path / "log").read_text().split()
    assert order == ["here", "other", "other", "here", "here", "other"]
    assert len(comparison.here_s) == len(comparison.other_s) == 2


def test_the_ratio_is_the_median_of_the_pairs():
    comparison = beside.Comparison(beside.Command("x", 0.5), [1.0, 8.0, 3.0], [4.0, 8.0, 6.0])
    assert comparison.gate == Gate("simulator x", 0.5, 0.5)
    assert comparison.gate.met


def test_processor_time_includes_that_of_children(tmp_path):
    folder = checkout(tmp_path / "any", BURNS_IN_A_CHILD)
    assert beside.Command("predict", 1.0).processor_s(folder) >= 0.3


def test_only_the_listed_exit_codes_count_as_success(tmp_path):
    folder = checkout(tmp_path / "any", FAILS)
    assert beside.Command("3", 1.0, exit_codes=(0, 3)).processor_s(folder) > 0
    with pytest.raises(AccountingError, match=r"expected exit code 0 .*; got 3, a reason"):
        beside.Command("3", 1.0).processor_s(folder)


def test_a_folder_without_the_simulator_and_this_checkout_are_refused(tmp_path):
    with pytest.raises(InputError, match="git worktree add"):
        commands.run(1, tmp_path, None, as_json=False)
    with pytest.raises(InputError, match="another checkout than this one"):
        commands.run(1, ROOT, None, as_json=False)


@pytest.mark.parametrize(
    "mark", [commands.HELP_MARK, commands.PROCESSOR_MARK, commands.ELAPSED_MARK]
)
def test_the_results_page_has_a_place_for_each_table(mark):
    assert pages.split_at_marks(ROOT / "docs" / "results.md", mark)[1].strip()


def test_writing_between_marks_leaves_the_rest_of_the_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- a: b -->\nold\n<!-- end of a: b -->\nafter\n")
    pages.write_between(page, "a: b", "new")
    assert page.read_text() == "before\n<!-- a: b -->\n\nnew\n\n<!-- end of a: b -->\nafter\n"
    with pytest.raises(InputError, match="expected <!-- c -->"):
        pages.write_between(page, "c", "new")
