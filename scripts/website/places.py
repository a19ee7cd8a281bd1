"""Where the site shows a file of the repository: one place for each module, table and notebook."""

from __future__ import annotations

from pathlib import Path

from scripts.architecture.imports import PACKAGES, ROOT, dotted

FACTS = ("energy/facts/data/", "simulator/published/", "simulator/facts/")


def module_place(path: str) -> str | None:
    """The entry of a module in the reference, `energy/ledger/merge.py`; None for other files."""
    file = Path(path)
    if file.parts[0] not in PACKAGES or file.suffix != ".py":
        return None
    return f"{module_page(file)}#{anchor(dotted(file))}"


def module_page(file: Path) -> str:
    """The page of the reference that has the modules of a folder."""
    return f"reference/{'.'.join(file.parent.parts)}.md"


def anchor(name: str) -> str:
    """The anchor of a dotted name: that of a heading may have no dot in a selector of CSS."""
    return name.replace(".", "-").replace("__", "").lower()


def is_table(path: str) -> bool:
    """Whether a file is one of the tables of facts."""
    return path.startswith(FACTS) and path.endswith(".csv")


def data_place(path: str) -> str:
    """The page of a table of facts."""
    return f"data/{Path(path).stem}.md"


def notebook_place(path: str) -> str:
    """The page of a notebook."""
    return f"notebooks/{Path(path).stem}.md"


def source_place(target: Path) -> str | None:
    """The page with the text of any other file; None where there is no such file."""
    if not target.is_file():
        return None
    return f"source/{target.relative_to(ROOT).as_posix()}.md"
