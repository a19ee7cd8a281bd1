"""The notebooks run in a new kernel, have no logic, and end with a sentence that they prove."""

from __future__ import annotations

import ast
import re

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

from scripts.notebooks.__main__ import executed, paths, printed, sources
from tests.support import ROOT

pytestmark = [pytest.mark.process, pytest.mark.slow]

NOTEBOOKS = paths()
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
LOGIC = (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.If, ast.Lambda, ast.Try)
PRIVATE = re.compile(r"/(home|root|tmp|work|Users)/|\.venv|\x1b\[")


def numbers(text):
    """The numbers of a text, whatever separates their thousands."""
    return {float(number.replace(",", "")) for number in NUMBER.findall(text)}


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_five_notebooks_in_order():
    assert [path.name[:3] for path in NOTEBOOKS] == ["01_", "02_", "03_", "04_", "05_"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_its_last_sentence_is_what_its_last_cell_shows(path):
    fresh = executed(path)
    shown = [printed(cell) for cell in code(fresh)]
    assert [text for text in shown if "error:" in text] == []
    last = fresh.cells[-1]
    assert last.cell_type == "markdown"
    assert numbers(last.source)
    assert numbers(last.source) <= numbers(shown[-1])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_with_outputs_that_name_nobody_and_no_folder(path):
    kept = nbformat.read(path, as_version=4)
    cells = code(kept)
    assert all(cell.execution_count == number for number, cell in enumerate(cells, 1))
    assert sum(bool(cell.outputs) for cell in cells) >= len(cells) - 2
    assert PRIVATE.search("\n".join(printed(cell) for cell in cells)) is None
    assert sources(kept)[0][1].startswith("# ")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_no_logic_of_its_own(path):
    for cell in code(nbformat.read(path, as_version=4)):
        nodes = ast.walk(ast.parse(TransformerManager().transform_cell(cell.source)))
        assert [node for node in nodes if isinstance(node, LOGIC)] == []


def test_the_page_of_the_notebooks_names_each():
    page = (ROOT / "docs" / "notebooks.md").read_text()
    assert [path.name for path in NOTEBOOKS if f"../notebooks/{path.name}" not in page] == []
