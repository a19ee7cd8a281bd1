"""README and docs name files, commands and options that exist, and show what commands print."""

import ast
import doctest
import importlib
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
import typer

from energy.quantity import Quantity
from energy.record import EnergyEntry, RunRecord, Window
from tests.support import ROOT

PAGES = sorted([*ROOT.glob("*.md"), ROOT / "llms.txt", *(ROOT / "docs").rglob("*.md")])
CURRENT = [page for page in PAGES if not re.search("CHANGELOG|changes", str(page))]
"""Pages of today: all but those that name what a module or option was called before."""
MANUAL = [page for page in CURRENT if not page.name.startswith("results")]
"""Pages without figures: a page of figures shows the commands of the day of its measurement."""

FOLDERS = "benchmarks|docs|energy|experiments|glam|notebooks|scripts|simulator|tests"
COMMANDS = ("energy", "glam", "simulator")
UsageError = typer.BadParameter.__base__
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def every_page(pages):
    return pytest.mark.parametrize("page", pages, ids=lambda page: str(page.relative_to(ROOT)))


def prose(page):
    """The text of a page outside its fenced blocks."""
    return FENCE.sub("", page.read_text())


def code_spans(page):
    """The words in backticks in the prose of a page."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(page))]


def sessions(page):
    """Each command that a fenced block of a page shows, with the lines that it prints there."""
    commands = []
    for language, block in FENCE.findall(page.read_text()):
        if language not in ("", "bash", "console", "sh"):
            continue
        lines = block.replace("\\\n", " ").splitlines()
        prompts = any(line.startswith("$ ") for line in lines)
        for line in lines:
            if line.startswith("$ ") or not prompts:
                commands.append((line.removeprefix("$ "), []))
            elif commands:
                commands[-1][1].append(line)
    return commands


def calls(page):
    """Each call of a command of this project in the blocks and the prose of a page, as words."""
    for line in [*(line for line, _ in sessions(page)), *code_spans(page)]:
        first, _, rest = line.partition(" ")
        if first in COMMANDS and rest:
            yield shlex.split(line, comments=True)


@cache
def command(name):
    """The command of a package, as its parser sees it."""
    app = importlib.import_module(f"{name}.cli").command()
    return typer.main.get_command(app)


def what_is_wrong(words):
    """Why a command would refuse these words; None where it would run. X stands for any verb."""
    group = command(words[0])
    verb = group.commands.get(words[1])
    if verb is None:
        return None if words[1] in ("--help", "--version", "X") else f"no verb {words[1]}"
    context = verb.context_class(verb, info_name=words[1], **verb.context_settings)
    try:
        _, unexpected, _ = verb.make_parser(context).parse_args(words[2:])
    except UsageError as error:
        # Prose may name an option without its value.
        return None if "requires an argument" in str(error) else str(error)
    return f"unexpected {unexpected}" if unexpected and words[1] != "run" else None


def named_files(page):
    """Each path of a file or folder of this repository in the code spans of a page."""
    for span in code_spans(page):
        yield from re.findall(rf"(?<![\w./-])(?:{FOLDERS})/[\w./*-]*[\w/*]", span)


def defined_in(path):
    """The names that a module defines or imports, and the attributes of its classes."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name)
    return names


def exists(dotted):
    """Whether a dotted name is a module, or a name that its longest module defines."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:length])
        module = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if module.is_file():
            return set(parts[length:]) <= defined_in(module)
    return False


@every_page(PAGES)
def test_every_relative_link_leads_to_a_file(page):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    inside = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in inside if not (page.parent / link).exists()] == []


@every_page(CURRENT)
def test_every_file_that_is_named_exists(page):
    """A folder X in a path stands for any folder; a page may have its reader write a file."""
    written = re.findall(r"Write `([^`]+)`:", page.read_text())
    missing = [
        name
        for name in named_files(page)
        if name not in written and not list(ROOT.glob(name.replace("/X/", "/*/")))
    ]
    assert missing == []


@every_page(CURRENT)
def test_every_python_name_exists(page):
    dotted = rf"(?<![\w./-])(?:{'|'.join(COMMANDS)}|benchmarks|experiments)(?:\.\w+)+(?![\w/])"
    names = {name for span in code_spans(page) for name in re.findall(dotted, span)}
    files = {name for name in names if name.rpartition(".")[2] in ("csv", "toml", "json", "md")}
    assert [name for name in sorted(names - files) if not exists(name)] == []


def test_every_module_that_moved_is_where_the_page_of_changes_says():
    page = (ROOT / "docs" / "changes.md").read_text().split("## Modules")[1]
    moved = re.findall(r"^\| `[\w.]+` \| (`.+`) \|$", page, re.MULTILINE)
    assert len(moved) > 150
    now = {name for cell in moved for name in re.findall(r"`([\w.]+)`", cell)}
    assert [name for name in sorted(now) if not exists(name)] == []


def test_the_page_of_the_record_explains_every_field():
    page = (ROOT / "docs" / "record.md").read_text()
    models = (RunRecord, EnergyEntry, Window, Quantity)
    fields = {name for model in models for name in model.model_fields}
    explained = set(re.findall(r"[`\"](\w+)[`\"]", page))
    assert fields - explained == set()


@every_page(MANUAL)
def test_every_command_has_a_verb_and_options_that_exist(page):
    wrong = {shlex.join(words): what_is_wrong(words) for words in calls(page)}
    assert {call: why for call, why in wrong.items() if why} == {}


@every_page(CURRENT)
def test_every_module_that_is_run_exists(page):
    code = [line for line, _ in sessions(page)] + code_spans(page)
    modules = {name for line in code for name in re.findall(r"python -m ([\w.]+)", line)}
    ours = [name for name in modules if re.match(rf"(?:{FOLDERS})\b", name)]
    assert [name for name in ours if not exists(name)] == []


SIMULATED = [
    pytest.param(line, printed, id=f"{page.name}: {' '.join(line.split()[:4])}")
    for page in MANUAL
    for line, printed in sessions(page)
    if line.startswith("simulator ") and printed
]


@pytest.mark.slow
@pytest.mark.parametrize(("line", "printed"), SIMULATED)
def test_a_page_shows_what_the_simulator_prints(line, printed, simulator):
    """The output has the lines of the page, in their order; "..." stands for any lines."""
    Path("docs").mkdir()
    _, out, err = simulator(*shlex.split(line)[1:])
    actual = iter(" ".join(words.split()) for words in [*out.splitlines(), *err.splitlines()])
    shown = [" ".join(words.split()) for words in printed]
    missing = [words for words in shown if words not in ("", "...") and words not in actual]
    assert missing == []


@every_page([page for page in CURRENT if re.search(r"^```python\n>>> ", page.read_text(), re.M)])
def test_the_python_session_of_a_page_prints_what_it_shows(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    session = "\n".join(block for _, block in FENCE.findall(page.read_text()) if ">>> " in block)
    test = doctest.DocTestParser().get_doctest(session, {}, page.stem, str(page), 0)
    assert test.examples
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert runner.run(test).failed == 0


def test_every_finding_stands_on_its_page_as_its_script_begins():
    page = (ROOT / "docs" / "findings.md").read_text()
    scripts = sorted((ROOT / "findings").glob("*.sh"))
    assert scripts
    for script in scripts:
        head = script.read_text().split("\n#\n")[0].split("\n", 1)[1]
        version, _, said = " ".join(head.replace("#", "").split()).partition(": ")
        row = f"| [{script.stem}](../findings/{script.name}) | {version} | {said.rstrip('.')} |"
        assert row in page
    assert page.count("](../findings/") == len(scripts)


def test_every_picture_is_shown_on_a_page():
    shown = {
        (page.parent / target).resolve()
        for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
        for target in re.findall(r"!\[[^\]]*\]\(([^)\s]+)", page.read_text())
    }
    assert set((ROOT / "docs").rglob("*.png")) - shown == set()
