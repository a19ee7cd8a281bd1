"""The pages that people wrote, with their links turned to where the site has the same thing."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from scripts.architecture.imports import ROOT
from scripts.website.places import data_place, is_table, module_place, notebook_place, source_place

DOCS = ROOT / "docs"
ALSO = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
"""Pages that stand beside docs/, and what the site calls them."""

INSTEAD = {
    "README.md": "index.md",
    "energy/facts/data": "data/index.md",
    "scripts/website/formulas.py": "formulas.md",
    "scripts/website/reference.py": "reference/index.md",
}
"""What a code host shows, and the page that the site has instead."""

CODE = re.compile(r"^( *```.*?^ *```|~~~.*?^~~~)[ \t]*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(\]\()([^)\s]+)(\))")
DRAWING = re.compile(r"```mermaid\n.*?```\n\nAn arrow is left out[^\n]*\n\n", re.DOTALL)
METADATA = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
ITEM = re.compile(r"[-*] |\d+\. ")
LIST_AFTER_TEXT = re.compile(r"^(?![-*] |\d+\. |[ \t]|\||#|>)(.+)\n(?=(?:[-*]|1\.) )", re.MULTILINE)


def written_pages() -> tuple[dict[str, str], dict[str, Path]]:
    """The text of each page by its name in the site, and the pictures and files beside them."""
    sources = {path.relative_to(DOCS).as_posix(): path for path in DOCS.rglob("*.md")}
    sources |= {name: ROOT / source for source, name in ALSO.items()}
    pages = {name: adapted(path.read_text("utf-8"), path, name) for name, path in sources.items()}
    files = [path for path in DOCS.rglob("*") if path.is_file() and path.suffix != ".md"]
    return pages, {path.relative_to(DOCS).as_posix(): path for path in files}


def linked_sources(pages: Mapping[str, str]) -> dict[str, str]:
    """A page with the text of each file of the repository that a page links to."""
    shown = {}
    for name, text in pages.items():
        for _, target, _ in LINK.findall(CODE.sub("", text)):
            place = os.path.normpath(os.path.join(os.path.dirname(name), target.split("#")[0]))
            source = ROOT / place.removeprefix("source/").removesuffix(".md")
            if place.startswith("source/") and source.is_file():
                kind = source.suffix.removeprefix(".")
                fence = f"~~~~~ {kind}".rstrip()
                title = source.relative_to(ROOT).as_posix()
                shown[place] = f"# `{title}`\n\n{fence}\n{source.read_text('utf-8')}\n~~~~~\n"
    return shown


def adapted(text: str, path: Path, name: str) -> str:
    """A page as the site's Markdown reads it.

    Args:
        text: of the page, in the Markdown of a code host.
        path: where it stands in the repository.
        name: what the site calls it.
    """

    def turned(part: str) -> str:
        part = part.replace("<details><summary>", '<details markdown="1"><summary>')
        part = LIST_AFTER_TEXT.sub(r"\1\n\n", part)
        return LINK.sub(lambda match: match[1] + _target(match[2], path, name) + match[3], part)

    return outside_code(deeper(DRAWING.sub("", METADATA.sub("", text))), turned)


def deeper(text: str) -> str:
    """A text in which what belongs to an item of a list stands 4 columns deeper than it, not 2.

    Code in an item moves as a whole; fenced blocks outside of lists stay as they are.
    """
    lines, fence, shift, parts = [""], "", 0, False
    for line in text.split("\n"):
        bare = line.lstrip(" ")
        indent = len(line) - len(bare)
        if not fence:
            shift = 4 * (indent // 2) - indent if indent > 1 else 0
            parts = parts or not bare
            if indent == 0 and bare:
                # After an item of several paragraphs the next one begins with a blank line.
                lines += [""] if parts and ITEM.match(bare) and lines[-1] else []
                parts = False
        lines.append(" " * max(indent + shift, 0) + bare if bare else "")
        opening = re.match(r"`{3,}|~{3,}", bare)
        if opening and not fence:
            fence = opening[0]
        elif fence and bare.startswith(fence):
            fence = ""
    return "\n".join(lines[1:])


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """A text with everything changed but its fenced blocks."""
    parts = CODE.split(text)
    return "".join(part if n % 2 else change(part) for n, part in enumerate(parts))


def _target(link: str, path: Path, name: str) -> str:
    """Where a link of a page leads in the site."""
    file, mark, anchor = link.partition("#")
    if not file or re.match(r"[a-z]+:", file):
        return link
    target = Path(os.path.normpath(path.parent / file))
    place = _place(target)
    if place is None:
        return link
    place = place if "#" in place else place + mark + anchor
    return os.path.relpath(place, os.path.dirname(name) or ".")


def _place(target: Path) -> str | None:
    """The page or file of the site that shows a file of the repository."""
    if target.is_relative_to(DOCS):
        inside = target.relative_to(DOCS).as_posix()
        return f"{inside}/README.md" if target.is_dir() else inside
    if not target.is_relative_to(ROOT):
        return None
    inside = target.relative_to(ROOT).as_posix()
    if inside in ALSO | INSTEAD:
        return (ALSO | INSTEAD)[inside]
    if target.suffix == ".ipynb":
        return notebook_place(inside)
    if is_table(inside):
        return data_place(inside)
    return module_place(inside) or source_place(target)
