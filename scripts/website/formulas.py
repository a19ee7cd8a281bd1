"""The page of formulas: what each computes, a worked number, and the source of its docstring."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

from benchmarks.pages import markdown_table
from scripts.architecture.imports import ROOT, modules
from scripts.website.docstrings import cited, escaped, first_sentence, module, source_link
from scripts.website.reference import entry_place

CHAPTERS = {
    "Parameters, FLOP and bytes of a model": ("energy.shape", "energy.shapes", "energy.flops"),
    "From joules to CO2e, water and dollars": (
        "energy.footprint",
        "energy.facts",
        "energy.arithmetic",
    ),
    "What a meter's readings mean": ("energy.ledger", "energy.meters", "energy.calibration"),
    "Numbers of disclosures": ("energy.disclosure", "energy.claims"),
    "Time, memory and power of a step": ("simulator.physics",),
    "Loss, tokens and batch": ("simulator.quality",),
    "Answers of a served model": ("simulator.serving",),
    "Constants fitted to published rows": (
        "simulator.fit",
        "simulator.published",
        "simulator.runs",
    ),
    "Search and questions": ("simulator.plans", "simulator.questions"),
    "The trainer": ("glam",),
}
WHOLE = ("energy.shape", "energy.flops", "energy.footprint", "simulator.physics")
"""Parts of which each function that computes is listed, cited or derived by this project."""

ARITHMETIC = re.compile(r"\w ?\* ?\w| = |\w ?/ ?\w| x \d|\d x ")


def formulas_page() -> dict[str, str]:
    """The page of formulas by its name in the site."""
    blocks = [
        "# Formulas and their sources",
        "Generated from the docstrings: each line leads to the formula itself, with its units. "
        "Worked numbers are the last line of an example, which a test runs. Where no source is "
        "named, the formula is a definition, or derived in the docstring. What was fitted to "
        "published figures is in [how accurate it is](accuracy.md).",
    ]
    for chapter, places in CHAPTERS.items():
        rows = [
            row
            for name, path in modules().items()
            if _within(name, places)
            for row in _rows(name, path)
        ]
        if rows:
            blocks += [
                f"## {chapter}",
                markdown_table(("formula", "what it computes", "worked number", "source"), rows),
            ]
    return {"formulas.md": "\n\n".join(blocks) + "\n"}


def _within(name: str, places: tuple[str, ...]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def _rows(name: str, path: Path) -> list[tuple[str, str, str, str]]:
    """The formulas of a module: those with a source, and in some parts all of them."""
    text, definitions = module(path)
    rows = []
    for definition in definitions:
        own = cited(definition.text)
        computes = (
            _within(name, WHOLE) and not definition.method and ARITHMETIC.search(definition.text)
        )
        if not own and not computes:
            continue
        sources = ", ".join(source_link(source) for source in own or cited(text))
        place = f"reference/{entry_place(name, definition.name)}"
        rows.append(
            (
                f"[`{definition.name}`]({place})",
                escaped(first_sentence(definition.text)),
                _worked(definition.text),
                sources,
            )
        )
    if not rows and cited(text):
        file = path.relative_to(ROOT)
        place = f"reference/{entry_place(name, '')}".rstrip("-")
        sources = ", ".join(source_link(source) for source in cited(text))
        rows.append((f"[`{file.stem}`]({place})", escaped(first_sentence(text)), "", sources))
    return rows


def _worked(text: str) -> str:
    """The last line of the example of a docstring, with its result; empty without one."""
    examples = doctest.DocTestParser().get_examples(text)
    if not examples:
        return ""
    last = examples[-1]
    source, result = (
        " ".join(part.split()).replace("|", "\\|") for part in (last.source, last.want)
    )
    return f"`{source}` = `{result}`"
