"""Rows of the home-made set, which are items as they were written."""

from __future__ import annotations

from glam.evaluation.items import FORMS, Item, Row, rows


@rows
def item(row: Row) -> Item:
    """A row that is no item of any form: the error names the first field that it lacks.

    Raises:
        KeyError: always, as rows that are items are not seen here.
    """
    likest = min(FORMS.values(), key=lambda fields: sum(field not in row for field in fields))
    raise KeyError(next(field for field in likest if field not in row))
