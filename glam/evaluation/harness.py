"""lm-eval with the task files of the suite alone: its own index of 14,683 tasks is never read."""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from glam.evaluation import answers, scores
from glam.evaluation.items import Item, Items
from glam.evaluation.local import Convert, LocalData
from glam.evaluation.suite import TaskFacts

TASK_FILES = Path(__file__).with_name("tasks")

SEED = 1234
"""Seed of the example of each item, lm-eval's default."""


@dataclass(frozen=True)
class Sample:
    """An item, and what a model answered.

    Attributes:
        item: the item.
        arguments: text and option of each request; prompt and settings where it generates.
        replies: log-likelihood and greediness of each option; or the one text that it generated.
        lm_eval: lm-eval's own metrics of it.
    """

    item: dict[str, Any]
    arguments: Sequence[tuple[Any, ...]]
    replies: Sequence[Any]
    lm_eval: Mapping[str, float]


@cache
def _manager() -> Any:
    from lm_eval.tasks import TaskManager

    return TaskManager(include_path=str(TASK_FILES), include_defaults=False)


def converter(name: str) -> Convert:
    """Return the function that its task file names as the reader of rows."""
    from lm_eval.tasks._yaml_loader import load_yaml

    convert: Convert = load_yaml(TASK_FILES / f"{name}.yaml")["process_docs"]
    return convert


def build(name: str, shots: int, data: LocalData | None) -> Any:
    """Build a task of lm-eval.

    Args:
        name: of the task.
        shots: examples before each item; drawn from the same items, but for the item
            itself, where there are no others.
        data: its items; from the hub if None, where whatever a network does may be raised.
    """
    chosen: dict[str, Any] = {"task": name, "num_fewshot": shots}
    if data is not None:
        splits = {"test": data.test, "train": data.train or data.test}
        chosen["custom_dataset"] = lambda **_: splits
        chosen |= {"test_split": "test", "fewshot_split": "train" if data.train else "test"}
    with _quiet():
        task = _manager().load({"group": "suite", "task": [chosen]})["tasks"][name]
    task.set_fewshot_seed(seed=SEED)
    return task


def run(task: Any, model: Any, limit: int | None) -> list[Sample]:
    """Ask a model the items of a task, or the first `limit` of them."""
    from lm_eval.evaluator import evaluate

    name = task.config.task
    with _quiet():
        results = evaluate(model, {"tasks": {name: task}}, limit=limit, bootstrap_iters=0)
    return [
        Sample(
            sample["doc"],
            sample["arguments"],
            sample["filtered_resps"],
            {metric: sample[metric] for metric in sample["metrics"]},
        )
        for sample in results["samples"][name]
    ]


def answers_of(task: TaskFacts, samples: Sequence[Sample], model: Any) -> list[scores.Answer]:
    """Return how right a model was on each item, by the rule of the paper."""
    return [
        _answer(task, sample, model, str(sample.item.get("group", f"item {number}")))
        for number, sample in enumerate(samples)
    ]


def right_answers(task: TaskFacts, items: Items) -> Iterator[tuple[str, str]]:
    """Yield the zero-shot prompt of each item, and its right answer with what is between them.

    The answer to a question ends with a line end, at which an evaluation stops.
    """
    built = build(task.name, 0, LocalData(items, Items(), Path()))
    with _quiet():
        built.build_all_requests(limit=None, rank=0, world_size=1)
    for request in built.instances:
        prompt, answer = request.args[:2]
        if task.generates:
            yield prompt, f"{built.config.target_delimiter}{request.doc['answer']}\n"
        elif request.idx == request.doc["gold"]:
            yield prompt, answer


def key(item: Item) -> str:
    """Return what tells an item from the others of its task: a hash of all its fields."""
    text = json.dumps(item, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def shares(sample: Sample, normalizer: str, model: Any) -> list[float]:
    """Return how much of a model's choice each option of an item gets.

    Args:
        sample: the item and the log-likelihoods of its options.
        normalizer: tokens, characters, bytes or total.
        model: whose tokens are counted.
    """
    likelihoods = [float(score) for score, _ in sample.replies]
    return scores.chosen(
        likelihoods, [_length(pair, normalizer, model) for pair in sample.arguments]
    )


def _answer(task: TaskFacts, sample: Sample, model: Any, group: str) -> scores.Answer:
    if task.generates:
        scored = answers.OF_TASK[task.name](sample.item, [str(sample.replies[0])])
        return scores.of_text(scored, task.metric, group)
    chosen = shares(sample, task.normalizer, model)
    return scores.of_choice(sample.item, chosen, task.metric, group)


def _length(pair: Sequence[Any], normalizer: str, model: Any) -> float:
    context, option = pair[:2]
    if normalizer == "tokens":
        return float(len(model._encode_pair(context, option)[1]))
    # As in lm-eval: without the space that separates an option from its text.
    return scores.LENGTHS[normalizer](option.removeprefix(" "))


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out lm-eval's bars, and its warnings about settings that are ours on purpose."""
    logger = logging.getLogger("lm_eval")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
