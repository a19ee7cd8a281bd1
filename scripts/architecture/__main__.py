"""`python -m scripts.architecture --write docs/architecture.md`: draw the page again."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.pages import write_between
from scripts.architecture.page import PAGE, blocks


def main() -> None:
    """Print the generated parts, or write them into a page between its marks."""
    parser = argparse.ArgumentParser(prog="python -m scripts.architecture", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="PAGE", help=f"such as {PAGE.name}")
    page = parser.parse_args().write
    for mark, text in blocks().items():
        if page is None:
            print(text, end="\n\n")
        else:
            write_between(page, mark, text)


if __name__ == "__main__":
    main()
