"""The layout is as it was drawn: who imports whom, what `--help` loads, and how long a file is."""

import ast
import subprocess
import sys
from pathlib import PurePosixPath

import pytest

from scripts.architecture.imports import (
    PACKAGES,
    ROOT,
    between_parts,
    cycles,
    imports,
    loaded_by_name,
    modules,
    part_of,
)
from scripts.architecture.rules import (
    FUNCTIONS,
    HEAVY,
    LIBRARIES,
    LINES,
    MAY_IMPORT,
    MAY_IMPORT_PACKAGES,
    PRIVATE_TO_ENERGY,
)

FOLDERS = (*PACKAGES, "benchmarks", "experiments", "scripts", "tests")

LONGEST_FILE = 350
LONGEST_FUNCTION = 60

# Words that say nothing of what a thing is; they are no names here.
EMPTY_NAMES = {"found", "told", "held", "asked", "given", "laid", "one"}


def sources():
    """Every Python file of the repository that the rules of length and of names hold for."""
    return [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def arrows():
    return [arrow for module in modules() for arrow in imports(module)]


def package_of(module):
    return module.split(".")[0]


def short(part):
    """The name of a part inside its package: "ledger" of energy.ledger."""
    return part.split(".")[1]


def line_of(part):
    """The number of a part's line, counted from below; a package itself stands above all."""
    if part in PACKAGES:
        return len(LINES[part]) + 1
    lines = LINES[package_of(part)]
    for number, line in enumerate(reversed(lines), start=1):
        if short(part) in line.split():
            return number
    pytest.fail(f"{part} stands on no line of scripts/architecture/rules.py: add it to the drawing")


def test_every_part_stands_on_one_line_of_the_drawing():
    parts = {part_of(module) for module in modules()} - set(PACKAGES)
    drawn = [
        f"{package}.{name}"
        for package in PACKAGES
        for line in LINES[package]
        for name in line.split()
    ]
    assert len(drawn) == len(set(drawn))
    assert sorted({".".join(part.split(".")[:2]) for part in parts}) == sorted(drawn)


def test_a_part_imports_only_what_stands_on_a_lower_line():
    wrong = [
        str(arrow)
        for arrow in between_parts()
        if package_of(arrow.importer) == package_of(arrow.target)
        and line_of(part_of(arrow.target)) >= line_of(part_of(arrow.importer))
    ]
    assert wrong == []


def test_a_part_of_the_simulator_imports_only_what_its_row_of_the_table_names():
    wrong = [
        str(arrow)
        for arrow in between_parts()
        if package_of(arrow.importer) == package_of(arrow.target) == "simulator"
        and arrow.importer != "simulator"
        and short(part_of(arrow.importer)) in MAY_IMPORT
        and short(part_of(arrow.target)) not in MAY_IMPORT[short(part_of(arrow.importer))].split()
    ]
    assert wrong == []


def test_the_command_line_mounts_the_commands_of_the_questions_and_nothing_else_of_them():
    wrong = [
        str(arrow)
        for arrow in imports("simulator.cli")
        if arrow.target.startswith("simulator.questions") and not arrow.target.endswith(".command")
    ]
    assert wrong == []


def test_no_package_imports_a_package_that_it_must_not():
    others = {*PACKAGES, *FOLDERS, "notebooks"}
    wrong = [
        str(arrow)
        for arrow in arrows()
        if package_of(arrow.target) in others - {package_of(arrow.importer)}
        and package_of(arrow.target) not in MAY_IMPORT_PACKAGES[package_of(arrow.importer)]
    ]
    assert wrong == []


def test_the_other_packages_use_energy_as_a_library_not_as_a_command():
    wrong = [
        str(arrow)
        for arrow in arrows()
        if package_of(arrow.importer) != "energy" and part_of(arrow.target) in PRIVATE_TO_ENERGY
    ]
    assert wrong == []


def test_no_module_imports_a_name_from_the_top_of_its_own_package():
    wrong = [str(arrow) for arrow in arrows() if arrow.target == package_of(arrow.importer)]
    assert wrong == []


def test_no_import_is_relative():
    assert [str(arrow) for arrow in arrows() if arrow.target.startswith(".")] == []


def test_modules_do_not_import_each_other_in_a_cycle():
    graph = {
        module: {arrow.target for arrow in imports(module)} & set(modules()) for module in modules()
    }
    assert cycles(graph) == []


def test_parts_do_not_import_each_other_in_a_cycle():
    graph = {}
    for arrow in between_parts():
        graph.setdefault(part_of(arrow.importer), set()).add(part_of(arrow.target))
    assert cycles(graph) == []


def test_a_cycle_is_detected():
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}) == [["a", "b", "c"]]


def test_each_library_of_others_is_imported_in_its_own_place_only():
    wrong = [
        str(arrow)
        for arrow in arrows()
        if (library := package_of(arrow.target)) not in {*sys.stdlib_module_names, *PACKAGES}
        and not may_import(library, arrow)
    ]
    assert wrong == []


def may_import(library, arrow):
    path = PurePosixPath(modules()[arrow.importer].relative_to(ROOT).as_posix())
    return library in LIBRARIES and (
        LIBRARIES[library](path) or FUNCTIONS.get(library) == arrow.function
    )


# These load what their callers name.
LOADERS = ("energy._lazy", "energy.app", "simulator.kit.answer")


def test_modules_are_imported_by_statements_that_this_test_can_read():
    wrong = [
        str(path.relative_to(ROOT))
        for module, path in modules().items()
        if module not in LOADERS
        and any(
            (loaded_by_name(node) or "").startswith("*")
            or (isinstance(node, ast.Name) and node.id == "__import__")
            for node in ast.walk(ast.parse(path.read_text()))
        )
    ]
    assert wrong == []


def test_the_packages_inside_the_rooms_define_nothing():
    inner = [path for path in modules().values() if path.name == "__init__.py"]
    wrong = [
        str(path.relative_to(ROOT))
        for path in inner
        if path.parent.parent != ROOT
        and [type(node) for node in ast.parse(path.read_text()).body] != [ast.Expr]
    ]
    assert wrong == []


def test_every_module_says_what_it_does():
    wrong = [
        str(path.relative_to(ROOT))
        for module, path in modules().items()
        if not module.endswith("__main__") and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert wrong == []


def test_a_file_carries_one_idea():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources()
        if (lines := len(path.read_text().splitlines())) > LONGEST_FILE
    }
    assert long == {}


def test_a_function_fits_a_screen():
    long = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": lines
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := node.end_lineno - node.lineno + 1) > LONGEST_FUNCTION
    }
    assert long == {}


CATCH_ALL = {
    "energy/tracking/decorator.py": "the run of a function that raises is closed with its error",
    "energy/outside.py": "drivers, plug-ins and hubs may raise anything",
    "glam/checkpoints/writer.py": "a thread hands its error to the one that waits for it",
}
"""Where every exception is caught, and why; nowhere else."""


def test_every_exception_is_caught_in_the_places_named_only():
    places = {
        str(path.relative_to(ROOT))
        for package in ("energy", "glam", "simulator")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler) and _catches_all(node.type)
    }
    assert places == set(CATCH_ALL)


def _catches_all(kinds):
    """Whether a handler is bare, or names Exception or BaseException."""
    named = kinds.elts if isinstance(kinds, ast.Tuple) else [kinds]
    return any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException"))
        for kind in named
    )


def test_no_name_is_an_empty_word():
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno} {name}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        for name in bound_names(node)
        if name.strip("_") in EMPTY_NAMES
    ]
    assert wrong == []


def bound_names(node):
    """The names that a node of the syntax tree gives to something."""
    match node:
        case ast.arg(arg=name):
            return [name]
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            return [name]
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.alias(asname=str(name)) | ast.ExceptHandler(name=str(name)):
            return [name]
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return [name]
    return []


def test_the_formatter_and_the_linter_are_not_switched_off_for_a_file():
    marks = ("fmt: " + "skip", "fmt: " + "off", "ruff: " + "noqa")
    wrong = [
        str(path.relative_to(ROOT))
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if any(mark in path.read_text() for mark in marks)
    ]
    assert wrong == []


def python(code):
    """What Python prints when it runs this code in a process of its own."""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@pytest.mark.parametrize("words", [*PACKAGES, "energy run", "glam train", "simulator predict"])
def test_help_loads_no_heavy_module(words):
    code = (
        f"import sys; sys.argv = [*{words.split()}, '--help']\n"
        f"from {words.split()[0]}.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print(sorted(set({HEAVY}) & set(sys.modules)))\n"
    )
    assert python(code).splitlines()[-1] == "[]"


def test_published_runs_are_compared_and_places_listed_without_the_physics():
    physics = ["simulator.physics.step", "simulator.plans", "simulator.fit", "simulator.serving"]
    code = (
        "import sys; from simulator.cli import main\n"
        "for words in ['regions FRA'], ['compare', 'glam-64b-64e', 'gpt3-175b']:\n"
        "    sys.argv = ['simulator', *' '.join(words).split()]\n"
        "    try:\n        main()\n    except SystemExit as end:\n        assert not end.code\n"
        "    print('numpy' in sys.modules)\n"
        f"print(sorted(set({physics}) & set(sys.modules)))"
    )
    printed = python(code).splitlines()
    assert printed[-1] == "[]"
    assert printed.index("False") < printed.index("True")


def test_importing_energy_loads_no_heavy_module():
    heavy = [*HEAVY, "rich", "typer", "energy.ledger.reader"]
    code = (
        "import sys; import energy; from energy import Tracker\n"
        f"print(sorted(set({heavy}) & set(sys.modules)))"
    )
    assert python(code) == "[]"


@pytest.mark.parametrize(
    "module", [part for package in PACKAGES for part in (package, f"{package}.cli")]
)
def test_each_command_runs_by_its_module_too(module):
    run = subprocess.run(
        [sys.executable, "-m", module, "--help"], capture_output=True, text=True, cwd=ROOT
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert f"Usage: python -m {module}" in run.stdout
