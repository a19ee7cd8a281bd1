"""Tables of quantities: HTML for notebooks and pages, a pandas frame for analysis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from energy.errors import absent
from energy.quantity import Quantity

SOURCE_LENGTH = 110
"""Characters of a source that a table shows at first."""


def html_table(
    quantities: Mapping[str, Quantity], *, caption: str = "", sources: bool = False, note: str = ""
) -> str:
    """An HTML table with value, band and origin, one row per quantity.

    Args:
        quantities: by label.
        caption: text above the table.
        sources: add a column with the source of each quantity.
        note: text in a row of its own at the end.
    """
    heads = '<th>quantity</th><th class="number">value</th><th class="number">band</th>'
    heads += "<th>origin</th>" + "<th>source</th>" * sources
    rows = "\n".join(
        f'<tr><td>{escape(label)}</td><td class="number">{escape(quantity.human())}</td>'
        f'<td class="number">{escape(quantity.band())}</td><td>{escape(quantity.origins)}</td>'
        f"{_source_cell(quantity.source) if sources else ''}</tr>"
        for label, quantity in quantities.items()
    )
    return (
        "<table>"
        + (f"<caption>{escape(caption)}</caption>" if caption else "")
        + f"<tr>{heads}</tr>\n{rows}"
        + (f'\n<tr><td colspan="4">{escape(note)}</td></tr>' if note else "")
        + "</table>"
    )


def html_rows(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str = "", left: int = 1
) -> str:
    """An HTML table of words and numbers as they are printed.

    Args:
        heads: titles of the columns.
        rows: a cell a column.
        caption: text above the table.
        left: columns of words, on the left; those of numbers are aligned right.
    """

    def line(tag: str, cells: Sequence[str]) -> str:
        looks = ("" if place < left else ' class="number"' for place in range(len(cells)))
        texts = (escape(cell) for cell in cells)
        return "".join(
            f"<{tag}{look}>{text}</{tag}>" for look, text in zip(looks, texts, strict=True)
        )

    body = "\n".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{above}<tr>{line('th', heads)}</tr>\n{body}</table>"


def text_table(quantities: Mapping[str, Quantity]) -> str:
    """A table of text with value, band and origin, a line per quantity."""
    rows = [
        (label, quantity.human(), quantity.band(), quantity.origins)
        for label, quantity in quantities.items()
    ]
    widths = [max((len(row[place]) for row in rows), default=0) for place in range(3)]
    return "\n".join(
        f"{label:<{widths[0]}}  {value:>{widths[1]}}  {band:>{widths[2]}}  {origins}".rstrip()
        for label, value, band, origins in rows
    )


def to_frame(quantities: Mapping[str, Quantity], **more: Sequence[Any]) -> Any:
    """A pandas frame, one row per quantity.

    Args:
        quantities: by name; a name that ends with its unit ("elapsed_s") reads well in an index.
        more: further columns, in the order of the quantities.

    Returns:
        Columns value, low, high, unit, origin, coverage and source, indexed by name; a missing
        value is NaN, with its reason in the column source.

    Raises:
        MissingDataError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise absent("pandas") from error
    fields = ("value", "low", "high", "unit", "origin", "coverage", "source")
    rows = [
        {field: getattr(quantity, field) for field in fields} | {"origin": str(quantity.origin)}
        for quantity in quantities.values()
    ]
    table = pd.DataFrame(rows, index=pd.Index(list(quantities), name="quantity"), columns=fields)
    table = table.astype({"value": float, "low": float, "high": float, "coverage": float})
    return table.assign(**{name: list(column) for name, column in more.items()})


def _source_cell(text: str) -> str:
    """Where a number comes from; a long text is cut, and shown whole on a click."""
    if len(text) <= SOURCE_LENGTH:
        return f"<td>{escape(text)}</td>"
    beginning = escape(text[:SOURCE_LENGTH].rsplit(" ", 1)[0])
    return f"<td><details><summary>{beginning} …</summary>{escape(text)}</details></td>"
