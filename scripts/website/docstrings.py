"""Public definitions of a module and their docstrings, as Markdown. Nothing is imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HEADS = ("Args", "Attributes", "Example", "Examples", "Raises", "Returns", "Yields")
SECTION = re.compile(rf"^({'|'.join(HEADS)}):$", re.MULTILINE)
FIELD = re.compile(r"^(\*{0,2}\w+): ", re.MULTILINE)
SPECIAL = re.compile(r"([\\*_<>\[\]|~^#$])")
CITED = re.compile(
    r"arXiv:\s?\d{4}\.\d{4,5}|doi:\s?10\.[^\s,;)]+[^\s,;).]|https?://[^\s,;)]+[^\s,;).]"
    r"|RFC \d+|ISO(?:/IEC)? [\d-]+|Regulation \(EU\) \d+/\d+"
)


@dataclass(frozen=True)
class Definition:
    """A public class, function or method.

    Attributes:
        name: as a reader calls it: `merge`, `Quantity.exact`.
        signature: its first lines, without the body.
        text: its docstring, or an empty one.
        method: whether it belongs to a class.
    """

    name: str
    signature: str
    text: str
    method: bool = False


@cache
def module(path: Path) -> tuple[str, tuple[Definition, ...]]:
    """The docstring of a module, and its public definitions in their order."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return ast.get_docstring(tree) or "", tuple(_definitions(tree, ""))


def _definitions(inside: ast.Module | ast.ClassDef, owner: str) -> Iterator[Definition]:
    for node in inside.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.name.startswith("_"):
            continue
        name = f"{owner}.{node.name}" if owner else node.name
        text = ast.get_docstring(node) or ""
        yield Definition(name, _signature(node), text, method=bool(owner))
        if isinstance(node, ast.ClassDef):
            yield from _definitions(node, name)


def _signature(node: ast.ClassDef | ast.FunctionDef) -> str:
    """The definition without its body, a line for each argument where there are many."""
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in node.bases)
        fields = [
            f"    {ast.unparse(line)}"
            for line in node.body
            if isinstance(line, ast.AnnAssign) and not ast.unparse(line.target).startswith("_")
        ]
        return "\n".join(
            [f"class {node.name}({bases})" if bases else f"class {node.name}", *fields]
        )
    returned = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    arguments = ast.unparse(node.args)
    line = f"def {node.name}({arguments}){returned}"
    if len(line) <= 80:
        return line
    inner = re.sub(r", (?=\*{0,2}\w+: |\*, |/)", ",\n    ", arguments)
    return f"def {node.name}(\n    {inner},\n){returned}"


def first_sentence(text: str) -> str:
    """The first paragraph of a docstring on one line."""
    return " ".join(text.split("\n\n")[0].split())


def cited(text: str) -> list[str]:
    """The sources that a docstring names, each once."""
    return list(dict.fromkeys(" ".join(source.split()) for source in CITED.findall(text)))


def source_link(source: str) -> str:
    """A source as a link, where it is an address or an identifier."""
    kind, _, name = source.partition(":")
    if kind == "arXiv":
        return f"[{source}](https://arxiv.org/abs/{name.strip()})"
    if kind == "doi":
        return f"[{source}](https://doi.org/{name.strip()})"
    return f"<{source}>" if kind.startswith("http") else source


def markdown(text: str) -> str:
    """A docstring as Markdown: sections become lists, and what is no code is taken literally."""
    parts = SECTION.split(text)
    blocks = [_prose(parts[0])]
    for head, body in zip(parts[1::2], parts[2::2], strict=True):
        lines = re.sub(r"^    ", "", body, flags=re.MULTILINE).strip("\n")
        blocks.append(f"**{head}**\n\n{_fields(lines)}")
    return "\n\n".join(block for block in blocks if block.strip())


def _fields(lines: str) -> str:
    """The arguments or errors of a section as a list."""
    parts = FIELD.split(lines)
    if len(parts) < 3:
        return _prose(lines)
    items = [
        f"- `{name}`: {escaped(' '.join(said.split()))}"
        for name, said in zip(parts[1::2], parts[2::2], strict=True)
    ]
    return "\n".join(items)


def _prose(text: str) -> str:
    """Paragraphs, lists and examples of a docstring."""
    blocks = []
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        if block.lstrip().startswith(">>>"):
            blocks.append(f"``` pycon\n{block}\n```")
        elif block.startswith("    "):
            blocks.append(f"``` text\n{block}\n```")
        else:
            blocks.append(_list(block))
    return "\n\n".join(blocks)


def _list(block: str) -> str:
    """A paragraph whose last lines may be a list."""
    head, *items = re.split(r"\n?^- ", block, flags=re.MULTILINE)
    lines = [f"- {escaped(' '.join(item.split()))}" for item in items]
    return "\n\n".join(part for part in (escaped(head.strip()), "\n".join(lines)) if part)


def escaped(text: str) -> str:
    """Text in which only code in backticks means something to Markdown."""
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(part if n % 2 else _linked(part) for n, part in enumerate(parts))


def _linked(text: str) -> str:
    """Literal text with its sources as links."""
    made, at = [], 0
    for match in CITED.finditer(text):
        made += [SPECIAL.sub(r"\\\1", text[at : match.start()]), source_link(match[0])]
        at = match.end()
    return "".join([*made, SPECIAL.sub(r"\\\1", text[at:])])
