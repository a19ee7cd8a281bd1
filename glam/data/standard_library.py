"""The Python standard library of this machine as a corpus: prose, code, tests and tables."""

from __future__ import annotations

import ast
import os
import sysconfig
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MIN_CHARACTERS = 200
"""Shorter files are skipped."""


MAX_CHARACTERS = 200_000
"""Longer files are cut, so that no single table dominates the corpus."""


SUFFIXES = (".py", ".txt", ".rst", ".decTest")

OTHERS = ("site-packages", "dist-packages", "__pycache__")
"""Folders whose files are not of the standard library."""


@dataclass(frozen=True)
class Document:
    """A text, and a name for error messages."""

    name: str
    text: str


def standard_library() -> Iterator[tuple[str, Document]]:
    """Yield the documents of the standard library with their domains.

    prose: docstrings of modules, and text files; code: modules; tests: test modules; tables:
    modules that hold data (encodings, entities, grammars), and test data.
    """
    root = _root()
    for path in standard_library_files():
        relative = path.relative_to(root)
        text = _read(path)
        if text is None or len(text) < MIN_CHARACTERS:
            continue
        domain = _domain(relative)
        yield domain, Document(str(relative), text[:MAX_CHARACTERS])
        if path.suffix == ".py" and domain == "code":
            prose = docstrings(text)
            if len(prose) >= MIN_CHARACTERS:
                yield "prose", Document(f"{relative} docstrings", prose[:MAX_CHARACTERS])


def standard_library_files() -> list[Path]:
    """List the text files of the standard library by name, without installed packages."""
    files = []
    for folder, below, names in os.walk(_root()):
        # Not even looked into: packages are many, and may be installed while this runs.
        below[:] = [name for name in below if name not in OTHERS]
        files += [Path(folder, name) for name in names if Path(name).suffix in SUFFIXES]
    return sorted(path for path in files if path.is_file())


def _root() -> Path:
    return Path(sysconfig.get_path("stdlib"))


def _domain(relative: Path) -> str:
    parts = {part.lower() for part in relative.parts[:-1]}
    if (
        relative.suffix == ".decTest"
        or parts & {"encodings", "lib2to3"}
        or relative.stem in ("entities", "keyword", "mimetypes", "_sysconfigdata")
    ):
        return "tables"
    if relative.parts[0] == "pydoc_data":
        return "prose"
    if parts & {"test", "tests", "idle_test"} or relative.stem.startswith("test_"):
        return "tests" if relative.suffix == ".py" else "tables"
    return "code" if relative.suffix == ".py" else "prose"


def docstrings(source: str) -> str:
    """Return all docstrings of a module, in order; empty if it does not parse."""
    try:
        with warnings.catch_warnings():
            # Invalid escapes in the library's strings do not concern our user.
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    nodes.sort(key=lambda node: getattr(node, "lineno", 0))
    return "\n\n".join(text for node in nodes if (text := ast.get_docstring(node)))


def _read(path: Path) -> str | None:
    """Return the text of a file; None if it is not UTF-8 text or cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError):
        return None
    return None if "\0" in text else text
