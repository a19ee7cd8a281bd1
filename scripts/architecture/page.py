"""The generated parts of docs/architecture.md: the drawings, and a line for every file."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path
from textwrap import wrap

from scripts.architecture.imports import PACKAGES, ROOT, between_parts, modules, part_of
from scripts.architecture.rules import LINES
from simulator.cli import VERBS

PAGE = ROOT / "docs" / "architecture.md"
MARK = "{}: make architecture"
WIDTH = 100
CAPTION = (
    "An arrow is left out where a longer path leads the same way; the table lists every import."
)
DATA = (".csv", ".json", ".toml")
QUESTIONS = Path("simulator/questions")


def blocks() -> dict[str, str]:
    """Each generated block of the page by its mark."""
    drawn = {MARK.format(f"arrows of {package}"): arrows(package) for package in PACKAGES}
    return drawn | {MARK.format(f"files of {package}"): files(package) for package in PACKAGES}


def arrows(package: str) -> str:
    """The drawing of a package, and under it what each part imports."""
    return f"{picture(package)}\n\n{CAPTION}\n\n{imported_by_part(package)}"


def picture(package: str) -> str:
    """A Mermaid graph of the parts: an arrow is drawn unless a longer way says the same."""
    graph = _graph(package)
    lines = ["```mermaid", "flowchart TD"]
    for line in LINES[package]:
        names = [name for name in line.split() if name in graph]
        lines += [f'    {_node(name)}["{name}"]' for name in names]
    for name in graph:
        nearest = graph[name] - {
            far for near in graph[name] for far in _reachable(graph, near) if far != near
        }
        lines += [
            f"    {_node(name)} --> {_node(target)}" for target in _in_order(package, nearest)
        ]
    return "\n".join([*lines, "```"])


def imported_by_part(package: str) -> str:
    """Every arrow in words: a row for each part, lines from above, separated by rules."""
    graph = _graph(package)
    from_energy = _imported(package, "energy") if package != "energy" else {}
    rows: list[str] = []
    for line in LINES[package]:
        names = [name for name in line.split() if name in graph]
        rows += ["-" * WIDTH] if rows and names else []
        for name in names:
            own = " ".join(_in_order(package, graph[name])) or "nothing of this package"
            rows += _row(name, own)
            if from_energy.get(name):
                rows += _row("", f"energy: {' '.join(_in_order('energy', from_energy[name]))}")
    return "\n".join(["```text", f"{'part':<16}imports", "=" * WIDTH, *rows, "```"])


def files(package: str) -> str:
    """A table for each folder of a package: its files, and what each of them does."""
    folders: dict[Path, list[Path]] = {}
    for path in modules().values():
        relative = path.relative_to(ROOT)
        if relative.parts[0] == package:
            folders.setdefault(relative.parent, []).append(relative)
    return "\n\n".join(_folder(folder, folders[folder]) for folder in _sorted(package, folders))


def summary(path: Path) -> str:
    """The first sentence of a module's docstring, as text of a table."""
    docstring = ast.get_docstring(ast.parse((ROOT / path).read_text(encoding="utf-8"))) or ""
    return docstring.split("\n\n")[0].replace("\n", " ").replace("|", "\\|")


def _folder(folder: Path, paths: list[Path]) -> str:
    """The heading, the purpose and the table of a folder."""
    head = summary(folder / "__init__.py")
    rows = [
        f"| [{path.name}](../{path.as_posix()}) | {summary(path)} |"
        for path in paths
        if path.name != "__init__.py"
    ]
    data = [
        path.relative_to(ROOT / folder).as_posix()
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in DATA and _package(path.parent) == ROOT / folder
    ]
    verbs = [f"`{verb}`" for verb, question in VERBS.items() if folder == QUESTIONS / question]
    text = f"**{folder.as_posix()}/** {head}"
    if verbs:
        text += f" {'Verb' if len(verbs) == 1 else 'Verbs'}: {', '.join(verbs)}."
    if rows:
        text += "\n\n" + "\n".join(["| file | what it does |", "|---|---|", *rows])
    if data:
        text += f"\n\nData: {', '.join(data)}."
    return text


def _package(folder: Path) -> Path:
    """The innermost folder with modules at or above a folder."""
    return folder if (folder / "__init__.py").exists() else _package(folder.parent)


def _graph(package: str) -> dict[str, set[str]]:
    """From each part of a package to the parts of the same package that it imports."""
    names = {_name(module) for module in modules() if _within(module, package)}
    imported = _imported(package, package)
    drawn = [name for name in _in_order(package, names) if not name.startswith("_")]
    return {name: imported.get(name, set()) & {*drawn} - {name} for name in drawn}


def _imported(package: str, other: str) -> dict[str, set[str]]:
    """From each part of a package to the parts of another, or of itself, that it imports."""
    graph: dict[str, set[str]] = {}
    for arrow in between_parts():
        if _within(arrow.importer, package) and _within(arrow.target, other):
            graph.setdefault(_name(arrow.importer), set()).add(_name(arrow.target))
    return graph


def _within(module: str, package: str) -> bool:
    """Whether a module stands below the top of a package."""
    return module.startswith(f"{package}.")


def _name(module: str) -> str:
    """A part's name in the drawing, where the questions are drawn as one."""
    return part_of(module).split(".")[1]


def _in_order(package: str, names: Iterable[str]) -> list[str]:
    """Names from the highest line to the lowest; what stands on no line is not drawn."""
    order = [name for line in LINES[package] for name in line.split()]
    return sorted((name for name in names if name in order), key=order.index)


def _reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    """Every part that a way of arrows leads to."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += graph[name]
    return seen


def _node(name: str) -> str:
    """A name that Mermaid does not take for a word of its own."""
    return f"part_{name}"


def _row(head: str, text: str) -> list[str]:
    """A row of the drawing, wrapped under its second column."""
    first, *rest = wrap(text, WIDTH - 16)
    return [f"{head:<16}{first}", *(f"{'':<16}{line}" for line in rest)]


def _sorted(package: str, folders: Iterable[Path]) -> list[Path]:
    """Folders by line, from above; the folder of the package first."""
    order = [name for line in LINES[package] for name in line.split()]

    def place(folder: Path) -> tuple[int, str]:
        inner = folder.parts[1:2]
        return (order.index(inner[0]) + 1 if inner else 0, folder.as_posix())

    return sorted(folders, key=place)
