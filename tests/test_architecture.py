"""The house stands as it was drawn: who may import whom, and what `--help` may load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

ROOMS = ("energy", "glam", "simulator")
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))

FORBIDDEN = {
    "energy": {"glam", "simulator"},
    "glam": {"simulator"},
    "simulator": {"glam"},
}


def is_plot_module(path: Path) -> bool:
    return "plots" in path.stem


ONLY_IN = {
    "torch": lambda path: path.parts[0] == "glam" or path == Path("energy/callbacks/torch_sync.py"),
    "sentencepiece": lambda path: path.parts[0] == "glam",
    "pyarrow": lambda path: path == Path("glam/data/parquet.py"),
    "datasets": lambda path: path == Path("glam/data/parquet.py"),
    "pynvml": lambda path: path == Path("energy/meters/nvml.py"),
    "codecarbon": lambda path: "codecarbon" in path.stem,
    "matplotlib": is_plot_module,
    "typer": lambda path: path.stem == "cli" or path.stem.startswith("cli_"),
}


def imports(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it; type-checking blocks included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


def arrows() -> list[tuple[Path, str]]:
    return [
        (path.relative_to(ROOT), name.split(".")[0]) for path in SOURCES for name in imports(path)
    ]


def test_no_room_imports_a_room_that_it_must_not():
    wrong = [(str(path), name) for path, name in arrows() if name in FORBIDDEN[path.parts[0]]]
    assert wrong == []


def test_each_heavy_library_is_imported_in_its_own_place_only():
    wrong = [
        (str(path), name) for path, name in arrows() if name in ONLY_IN and not ONLY_IN[name](path)
    ]
    assert wrong == []


def test_a_file_carries_one_idea():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in SOURCES
        if (lines := len(path.read_text().splitlines())) > 350
    }
    assert long == {}


@pytest.mark.parametrize("room", ROOMS)
def test_help_loads_no_heavy_module(room):
    code = (
        f"import sys; sys.argv = ['{room}', '--help']\n"
        f"from {room}.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'torch', 'matplotlib', 'codecarbon', 'numpy', 'pydantic', 'scipy', 'pandas'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    assert run.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize("module", [part for room in ROOMS for part in (room, f"{room}.cli")])
def test_each_command_runs_by_its_module_too(module):
    run = subprocess.run(
        [sys.executable, "-m", module, "--help"], capture_output=True, text=True, cwd=ROOT
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert f"Usage: python -m {module}" in run.stdout


def test_importing_energy_loads_no_heavy_module():
    code = (
        "import sys; import energy; from energy import Tracker\n"
        "heavy = {'torch', 'numpy', 'pydantic', 'rich', 'typer', 'pynvml', 'codecarbon'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.stdout.strip() == "[]", run.stderr
