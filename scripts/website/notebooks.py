"""The notebooks as pages: their text, their code and the outputs that they keep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scripts.architecture.imports import ROOT
from scripts.website.places import notebook_place
from scripts.website.written import adapted


def notebook_pages() -> dict[str, str]:
    """Each notebook of notebooks/ as a page."""
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    return {notebook_place(path.relative_to(ROOT).as_posix()): _page(path) for path in notebooks}


def _page(path: Path) -> str:
    """A notebook in Markdown."""
    name = notebook_place(path.relative_to(ROOT).as_posix())
    blocks = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            blocks.append(adapted(text, path, name))
        elif text.strip():
            blocks.append(f"``` python\n{text}\n```")
            blocks += [_output(output) for output in cell["outputs"]]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _output(output: dict[str, Any]) -> str:
    """What a cell printed or showed: the richest form that a page can have."""
    if output["output_type"] == "stream":
        return _text(output["text"])
    shown = output.get("data", {})
    if "image/png" in shown:
        encoded = "".join(shown["image/png"]).replace("\n", "")
        return f'<img alt="Output of the cell above" src="data:image/png;base64,{encoded}">'
    if "image/svg+xml" in shown:
        return "".join(shown["image/svg+xml"])
    if "text/html" in shown:
        return f"<div>{''.join(shown['text/html'])}</div>"
    return _text(shown.get("text/plain", ""))


def _text(lines: list[str] | str) -> str:
    text = "".join(lines).rstrip()
    return f"~~~~ text\n{text}\n~~~~" if text else ""
