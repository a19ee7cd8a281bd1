"""`python -m scripts.website build/docs`: gather the pages of the site, written and generated.

`python -m scripts.website --check site` looks for links of the built site that lead nowhere.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from scripts.website.data import data_pages
from scripts.website.formulas import formulas_page
from scripts.website.links import broken
from scripts.website.notebooks import notebook_pages
from scripts.website.reference import reference_pages
from scripts.website.written import linked_sources, written_pages


def gather(folder: Path) -> None:
    """Write every page into a folder, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    pages, assets = written_pages()
    generated = [reference_pages(), formulas_page(), data_pages(), notebook_pages()]
    for more in generated:
        pages |= more
    pages |= linked_sources(pages)
    for name, text in pages.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for name, source in assets.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / name)


def main() -> None:
    """Gather the pages, or check the links of a site."""
    parser = argparse.ArgumentParser(prog="python -m scripts.website", description=__doc__)
    parser.add_argument("folder", type=Path, help="of the pages, or of the built site")
    parser.add_argument("--check", action="store_true", help="look for broken links in it")
    options = parser.parse_args()
    if not options.check:
        gather(options.folder)
    elif wrong := broken(options.folder):
        sys.exit("error: expected links that lead somewhere; got\n" + "\n".join(wrong))


if __name__ == "__main__":
    main()
