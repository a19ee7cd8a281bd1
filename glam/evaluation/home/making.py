"""The files of the home-made set: training, validation and test items of each task.

All items of a document are in one of the three splits, chosen by a hash of its name, so that
fine-tuning on one never sees the text of another. The same run and text give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from energy.errors import MissingDataError
from energy.files import make_folder, require_writable, write_text_atomic
from glam.evaluation.home.questions import Question, questions
from glam.evaluation.home.unseen import Unseen, Window
from glam.evaluation.suite import tasks
from glam.progress import Stages

SPLITS = {"train": 0.45, "validation": 0.1, "test": 0.45}
"""Shares of the documents."""

SUFFIX = {"train": ".train", "validation": ".validation", "test": ""}
"""What stands between the name of a task and .jsonl."""

MOST_OF_DOCUMENT = 40
"""Items of a task from one document, so that no document is a task of its own."""

FORMAT = "glam-home-1"


def make(unseen: Unseen, out: Path, items: int) -> dict[str, dict[str, int]]:
    """Write the items of all tasks, and about.json, which says what they were made of.

    Args:
        unseen: text that a run was not trained on.
        out: folder of the files.
        items: most items of a task and split.

    Returns:
        Items of each task by split.

    Raises:
        InputError: the folder cannot be written, or the text cannot be read.
        MissingDataError: the text has too few questions.
    """
    require_writable(out / "about.json")
    with Stages("making questions") as stages:
        stages.show("reading unseen text", 0, 3)
        made = [question for document in unseen.documents() for question in questions(document)]
        stages.show("comparing it with training text", 1, 3)
        new = _new(made, unseen.trained_on({question.window for question in made}))
        stages.show("done", 3, 3)
    names = list(tasks("home"))
    chosen = {(name, split): _chosen(new, name, split, items) for name in names for split in SPLITS}
    counts = {name: {split: len(chosen[name, split]) for split in SPLITS} for name in names}
    if not all(all(splits.values()) for splits in counts.values()):
        raise MissingDataError(
            f"expected unseen text with questions for each of {', '.join(names)}",
            f"{json.dumps(counts)} items",
            "name more text that the run was not trained on with --data",
        )
    make_folder(out, group=True)
    for (name, split), rows in chosen.items():
        lines = "".join(f"{json.dumps(item)}\n" for item in rows)
        write_text_atomic(out / f"{name}{SUFFIX[split]}.jsonl", lines)
    about = {"format": FORMAT, "corpus_sha256": unseen.content, "items": counts}
    write_text_atomic(out / "about.json", json.dumps(about, indent=1) + "\n")
    return counts


def split_of(group: str) -> str:
    """Return the split of a document, a function of its name."""
    place = _hash("split", group) / 2**64
    for split, share in SPLITS.items():
        if place < share:
            return split
        place -= share
    return "test"


def _new(made: Iterable[Question], seen: set[Window]) -> list[Question]:
    """Return the questions whose text is not trained on and is not that of one before."""
    new: dict[tuple[str, Window], Question] = {}
    for question in made:
        if question.window not in seen:
            new.setdefault((question.task, question.window), question)
    return list(new.values())


def _chosen(made: Sequence[Question], name: str, split: str, most: int) -> list[dict[str, Any]]:
    """Return so many items of a task and split, in an order of hashes."""
    own = [
        question.item
        for question in made
        if question.task == name and split_of(question.item["group"]) == split
    ]
    own.sort(key=lambda item: _hash("order", json.dumps(item)))
    taken: dict[str, int] = {}
    chosen = []
    for item in own:
        taken[item["group"]] = taken.get(item["group"], 0) + 1
        if taken[item["group"]] <= MOST_OF_DOCUMENT:
            chosen.append(item)
    return chosen[:most]


def _hash(use: str, text: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{use} {text}".encode(), digest_size=8).digest(), "big")
