"""An evaluation, from a checkpoint and items to values and a record, under a tracker."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from energy import RunRecord, Tracker
from energy.errors import InputError, MissingDataError
from energy.outside import attempt
from energy.shape import active_parameters, parameters
from energy.shape import total as sum_of
from glam.device import synchronizer
from glam.evaluation import harness, local, paired, scores
from glam.evaluation.model import GlamLM
from glam.evaluation.results import Evaluation, TaskResult, totals
from glam.evaluation.suite import TaskFacts
from glam.generation.loading import load_trained
from glam.generation.work import Work
from glam.progress import Stages


@dataclass(frozen=True)
class Subject:
    """What is evaluated.

    Attributes:
        name: of the run's configuration.
        step: optimizer steps of the checkpoint.
        model: the model with its tokenizer.
    """

    name: str
    step: int
    model: GlamLM


def evaluate_checkpoint(
    path: Path,
    tasks: Sequence[TaskFacts],
    *,
    data: Path | None = None,
    shots: int = 0,
    limit: int | None = None,
    device: str = "auto",
    out: Path | None = None,
    tracker: Callable[..., Any] = Tracker,
) -> Evaluation:
    """Evaluate a checkpoint under the meters, with progress on stderr.

    Args:
        path: as of `load_subject`.
        tasks: of the suite.
        data: folder of files of items; the hub is used without it.
        shots: examples before each item.
        limit: most items of a task.
        device: auto, cpu or cuda.
        out: folder for the record and the ledger, which are not kept without it.
        tracker: builds the meter.

    Raises:
        InputError: an input is not usable, or there is a run in `out`.
        InfeasibleError: there is no such device.
        MissingDataError: no task has items.
    """
    items = load_items(tasks, data)
    hub = data is None and hub_is_reachable()
    if not hub and not any(items.values()):
        raise MissingDataError(
            f"expected items of one of {', '.join(task.name for task in tasks)}",
            f"no file of them in {data}" if data else "no answer of the hub of data sets",
            "name a folder of TASK.jsonl with --data",
        )
    subject = load_subject(path, device)
    with tempfile.TemporaryDirectory() as folder, Stages("evaluating") as stages:
        meter = tracker(
            out or Path(folder) / "run",
            name=f"eval {subject.name}",
            sync=synchronizer(subject.model.model.embedding.device),
            leave_record=False,
        )
        evaluation = evaluate(
            subject,
            tasks,
            items,
            meter,
            shots=shots,
            limit=limit,
            hub=hub,
            on_progress=stages.show,
        )
    if out is not None:
        evaluation.record.save(out / "record.json")
        paired.save(out, evaluation)
    return evaluation


def load_subject(path: Path, device: str = "auto") -> Subject:
    """Load the model of a checkpoint, dropless and in float32.

    Args:
        path: folder of a run, of which the newest checkpoint is taken, or a checkpoint in it.
        device: auto, cpu or cuda.

    Raises:
        InputError: there is no usable checkpoint or tokenizer.
        InfeasibleError: there is no such device.
    """
    trained = load_trained(path, device)
    return Subject(trained.config.name, trained.step, GlamLM(trained.model, trained.tokenizer))


def load_items(
    tasks: Sequence[TaskFacts], folder: Path | None
) -> dict[str, local.LocalData | None]:
    """Read the items of all tasks that the folder has files of.

    Raises:
        InputError: there is no such folder, or a file in it is not usable.
        MissingDataError: the suite is home, and there is no folder.
    """
    if folder is None and tasks[0].suite == "home":
        raise MissingDataError(
            "expected --data with the items of the suite home",
            "none, and the hub of data sets has them not",
            "make them with glam items RUN --out DIR",
        )
    if folder is None:
        return {task.name: None for task in tasks}
    local.require_folder(folder)
    return {task.name: local.load(task, folder, harness.converter(task.name)) for task in tasks}


def evaluate(
    subject: Subject,
    tasks: Sequence[TaskFacts],
    items: dict[str, local.LocalData | None],
    meter: Any,
    *,
    shots: int = 0,
    limit: int | None = None,
    hub: bool = False,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Evaluation:
    """Ask a model all items of some tasks, each task in a window of a tracker.

    Args:
        subject: the model.
        tasks: of the suite.
        items: of `load_items`; a task without any is loaded from the hub.
        meter: a tracker that has not been started; its record is made, not written.
        shots: examples before each item.
        limit: most items of a task.
        hub: whether the hub has the items of the others.
        on_progress: called with the title of a task, and how many of how many are done.

    Raises:
        InputError: an item has no other to be its example.
    """
    report = on_progress or (lambda title, done, total: None)
    results: list[TaskResult] = []
    with meter:
        for done, task in enumerate(tasks):
            report(task.title, done, len(tasks))
            data = items[task.name]
            if data is None and not hub:
                results.append(TaskResult.not_run(task, "no file in --data"))
                continue
            results.append(ask(subject, task, data, meter, shots=shots, limit=limit))
        report("done", len(tasks), len(tasks))
    record = _record(subject, results, meter, shots)
    return totals(subject.name, subject.step, shots, results, record)


def hub_is_reachable() -> bool:
    """Whether the hub of data sets answers within a few seconds."""
    import socket

    def connect() -> None:
        socket.create_connection(("huggingface.co", 443), timeout=3).close()

    _, error = attempt(connect)
    return error is None


def ask(
    subject: Subject,
    task: TaskFacts,
    data: local.LocalData | None,
    meter: Any,
    *,
    shots: int = 0,
    limit: int | None = None,
    window: str = "",
) -> TaskResult:
    """Ask a model the items of one task, in a window of a running tracker.

    Args:
        subject: the model.
        task: the task.
        data: its items; from the hub if None.
        meter: the tracker.
        shots: examples before each item.
        limit: most items.
        window: name of the window; that of the task without.

    Raises:
        InputError: an item has no other to be its example.
    """
    alone = data is not None and all(item == data.test[0] for item in data.test)
    if shots and data is not None and not data.train and alone:
        raise InputError(
            f"expected another item of {task.name} as the example",
            f"one in {data.path}",
            f"add {task.name}.train.jsonl beside it, or use --shots 0",
        )
    built, error = attempt(lambda: harness.build(task.name, shots, data))
    if error is not None:
        if data is not None:
            raise error
        return TaskResult.not_run(task, f"the hub has it not: {type(error).__name__}: {error}")
    name = window or task.name
    subject.model.work = Work()
    subject.model.around = lambda phase: meter.window(f"{phase} of {name}", phase=phase)
    with meter.window(name, phase="evaluation"):
        samples = harness.run(built, subject.model, limit)
    answers = harness.answers_of(task, samples, subject.model)
    return TaskResult.of(
        task,
        scores.total(answers),
        len(samples),
        subject.model.work,
        lm_eval=_means(samples),
        source=str(data.path.name) if data else "hub",
        example=_example(shots, data),
        answers={
            harness.key(sample.item): answer
            for sample, answer in zip(samples, answers, strict=True)
        },
    )


def _example(shots: int, data: local.LocalData | None) -> str:
    if not shots:
        return "none"
    return "training items" if data is None or data.train else "another item of the same file"


def _means(samples: Sequence[harness.Sample]) -> dict[str, float]:
    """Return the means of lm-eval's own metrics."""
    sums: Counter[str] = Counter()
    for sample in samples:
        sums.update({name: float(value) for name, value in sample.lm_eval.items()})
    return {name: value / len(samples) for name, value in sums.items()}


def _record(subject: Subject, results: Sequence[TaskResult], meter: Any, shots: int) -> RunRecord:
    """Return the record of an evaluation, with the joules of each task as those of its window."""
    shape = subject.model.model.shape
    ran = [result for result in results if result.work is not None]
    work = [result.work for result in ran if result.work is not None]
    record: RunRecord = meter.record(
        tokens=sum(done.tokens for done in work),
        params_total=float(sum_of(parameters(shape))),
        params_active=float(sum_of(active_parameters(shape))),
        model_flop=sum(done.model_flop for done in work),
        executed_flop=sum(done.executed_flop for done in work),
        shape=shape.as_dict(),
        environment={"torch": torch.__version__, "threads": torch.get_num_threads()},
        metrics={result.metric_name(shots): result.quantity() for result in ran},
    )
    return record
