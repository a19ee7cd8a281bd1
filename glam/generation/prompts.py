"""Prompts from a file: a text a line, or JSON lines with the field `prompt`."""

from __future__ import annotations

import json
from pathlib import Path

from energy.errors import InputError, reason
from energy.inputs import UNPARSED, read_text


def read_prompts(path: Path) -> list[str]:
    """Read the prompts of a file, in order; lines without a letter are passed over.

    Args:
        path: of lines of JSON where its name ends in .jsonl, else of lines of text.

    Raises:
        InputError: it cannot be read, has no prompt, or a line is not JSON with a text `prompt`.
    """
    lines = read_text(path, "a file of prompts").splitlines()
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not numbered:
        raise InputError(f"expected prompts in {path}", "none", "write one a line")
    if path.suffix != ".jsonl":
        return [line for _, line in numbered]
    return [_prompt(line, f"line {number} of {path}") for number, line in numbered]


def _prompt(line: str, place: str) -> str:
    try:
        row = json.loads(line)
    except UNPARSED as error:
        raise InputError(
            f"expected a JSON object in {place}", reason(error), "correct or delete that line"
        ) from error
    text = row.get("prompt") if isinstance(row, dict) else None
    if not isinstance(text, str):
        fix = 'write {"prompt": "..."}, or name the file .txt for a text a line'
        raise InputError(f"expected a text prompt in {place}", line[:80], fix)
    return text
