"""Which module imports which, read from the source: lazy and type-only imports included."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("energy", "glam", "simulator")


@dataclass(frozen=True)
class Import:
    """A module that another one imports.

    Attributes:
        importer: the dotted name of the importing module.
        target: the imported module of this project, or the dotted name of another library's.
        line: where the statement stands.
        function: the innermost function around it; empty at module level.
    """

    importer: str
    target: str
    line: int
    function: str

    def __str__(self) -> str:
        """As a message of the tests shows it."""
        return f"{self.importer}:{self.line} -> {self.target}"


@cache
def modules() -> dict[str, Path]:
    """Every module of the three packages, by dotted name: `energy.ledger` is its `__init__`."""
    return {
        dotted(path.relative_to(ROOT)): path
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    }


def dotted(path: Path) -> str:
    """The dotted name of a file: `energy.ledger.merge` of energy/ledger/merge.py."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports(module: str) -> tuple[Import, ...]:
    """Every import of a module, wherever it stands in the file."""
    tree = ast.parse(modules()[module].read_text(encoding="utf-8"))
    return tuple(
        Import(module, target, node.lineno, function)
        for node, function in _statements(tree, "")
        for target in _targets(node)
    )


def part_of(module: str) -> str:
    """The part of a package that a module belongs to.

    A part is a folder of a package (`energy.ledger`), a module at its top (`energy.record`), or
    the folder of one question (`simulator.questions.plan`).
    """
    depth = 3 if module.startswith("simulator.questions.") else 2
    return ".".join(module.split(".")[:depth])


def between_parts() -> tuple[Import, ...]:
    """Every import from one part into another: the arrows of the drawing."""
    return tuple(
        arrow
        for module in modules()
        for arrow in imports(module)
        if arrow.target in modules() and part_of(arrow.target) != part_of(module)
    )


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The groups of nodes that reach each other: Tarjan's strongly connected components.

    Args:
        graph: from each node, the nodes that it points to.

    Returns:
        The groups of more than one node; an empty list if the graph has no cycle.
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in graph.get(node, ()):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            place = stack.index(node)
            groups.append(sorted(stack[place:]))
            del stack[place:]

    for node in graph:
        if node not in index:
            visit(node)
    return [group for group in groups if len(group) > 1]


def loaded_by_name(node: ast.AST) -> str | None:
    """What a call of `import_module` loads: "simulator.questions.*.command" of an f-string.

    Returns:
        The name, with a star where it is computed; None for any other node.
    """
    match node:
        case ast.Call(func=ast.Name(id="import_module"), args=[name, *_]):
            pass
        case ast.Call(func=ast.Attribute(attr="import_module"), args=[name, *_]):
            pass
        case _:
            return None
    match name:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(str(p.value) if isinstance(p, ast.Constant) else "*" for p in parts)
    return "*"


def _statements(node: ast.AST, function: str) -> list[tuple[ast.stmt | ast.expr, str]]:
    """The imports below a node, each with the function around it."""
    statements: list[tuple[ast.stmt | ast.expr, str]] = []
    for child in ast.iter_child_nodes(node):
        inner = (
            child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
        )
        if isinstance(child, ast.Import | ast.ImportFrom) or (
            isinstance(child, ast.Call) and loaded_by_name(child)
        ):
            statements.append((child, function))
        statements += _statements(child, inner)
    return statements


def _targets(node: ast.stmt | ast.expr) -> list[str]:
    """What a statement imports; a name that is a submodule counts as that module."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        source = "." * node.level + (node.module or "")
        names = [f"{source}.{alias.name}" for alias in node.names]
        return sorted({name if name in modules() else source for name in names})
    pattern = loaded_by_name(node) or ""
    if pattern.startswith("*"):
        return []  # the caller says what is loaded
    return [name for name in modules() if fnmatchcase(name, pattern)]
