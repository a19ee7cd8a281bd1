"""The reference: a page for each folder of the packages, and one with the names for users."""

from __future__ import annotations

import ast
from pathlib import Path

from benchmarks.pages import markdown_table
from scripts.architecture.imports import PACKAGES, ROOT, dotted, modules
from scripts.website.docstrings import Definition, escaped, first_sentence, markdown, module
from scripts.website.places import anchor, module_page


def reference_pages() -> dict[str, str]:
    """Every page of the reference by its name in the site."""
    folders: dict[str, list[Path]] = {}
    for path in modules().values():
        file = path.relative_to(ROOT)
        folders.setdefault(module_page(file), []).append(file)
    pages = {name: _page(files) for name, files in folders.items()}
    return pages | {"reference/index.md": _index(folders)}


def entry_place(name: str, definition: str) -> str:
    """Where the reference has a definition of a module, from another page of the reference."""
    page = module_page(modules()[name].relative_to(ROOT)).removeprefix("reference/")
    return f"{page}#{anchor(f'{name}.{definition}')}"


def public_names(package: str) -> list[tuple[str, str, str]]:
    """The names of a package for its users: name, module that defines it, name there."""
    tree = ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8"))
    typed = next(
        node
        for node in tree.body
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    )
    aliases = {
        node.value.id: node.targets[0].id
        for node in typed.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Name)
        and isinstance(node.targets[0], ast.Name)
    }
    return sorted(
        (
            aliases.get(name.asname or name.name, name.asname or name.name),
            node.module or "",
            name.name,
        )
        for node in typed.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    )


def _index(folders: dict[str, list[Path]]) -> str:
    """The names for users, and a list of all pages."""
    lines = [
        "# Reference",
        "Generated from the docstrings. These names are for users, and stay as they are within a "
        "minor version; the pages below have everything else.",
    ]
    for package in PACKAGES:
        rows = [
            (f"[`{name}`]({entry_place(where, defined)})", escaped(_said(where, defined)))
            for name, where, defined in public_names(package)
        ]
        lines += [f"## From `{package}`", markdown_table(("name", "what it is"), rows)]
    lines.append("## All modules")
    rows = [
        (
            f"[`{page.removeprefix('reference/').removesuffix('.md')}`]({page.removeprefix('reference/')})",
            escaped(first_sentence(module(ROOT / files[0])[0])),
        )
        for page, files in folders.items()
    ]
    return "\n\n".join([*lines, markdown_table(("folder", "what it is for"), rows)]) + "\n"


def _said(name: str, definition: str) -> str:
    """The first sentence of a definition's docstring."""
    for entry in module(modules()[name])[1]:
        if entry.name == definition:
            return first_sentence(entry.text)
    raise KeyError(f"{name}.{definition}")


def _page(files: list[Path]) -> str:
    """The modules of one folder."""
    name = ".".join(files[0].parent.parts)
    blocks = [f"# {name}"]
    for file in files:
        text, definitions = module(ROOT / file)
        whole = dotted(file)
        if file.name != "__init__.py":
            blocks.append(f"## `{file.name}` {{ #{anchor(whole)} }}")
        elif files[0] == file:
            blocks.append(f'<span id="{anchor(whole)}"></span>')
        blocks += [markdown(text), *(_entry(whole, entry) for entry in definitions)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _entry(name: str, entry: Definition) -> str:
    """A definition with its signature and its docstring."""
    level = "####" if entry.method else "###"
    head = f"{level} `{entry.name}` {{ #{anchor(f'{name}.{entry.name}')} }}"
    return "\n\n".join([head, f"``` python\n{entry.signature}\n```", markdown(entry.text)])
