"""The table of formats in docs/disclosure.md, from the mappings themselves.

python -m benchmarks.claims.formats [--write docs/disclosure.md]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.pages import Table, markdown_table, print_table, write_between
from energy.disclosure.formats import FORMATS
from energy.disclosure.forms import form
from energy.guard import guard

MARK = "formats: benchmarks.claims.formats"


def main() -> None:
    """Print the table, or write it into a page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", type=Path, help="page whose table is replaced")
    page = parser.parse_args().write
    guard(lambda: print_table(*table()) if page is None else _write(page))


def _write(page: Path) -> None:
    write_between(page, MARK, markdown_table(*table()))


def table() -> Table:
    """A line a format: version, what it needs, and where band and origin stand."""
    rows = []
    for name, own in FORMATS.items():
        mapping = form(name)
        needs = dict.fromkeys(f"`{field.fact}`" for field in mapping.fields if field.required)
        rows.append((f"`{name}`", mapping.title, mapping.form_version, ", ".join(needs), own.holds))
    return ("format", "what", "version", "refused without", "origin and band"), rows


if __name__ == "__main__":
    main()
