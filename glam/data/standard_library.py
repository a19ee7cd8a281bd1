"""This machine's Python standard library as a corpus: prose, code, tests and tables."""

from __future__ import annotations

import ast
import sysconfig
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SHORTEST = 200
"""Characters below which a file is no document."""


LONGEST = 200_000
"""Characters of a document; a longer file is cut there, so that no table drowns the rest."""


@dataclass(frozen=True)
class Document:
    """A text with a name that an error can point at."""

    name: str
    text: str


def standard_library() -> Iterator[tuple[str, Document]]:
    """The standard library by domain.

    prose: docstrings of modules, and text files; code: modules; tests: test modules; tables:
    modules of data (encodings, entities, grammars) and test data.
    """
    root = _root()
    for path in standard_library_files():
        inside = path.relative_to(root)
        text = _decoded(path)
        if text is None or len(text) < SHORTEST:
            continue
        domain = _domain(inside)
        yield domain, Document(str(inside), text[:LONGEST])
        if path.suffix == ".py" and domain == "code":
            prose = docstrings(text)
            if len(prose) >= SHORTEST:
                yield "prose", Document(f"{inside} docstrings", prose[:LONGEST])


def standard_library_files() -> list[Path]:
    """Its text files, in the order of their names; nothing that was installed beside it."""
    root, found = _root(), []
    for path in sorted(root.rglob("*")):
        if {"site-packages", "dist-packages", "__pycache__"} & set(path.relative_to(root).parts):
            continue
        if path.suffix in (".py", ".txt", ".rst", ".decTest") and path.is_file():
            found.append(path)
    return found


def _root() -> Path:
    return Path(sysconfig.get_path("stdlib"))


def _domain(inside: Path) -> str:
    parts = {part.lower() for part in inside.parts[:-1]}
    if (
        inside.suffix == ".decTest"
        or parts & {"encodings", "lib2to3"}
        or inside.stem in ("entities", "keyword", "mimetypes", "_sysconfigdata")
    ):
        return "tables"
    if inside.parts[0] == "pydoc_data":
        return "prose"
    if parts & {"test", "tests", "idle_test"} or inside.stem.startswith("test_"):
        return "tests" if inside.suffix == ".py" else "tables"
    return "code" if inside.suffix == ".py" else "prose"


def docstrings(source: str) -> str:
    """All docstrings of a module, in order; empty when it does not parse."""
    try:
        with warnings.catch_warnings():
            # Old escapes in other people's strings are none of our user's business.
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    nodes.sort(key=lambda node: getattr(node, "lineno", 0))
    return "\n\n".join(text for node in nodes if (text := ast.get_docstring(node)))


def _decoded(path: Path) -> str | None:
    """A file as text, or None when it is not UTF-8 text or cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError):
        return None
    return None if "\0" in text else text
