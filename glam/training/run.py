"""A training run, from an empty or resumable folder to its record, under a tracker.

Every step is a window of the tracker and a mark in its ledger.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from energy import RunRecord, Tracker
from energy.allocator import keep_freed_memory
from energy.errors import InfeasibleError, InputError
from energy.facts.site import Site
from energy.files import make_folder, require_writable
from glam.checkpoints.checkpoint import Checkpoint
from glam.checkpoints.writer import CheckpointWriter
from glam.config import GlamConfig, differences
from glam.data.corpus import TokenCorpus, load_corpus
from glam.device import choose_device, require_memory, synchronizer
from glam.distributed.connect import connected
from glam.distributed.degrees import Parallelism
from glam.distributed.processes import Processes, ledgers_in
from glam.precision import best_product_flop_per_s, choose_precision, former_precision
from glam.progress import Progress
from glam.recipe import Precision
from glam.training.interrupt import Interrupt
from glam.training.metrics import last_loss
from glam.training.optimizer import build_optimizer
from glam.training.record import write_record
from glam.training.setup import Setup
from glam.training.state import Ending, State
from glam.training.stop import EarlierAttempts, earlier_attempts, spent_at, stop_reason
from glam.training.tensorboard import TensorBoard
from glam.training.trainer import Trainer

RUN_FILES = ("record.json", "metrics.jsonl", "ledger.jsonl", "checkpoints", "rank-0")
"""Files and folders that show that a folder holds a run."""


logger = logging.getLogger("glam")


def train(
    config: GlamConfig | str | Path,
    out: str | Path,
    *,
    resume: bool = False,
    group: bool = False,
    site: Site | None = None,
    peak_flop_per_s: float | None = None,
    tracker: Callable[..., Any] = Tracker,
    parallelism: Parallelism | None = None,
) -> RunRecord:
    """Train a model; write its record, metrics, ledger, tokenizer and checkpoints to a folder.

    Args:
        config: configuration of the run, the name of a model, or the path of a TOML file.
        out: folder of the run.
        resume: continue from the newest checkpoint in `out`, bit for bit as an uninterrupted run
            on the same machine; lost work counts as wasted. A finished run is left as it is.
        group: whether the user's group may read the run; else only the user may.
        site: location of the run, for carbon, water and cost; by default bands over all zones.
        peak_flop_per_s: FLOP/s that MFU and HFU refer to; by default those of a fast product.
        tracker: builds the meter of the run.
        parallelism: how the run is spread over the processes that a launcher such as torchrun has
            started; by default each has a copy of the model. The last attempt of a launcher that
            restarts its processes is resumed.

    Returns:
        The record, as written to out/record.json.

    Raises:
        InputError: `out` holds another run, or the corpus or a checkpoint is not usable.
        InfeasibleError: the model does not fit in memory, or the run diverged too often; then its
            record is written, as its energy was spent, but no checkpoint of the diverged state.
        KeyboardInterrupt: on Ctrl-C; checkpoint and record are written, unless it came twice.
    """
    config, out = GlamConfig.of(config), Path(out)
    with connected(parallelism or Parallelism(), config, out) as processes:
        tracker = partial(tracker, group=group)
        return _train(config, out, processes, resume, group, site, peak_flop_per_s, tracker)


def _train(
    config: GlamConfig,
    out: Path,
    processes: Processes,
    resume: bool,
    group: bool,
    site: Site | None,
    peak_flop_per_s: float | None,
    tracker: Callable[..., Any],
) -> RunRecord:
    """Train a model in one of the processes of a run, as `train` does."""
    resume = processes.by_first(lambda: _check_folder(out, resume, processes.attempt))
    processes.require_shared(out)
    own, device = processes.folder(out), _prepare_device(config, processes)
    checkpoint, config = _begin_or_resume(config, out, device, resume, processes)
    earlier = processes.by_first(lambda: earlier_attempts(ledgers_in(out)))
    if checkpoint is not None and (
        record := processes.by_first(partial(_finished_record, checkpoint, config, out, earlier))
    ):
        return record
    corpus = processes.in_turn(partial(_prepare_corpus, config, out, group))
    processes.require_same({"tokens": corpus.counts()})
    model = processes.build(config, device)
    # Before the meter runs: the first optimizer of a process takes a second to load its code.
    optimizer = build_optimizer(processes.weights(model), config.training, processes.shards())
    state = State(step=checkpoint.step if checkpoint else 0)
    meter = _build_meter(tracker, config, own, device, state.step)
    first = processes.rank == 0
    tensorboard = config.training.tensorboard and first
    events = TensorBoard(out / "events", state.step, enabled=tensorboard)
    with (
        meter,
        events,
        Interrupt() as interrupt,
        CheckpointWriter(
            out / "checkpoints", lambda step: meter.mark("checkpoint", step=step)
        ) as writer,
        Progress(config, state.step) if first else nullcontext() as progress,
    ):
        peak = peak_flop_per_s or _measure_peak(meter, device, config.training.precision)
        peak *= processes.ranks
        setup = Setup(config, out if first else own, device, corpus, peak, earlier)
        processes.meter_waiting(lambda: meter.window("messages", phase="waiting"))
        trainer = Trainer(setup, model, optimizer, state, meter, writer, processes)
        if checkpoint is not None:
            trainer.restore(checkpoint)
        listeners = (progress.show, events.show) if progress else ()
        with processes.watching():
            ending = _run(trainer, interrupt, listeners, checkpoint is not None)
    ledgers = processes.ledgers(out)
    record = processes.by_first(
        lambda: write_record(setup, state, meter, site, ending, group=group, ledgers=ledgers)
    )
    return _complete(record, ending, state.step, config.training.steps)


def _run(
    trainer: Trainer,
    interrupt: Interrupt,
    listeners: Iterable[Callable[[dict[str, Any]], None]],
    resumed: bool,
) -> Ending:
    """Train until the last step, a stop rule, Ctrl-C or a divergence that is given up.

    Args:
        trainer: the trainer.
        interrupt: whether Ctrl-C was pressed.
        listeners: called with every line of metrics.
        resumed: whether the run continues from a checkpoint, which may be at its end.
    """
    last_step, agree = trainer.config.training.steps, trainer.processes.agree
    stop_reason = trainer.stop_reason() if resumed else None
    interrupted = False
    while trainer.state.step < last_step and not stop_reason:
        if interrupted := agree(interrupt.requested):
            break
        try:
            row = trainer.step()
        except InfeasibleError as error:
            return Ending(interrupted, f"given up ({error.expectation})", error)
        if row is not None:
            for show in listeners:
                show(row)
            stop_reason = trainer.stop_reason(row)
    interrupted = interrupted or agree(interrupt.requested)
    if not interrupted and (row := trainer.evaluate_last()) is not None:
        for show in listeners:
            show(row)
    trainer.checkpoint(last=True)
    return Ending(interrupted, stop_reason)


def _complete(record: RunRecord, ending: Ending, step: int, steps: int) -> RunRecord:
    """Return the record; raise the error of a run that diverged, or for one that was interrupted.

    Raises:
        KeyboardInterrupt: it was interrupted.
    """
    if ending.error is not None:
        raise ending.error
    if ending.interrupted:
        logger.warning("stopped after step %d of %d; add --resume to continue", step, steps)
        raise KeyboardInterrupt
    return record


def _prepare_corpus(config: GlamConfig, out: Path, group: bool) -> TokenCorpus:
    """Return the corpus of a run, whose folder and tokenizer are then there."""
    corpus = load_corpus(config.corpus, int(config.shape.vocab_size))
    make_folder(out, group=group)
    corpus.tokenizer.save(out / "tokenizer.model")
    return corpus


def _check_folder(out: Path, resume: bool, attempt: int = 0) -> bool:
    """Return whether to resume: as the user wants, or where a launcher has restarted the run.

    Raises:
        InputError: the run would overwrite another, has none to resume, or cannot write.
    """
    if out.exists() and not out.is_dir():
        raise InputError("expected --out to be a folder", f"the file {out}")
    existing = [name for name in RUN_FILES if (out / name).exists()]
    resume = resume or bool(attempt and existing)
    if existing and not resume:
        raise InputError(
            f"expected a new or empty folder for --out, {out} holds a run",
            ", ".join(existing),
            "add --resume or choose another folder",
        )
    if resume and not existing:
        raise InputError(f"expected a run to resume in {out}", "none", "leave --resume away")
    require_writable(out / "record.json")
    return resume


def _prepare_device(config: GlamConfig, processes: Processes) -> torch.device:
    """Set threads and allocator, and return the device after checking that its part fits."""
    if config.training.threads:
        torch.set_num_threads(config.training.threads)
    device = choose_device(config.training.device)
    require_memory(device, processes.parameters(config.shape))
    keep_freed_memory()
    return device


def _begin_or_resume(
    config: GlamConfig, out: Path, device: torch.device, resume: bool, processes: Processes
) -> tuple[Checkpoint | None, GlamConfig]:
    """Return the checkpoint to resume, if any, and a configuration whose precision is chosen."""
    checkpoint = None
    if resume:
        newest = processes.latest_checkpoint(out / "checkpoints")
        checkpoint, config = _checkpoint_to_resume(config, out, device, newest)
    precision = processes.by_first(lambda: choose_precision(config.training.precision, device))
    return checkpoint, config.with_training(precision=precision)


def _checkpoint_to_resume(
    config: GlamConfig, out: Path, device: torch.device, checkpoint: Checkpoint | None
) -> tuple[Checkpoint | None, GlamConfig]:
    """Return the newest checkpoint, None without one, and the configuration to go on with.

    The checkpoint must have the same configuration, but for the number of steps. A precision of
    auto is that of the checkpoint.
    """
    if checkpoint is None:
        return None, config
    steps = config.training.steps
    if steps < checkpoint.step:
        raise InputError(
            f"expected at least the {checkpoint.step} steps that the run in {out} has done",
            f"{steps} steps",
            f"add --steps {checkpoint.config.training.steps}, or more to go on",
        )
    began_with, config = checkpoint.config, checkpoint.config_to_resume(config)
    if began_with.training.precision == "auto":
        began_with = began_with.with_training(precision=former_precision(device))
    if config.training.precision == "auto":
        config = config.with_training(precision=began_with.training.precision)
    if replace(began_with.with_training(steps=steps), name=config.name) != config:
        changes = [
            change
            for change in differences(began_with.as_dict(), config.as_dict())
            if change[0] not in ("name", "training.steps")
        ]
        # The family also sets the form of the optimizer.
        family = (
            "" if began_with.family == config.family else f", with --family {began_with.family}"
        )
        raise InputError(
            f"expected the settings that the run in {out} started with",
            ", ".join(f"{name} = {new} (was {old})" for name, old, new in changes[:3]),
            f"resume with the same settings{family}",
        )
    return checkpoint, config


def _finished_record(
    checkpoint: Checkpoint, config: GlamConfig, out: Path, earlier: EarlierAttempts
) -> RunRecord | None:
    """Return the record of a run that has nothing left to do; None if it goes on."""
    reason: str | None
    if checkpoint.step >= config.training.steps:
        reason = f"all {config.training.steps} steps are done"
    else:
        loss = last_loss(out / "metrics.jsonl")
        spent = spent_at(config, checkpoint.step, earlier.energy_j, earlier.elapsed_s, loss)
        reason = stop_reason(config.stop, spent)
    if reason is None or not (out / "record.json").exists():
        return None
    logger.warning("nothing to resume in %s: %s; --steps N goes on", out, reason)
    return RunRecord.load(out)


def _build_meter(
    tracker: Callable[..., Any], config: GlamConfig, out: Path, device: torch.device, step: int
) -> Any:
    """Build the tracker of a run, which continues the ledger of earlier attempts."""
    resumed = {"resume_at": {"step": step}} if (out / "ledger.jsonl").exists() else {}
    labels = {
        "model": config.name,
        "family": config.family,
        "optimizer": config.training.optimizer,
        "seed": str(config.training.seed),
        "device": str(device),
        "precision": config.training.precision,
        "threads": str(torch.get_num_threads()),
        "torch": torch.__version__,
    }
    return tracker(
        out,
        name=config.name,
        labels=labels,
        sync=synchronizer(device),
        leave_record=False,
        **resumed,
    )


def _measure_peak(meter: Any, device: torch.device, precision: Precision) -> float:
    """Measure the FLOP/s that MFU and HFU refer to."""
    with meter.window("peak", phase="setup"):
        return best_product_flop_per_s(device, precision)
