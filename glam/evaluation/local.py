"""Items of a task from a folder of JSON lines: NAME.jsonl, and NAME.train.jsonl for examples."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from energy.errors import InputError, reason
from energy.inputs import read_text
from glam.evaluation.items import FORMS, Items
from glam.evaluation.suite import TaskFacts

Convert = Callable[[Iterable[Any]], Items]


@dataclass(frozen=True)
class LocalData:
    """Items of one task.

    Attributes:
        test: items to be answered.
        train: what examples are drawn from; empty where there is no file for it.
        path: of the file of `test`.
    """

    test: Items
    train: Items
    path: Path


def require_folder(folder: Path) -> None:
    """Check that --data names a folder with a file of JSON lines.

    Raises:
        InputError: it does not.
    """
    if not folder.is_dir():
        what = "a file" if folder.exists() else "no such folder"
        raise InputError(f"expected a folder of JSON lines at {folder}", what, "name another")


def find(task: TaskFacts, folder: Path, split: str = "") -> Path | None:
    """Return the file of a task in a folder; None if there is none."""
    names = (task.name, *task.files)
    paths = (folder / f"{name}{split}.jsonl" for name in names)
    return next((path for path in paths if path.exists()), None)


def load(task: TaskFacts, folder: Path, convert: Convert) -> LocalData | None:
    """Read the items of a task; None if the folder has no file of it.

    Args:
        task: the task.
        folder: of the files.
        convert: makes items of rows, as `glam.evaluation.rows` does.

    Raises:
        InputError: a line is not JSON or lacks fields, or there is none.
    """
    path = find(task, folder)
    if path is None:
        return None
    examples = load_split(task, folder, "train", convert) or Items()
    return LocalData(_read(task, path, convert), examples, path)


def load_split(task: TaskFacts, folder: Path, split: str, convert: Convert) -> Items | None:
    """Read TASK.SPLIT.jsonl, the items of a split of a task; None if there is no such file.

    Raises:
        InputError: a line is not JSON or lacks fields, or there is none.
    """
    path = find(task, folder, f".{split}")
    return None if path is None else _read(task, path, convert)


def _read(task: TaskFacts, path: Path, convert: Convert) -> Items:
    """Return the items of a file."""
    items = Items()
    for number, line in enumerate(read_text(path, "a file of items").split("\n"), start=1):
        if line.strip():
            items.extend(_of_line(line, f"line {number} of {path}", task, convert))
    if not items:
        raise InputError(
            f"expected items of {task.name} in {path}",
            "an empty file",
            "add one JSON object a line",
        )
    return items


def _of_line(line: str, place: str, task: TaskFacts, convert: Convert) -> Items:
    """Return the items of one line, all of whose fields are as the task needs them."""
    try:
        row = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(
            f"expected a JSON object in {place}", reason(error), "correct or delete that line"
        ) from error
    expectation = f"expected the fields of {task.name} in {place}"
    forms = "; ".join(", ".join(fields) for fields in FORMS.values())
    fix = f"give it the fields that its data set has, or those of a form: {forms}"
    if not isinstance(row, dict):
        raise InputError(expectation, f"a {type(row).__name__}", fix)
    try:
        items = convert([row])
        for item in items:
            _require_complete(item, generates=task.generates)
    except KeyError as error:
        raise InputError(expectation, f"no field {error.args[0]}", fix) from error
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise InputError(expectation, f"a value that does not fit: {reason(error)}", fix) from error
    return items


def _require_complete(item: dict[str, Any], *, generates: bool) -> None:
    """Raise ValueError, TypeError or KeyError if an item has no question or no right answer."""
    if generates:
        texts = [item["context"], item["answer"]]
        if not item["references"]:
            raise ValueError("no answer")
    else:
        options = item["choices"] if "choices" in item else item["context_options"]
        texts = [item["query"] if "choices" in item else item["continuation"], *options]
        if len(options) < 2 or not all(0 <= gold < len(options) for gold in item["golds"]):
            raise ValueError(f"{len(options)} options and gold {item['gold']}")
    if not all(isinstance(text, str) and text for text in texts):
        raise ValueError("a text that is empty or no text")
