"""Execute the notebooks and keep their outputs: `python -m scripts.notebooks [NAME ...] [--again]`.

What is kept has no times, paths or names of people, so that a notebook whose numbers have not
changed is the same file. A notebook that meters this machine (`measures` in its metadata) has other
numbers each time: it is executed, and its kept outputs are replaced only with --again, or where its
cells have changed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "notebooks"
TIMEOUT_S = 600

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def paths(names: Sequence[str] = ()) -> list[Path]:
    """The notebooks whose file names begin with one of some names; all without any.

    Raises:
        SystemExit: a name is the beginning of none.
    """
    every = sorted(FOLDER.glob("[0-9]*.ipynb"))
    for name in names:
        if not any(path.name.startswith(name) for path in every):
            known = ", ".join(path.name for path in every)
            sys.exit(f"error: expected the beginning of a notebook's name; got {name}; {known}")
    return [path for path in every if not names or path.name.startswith(tuple(names))]


def executed(path: Path) -> NotebookNode:
    """A notebook with the outputs of a new kernel, as it is kept.

    Raises:
        CellExecutionError: a cell of it failed.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=TIMEOUT_S, resources={"metadata": {"path": str(path.parent)}}
    )
    client.execute(env=_environment())
    return _kept(notebook)


def measures(notebook: NotebookNode) -> bool:
    """Whether it meters this machine."""
    return bool(notebook.metadata.get("measures"))


def sources(notebook: NotebookNode) -> list[tuple[str, str]]:
    """Kind and text of every cell."""
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def printed(cell: NotebookNode) -> str:
    """What a cell shows as text."""
    texts = [
        out.get("text", "") or out.get("data", {}).get("text/plain", "") for out in cell.outputs
    ]
    return "\n".join(texts)


def _environment() -> dict[str, str]:
    """Of the kernel: this checkout and this interpreter's commands, lines of one width."""
    modules = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    commands = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(modules),
        "PATH": os.pathsep.join(commands),
        "COLUMNS": "120",
        "NO_COLOR": "1",
        "TZ": "UTC",
    }


def _kept(notebook: NotebookNode) -> NotebookNode:
    """The notebook without what differs from one execution to the next."""
    own = {"measures": True} if measures(notebook) else {}
    notebook.metadata = nbformat.from_dict({**METADATA, **own})
    for number, cell in enumerate(notebook.cells, 1):
        cell.id, cell.metadata = f"cell-{number}", nbformat.from_dict({})
        if cell.cell_type == "code":
            cell.outputs = [_plain(out) for out in _joined(cell.outputs)]
    return notebook


def _plain(output: NotebookNode) -> NotebookNode:
    """An output without metadata; a picture has its base64 in one line."""
    if "metadata" in output:
        output.metadata = nbformat.from_dict({})
    return output


def _joined(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Outputs in which what was printed in pieces is one piece."""
    joined: list[Any] = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output.output_type == "stream" and output.name == last.get("name"):
            last["text"] += output.text
        else:
            joined.append(output)
    return joined


def _text(notebook: NotebookNode) -> str:
    """The file of a notebook."""
    nbformat.validate(notebook)
    return str(nbformat.writes(notebook)) + "\n"


def main(words: Sequence[str]) -> None:
    """Execute notebooks, and write those that are not as they were."""
    again = "--again" in words
    for path in paths([word for word in words if word != "--again"]):
        before = path.read_text(encoding="utf-8")
        old = nbformat.reads(before, as_version=4)
        new = executed(path)
        is_kept = measures(new) and sources(old) == sources(new) and _has_outputs(old)
        if (is_kept and not again) or _text(new) == before:
            print(f"{path.name}: as it was")
            continue
        path.write_text(_text(new), encoding="utf-8")
        print(f"{path.name}: written")


def _has_outputs(notebook: NotebookNode) -> bool:
    return any(cell.get("outputs") for cell in notebook.cells)


if __name__ == "__main__":
    main(sys.argv[1:])
