"""Items of tasks as sequences to train on: the prompt of the evaluation, and its right answer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from energy.errors import InputError, MissingDataError
from glam.evaluation import harness, local
from glam.evaluation.items import Item, Items
from glam.evaluation.model import GlamLM
from glam.evaluation.suite import TaskFacts

VALIDATION_SHARE = 0.1
"""Of the training items, where a task has no file of validation items."""

BATCHES_OF_A_POOL = 16
"""Batches whose examples are sorted by length together: the order of examples stays random."""


@dataclass(frozen=True)
class Example:
    """An item as tokens.

    Attributes:
        tokens: prompt and answer, at most the window and one.
        answer: how many of the last are the answer.
    """

    tokens: tuple[int, ...]
    answer: int


@dataclass(frozen=True)
class Splits:
    """The items of a task by what they are used for; no test items where there is no file."""

    train: Items
    validation: Items
    test: local.LocalData | None


def load(task: TaskFacts, folder: Path) -> Splits:
    """Read the items of a task.

    Validation items are a tenth of the training items, chosen by hash, where the task has no file
    of them.

    Raises:
        MissingDataError: there is no file of training items.
        InputError: a line is broken, or a split is empty.
    """
    local.require_folder(folder)
    convert = harness.converter(task.name)
    train = local.load_split(task, folder, "train", convert)
    if train is None:
        raise MissingDataError(
            f"expected training items of {task.name} in {folder}",
            f"no {task.name}.train.jsonl",
            "write it, or make those of the suite home with glam items",
        )
    validation = local.load_split(task, folder, "validation", convert)
    if validation is None:
        apart = [_hash(item) < VALIDATION_SHARE for item in train]
        validation = Items(item for item, out in zip(train, apart, strict=True) if out)
        train = Items(item for item, out in zip(train, apart, strict=True) if not out)
    for name, items in (("training", train), ("validation", validation)):
        if not items:
            raise InputError(
                f"expected {name} items of {task.name} in {folder}",
                "an empty split",
                f"write {task.name}.validation.jsonl, or more training items",
            )
    return Splits(train, validation, local.load(task, folder, convert))


def examples(task: TaskFacts, items: Items, model: GlamLM) -> list[Example]:
    """Return items as sequences: zero-shot prompt and right answer, as the evaluation has them.

    A sequence that is longer than the window and its next token loses its beginning.
    """
    window = int(model.model.shape.seq_len)
    made = []
    for prompt, answer in harness.right_answers(task, items):
        before, after = model._encode_pair(prompt, answer)
        tokens = [*(before or [model.eot_token_id]), *after][-(window + 1) :]
        made.append(Example(tuple(tokens), min(len(after), len(tokens) - 1)))
    return made


def batches(made: Sequence[Example], size: int, seed: int, epoch: int) -> Iterator[list[Example]]:
    """Yield all examples in batches, in an order that depends on seed and epoch alone.

    Those of a batch are of about one length, so that there is little padding: of every
    `BATCHES_OF_A_POOL` batches of the random order, the examples are sorted by length.
    """
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(made)).tolist()
    groups = []
    for begin in range(0, len(order), size * BATCHES_OF_A_POOL):
        pool = order[begin : begin + size * BATCHES_OF_A_POOL]
        pool.sort(key=lambda place: len(made[place].tokens))
        groups += [pool[first : first + size] for first in range(0, len(pool), size)]
    for group in random.permutation(len(groups)).tolist():
        yield [made[place] for place in groups[group]]


def _hash(item: Item) -> float:
    """Return a number from 0 to 1 that depends on the item alone."""
    digest = hashlib.blake2b(harness.key(item).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
