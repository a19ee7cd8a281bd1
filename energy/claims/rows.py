"""Rows of tables as claims: published runs, CodeCarbon's emissions.csv, our own lists."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

from energy.claims.claim import Claim, Problem


@cache
def columns() -> dict[str, tuple[str, float]]:
    """Columns that are read: the figure or word of a claim that each is, and its factor to SI.

    A factor of 0 marks a word.
    """
    table = files("energy.claims").joinpath("columns.csv").read_text(encoding="utf-8")
    return {
        row["column"]: (row["means"], 0.0 if row["factor"] == "word" else float(row["factor"]))
        for row in csv.DictReader(table.splitlines())
    }


def claim_of_row(row: dict[str, str], where: str) -> Claim:
    """What a row of a table claims.

    Args:
        row: cells by column; columns that are not known are passed over.
        where: file and row, for people.
    """
    numbers: dict[str, float] = {}
    words: dict[str, str] = {}
    problems = []
    for column, text in row.items():
        means, factor = columns().get(column.strip().lower(), ("", 0.0))
        text = (text or "").strip()
        if not means or text.lower() in ("", "unknown", "none", "nan"):
            continue
        if not factor:
            words.setdefault(means, text)
            continue
        try:
            value = float(text)
        except ValueError:
            problems.append(Problem("not-a-number", f"{column} is {text!r}"))
            continue
        numbers.setdefault(means, value * factor)
    return Claim(where, numbers, words, tuple(problems))


def is_known(header: list[str]) -> bool:
    """Whether a table has columns that are read: at least two figures."""
    means = {columns().get(name.strip().lower(), ("", 0.0)) for name in header}
    return sum(1 for _, factor in means if factor) >= 2
