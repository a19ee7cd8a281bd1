"""Results of all commands on stdout: JSON, CSV; text for rich."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from energy._lazy import version
from energy.errors import InputError, reason


def print_json(value: Mapping[str, Any] | list[Any]) -> None:
    """Print one JSON document on stdout; pydantic models and arrays inside are converted.

    Raises:
        InputError: a result is beyond floating point, which JSON has no form for.
    """
    try:
        text = json.dumps(value, indent=1, default=plain, allow_nan=False)
    except ValueError as error:
        fix = "a number of the input is far too large or too small"
        raise InputError("expected finite results", reason(error), fix) from error
    print(text)


def print_csv(data: Mapping[str, Any] | list[Any]) -> None:
    """Print the rows of some data on stdout as CSV; a quantity has its unit in its column's name.

    `energy.rows.rows_of` says which rows and columns these are; a cell without value is empty.
    """
    import csv

    from energy.rows import rows_of

    rows = rows_of(data)
    names = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(sys.stdout, list(names), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def print_data(
    value: Mapping[str, Any] | list[Any],
    *,
    as_json: bool,
    as_csv: bool,
    rows: Mapping[str, Any] | list[Any] | None = None,
) -> bool:
    """Print data where a verb was called with --json or --csv; False where it was not.

    Args:
        value: of the JSON document.
        as_json: of --json.
        as_csv: of --csv.
        rows: of the CSV table, where they are not those of `value`.
    """
    if as_csv:
        print_csv(value if rows is None else rows)
    elif as_json:
        print_json(value)
    return as_json or as_csv


def unmarked(text: str) -> Any:
    """Text that rich prints letter by letter, as none of it is markup."""
    from rich.text import Text

    return Text(text)


def print_version(requested: bool) -> None:
    """Print the version of the package and exit: the callback of an eager option --version."""
    if requested:
        print(version())
        sys.exit(0)


def plain(value: Any) -> Any:
    """Convert what JSON has no form for: models become tables, arrays lists."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
