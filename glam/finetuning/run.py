"""A fine-tuning run: from a checkpoint and items to a checkpoint and a record."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from energy import Quantity, RunRecord, Tracker
from energy.errors import InputError, nearest
from energy.facts.site import Site, site_from_options
from energy.files import make_folder, require_writable
from energy.footprint.apply import at_site
from energy.shape import active_parameters, parameters
from energy.shape import total as sum_of
from glam.checkpoints.checkpoint import Checkpoint
from glam.config import GlamConfig
from glam.device import synchronizer
from glam.evaluation.model import GlamLM
from glam.evaluation.paired import Difference, difference
from glam.evaluation.results import TaskResult
from glam.evaluation.run import Subject, ask
from glam.evaluation.suite import SUITES, TaskFacts, tasks
from glam.finetuning.examples import Splits, examples, load
from glam.finetuning.tuner import Progressed, Recipe, Tuner
from glam.finetuning.weights import Tuned
from glam.generation.loading import Trained, load_trained
from glam.progress import Stages
from glam.training.interrupt import Interrupt
from glam.training.run import RUN_FILES

logger = logging.getLogger("glam")


@dataclass(frozen=True)
class Finetuned:
    """What fine-tuning came to.

    Attributes:
        record: of the run, written to its folder.
        done: steps, epochs and losses.
        differences: of test items right before and after, by task; empty without test items.
    """

    record: RunRecord
    done: Progressed
    differences: list[Difference]

    def as_json(self) -> dict[str, Any]:
        """The run as one document."""
        from dataclasses import asdict

        return {
            "steps": self.done.step,
            "epochs": self.done.epoch,
            "best_step": self.done.best_step,
            "validation_losses": self.done.losses,
            "differences": [asdict(row) for row in self.differences],
            "record": self.record,
        }


def require_tasks(names: str) -> list[TaskFacts]:
    """Return tasks by their names or those of suites, separated by commas.

    Raises:
        InputError: there is no such task.
    """
    known = {name: facts for suite in SUITES for name, facts in tasks(suite).items()}
    chosen: dict[str, TaskFacts] = {}
    for name in [name.strip() for name in names.split(",") if name.strip()] or [names]:
        if name in SUITES:
            chosen |= tasks(name)
        elif name in known:
            chosen[name] = known[name]
        else:
            fix = nearest(name, [*SUITES, *known])
            raise InputError("expected --task with names of tasks or a suite", repr(name), fix)
    return list(chosen.values())


def finetune(
    path: Path,
    chosen: Sequence[TaskFacts],
    data: Path,
    out: Path,
    recipe: Recipe,
    *,
    limit: int | None = None,
    device: str = "auto",
    site: Site | None = None,
    tracker: Callable[..., Any] = Tracker,
) -> Finetuned:
    """Tune the model of a checkpoint under the meters; write checkpoint and record to a folder.

    The checkpoint is that of the epoch with the lowest validation loss, with adapters added into
    the weights. It is written as often as the loss falls, so that a killed run leaves the best.

    Args:
        path: folder of a run, or a checkpoint in it.
        chosen: tasks to train on, all their items together.
        data: folder of TASK.train.jsonl, and TASK.validation.jsonl and TASK.jsonl if there are any.
        out: new folder.
        recipe: how.
        limit: most test items of a task.
        device: auto, cpu or cuda.
        site: location of the run.
        tracker: builds the meter.

    Raises:
        InputError: an input is not usable, or `out` holds a run.
        MissingDataError: a task has no training items.
        KeyboardInterrupt: on Ctrl-C; checkpoint and record are written, unless it came twice.
    """
    _require_new(out)
    splits = {task.name: load(task, data) for task in chosen}
    trained = load_trained(path, device)
    names = ", ".join(task.name for task in chosen)
    config = replace(trained.config, name=f"{trained.config.name} tuned on {names}")
    meter = _meter(tracker, out, config.name, trained)
    results = partial(_results, chosen, splits, meter, limit)

    with meter, Interrupt() as interrupt, Stages("fine-tuning") as stages:
        stages.show("asking the test items", 0, recipe.epochs)
        first, second = results("before", trained), []
        tuner = _tuner(trained, chosen, splits, recipe, meter)
        done = tuner.run(
            keep=lambda step, loss: _write(out, config, trained.step + step, tuner.tuned, loss),
            stop=lambda: interrupt.requested,
            on_epoch=lambda done: stages.show(_words(done), done.epoch, recipe.epochs),
        )
        if not interrupt.requested:
            second = results("after", load_trained(out, device))
        interrupted = interrupt.requested
    record = _record(config, tuner.tuned, done, meter, [*first, *second], interrupted=interrupted)
    record = at_site(record, site or site_from_options(None, None))
    record.save(out / "record.json")
    if interrupted:
        logger.warning("stopped after step %d; %s has the best so far", done.step, out)
        raise KeyboardInterrupt
    return Finetuned(record, done, _differences(first, second))


def _meter(tracker: Callable[..., Any], out: Path, name: str, trained: Trained) -> Any:
    """Make the folder of a run with its tokenizer, and build its tracker."""
    make_folder(out, group=False)
    trained.tokenizer.save(out / "tokenizer.model")
    sync = synchronizer(trained.model.embedding.device)
    return tracker(out, name=name, sync=sync, leave_record=False)


def _tuner(
    trained: Trained,
    chosen: Sequence[TaskFacts],
    splits: dict[str, Splits],
    recipe: Recipe,
    meter: Any,
) -> Tuner:
    """Make the examples of all tasks, mark the weights that are trained, and build the tuner."""
    reader = GlamLM(trained.model, trained.tokenizer)
    train, validation = (
        [
            example
            for task in chosen
            for example in examples(task, getattr(splits[task.name], split), reader)
        ]
        for split in ("train", "validation")
    )
    tuned = Tuned(trained.model, recipe.weights, recipe.rank, recipe.targets)
    return Tuner(tuned, recipe, train, validation, trained.config.training, meter)


def _require_new(out: Path) -> None:
    """Check that a folder holds no run, before any work.

    Raises:
        InputError: it does, or cannot be written.
    """
    existing = [name for name in RUN_FILES if (out / name).exists()]
    if existing:
        raise InputError(
            f"expected a new or empty folder for --out, {out} holds a run",
            ", ".join(existing),
            "choose another folder",
        )
    require_writable(out / "record.json")


def _results(
    chosen: Sequence[TaskFacts],
    splits: dict[str, Splits],
    meter: Any,
    limit: int | None,
    when: str,
    trained: Trained,
) -> list[TaskResult]:
    """Ask a model the test items of all tasks that have some, in windows named by the time."""
    model = GlamLM(trained.model, trained.tokenizer)
    subject = Subject(trained.config.name, trained.step, model)
    return [
        ask(subject, task, test, meter, limit=limit, window=f"{when} {task.name}")
        for task in chosen
        if (test := splits[task.name].test) is not None
    ]


def _write(out: Path, config: GlamConfig, step: int, tuned: Tuned, loss: float) -> None:
    """Write the weights as they are now into a checkpoint, the only one that is kept."""
    weights = {f"model.{name}": weight.contiguous() for name, weight in tuned.state().items()}
    config = config.with_training(keep_checkpoints=1)
    Checkpoint(step, config, weights, validation_loss=loss).write(out / "checkpoints")


def _differences(first: list[TaskResult], second: list[TaskResult]) -> list[Difference]:
    """Return how many test items were right before and after, by task and over all."""
    rows, every = [], []
    for before, after in zip(first, second, strict=True):
        pairs = [(answer, after.answers[key]) for key, answer in before.answers.items()]
        rows.append(difference(before.task.name, pairs))
        every += pairs
    return rows if len(rows) < 2 else [*rows, difference("all", every)]


def _words(done: Progressed) -> str:
    return f"validation loss {done.losses[-1]:.4g} after step {done.step}"


def _record(
    config: GlamConfig,
    tuned: Tuned,
    done: Progressed,
    meter: Any,
    results: Sequence[TaskResult],
    *,
    interrupted: bool,
) -> RunRecord:
    """Return the record: tokens and FLOP are those of the steps, joules are by phase."""
    shape = config.shape
    model_flop, executed_flop = tuned.flop(done.work)
    evaluated = [result.work for result in results if result.work is not None]
    metrics = {
        "validation_loss_before": done.losses[0],
        "validation_loss": min(done.losses),
        "steps": float(done.step),
        "best_step": float(done.best_step),
        "skipped_steps": float(done.skipped),
        "trained_parameters": float(tuned.trained),
        "evaluation_flop": sum(work.model_flop for work in evaluated),
    }
    units = {"validation_loss_before": "nat", "validation_loss": "nat", "evaluation_flop": "FLOP"}
    note = "interrupted" if interrupted else "the epoch of the lowest validation loss is kept"
    record: RunRecord = meter.record(
        name=config.name,
        tokens=float(done.work.tokens),
        params_total=float(sum_of(parameters(shape))),
        params_active=float(sum_of(active_parameters(shape))),
        model_flop=model_flop,
        executed_flop=executed_flop,
        shape=shape.as_dict(),
        environment={
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "weights": tuned.weights,
        },
        metrics={
            name: Quantity.exact(value, units.get(name, "1"), "counted by glam finetune")
            for name, value in metrics.items()
        },
        notes=[f"{note}; step {done.step}"],
    )
    return record
