"""A training run from its folder to its record, under a meter.

Every step is a window of the tracker and a mark in its ledger; `glam.training.trainer` is what a
step does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from energy import RunRecord, Tracker
from energy.errors import InfeasibleError, InputError
from energy.facts.site import Site, site_from_options
from energy.shape import parameters, total
from glam.checkpoints.checkpoint import latest_checkpoint
from glam.checkpoints.writer import CheckpointWriter
from glam.config import GlamConfig
from glam.data.corpus import load_corpus
from glam.device import (
    best_matmul_flop_per_s,
    choose_device,
    keep_freed_memory,
    require_room,
    synchronise,
)
from glam.model.decoder import Glam
from glam.progress import Progress
from glam.training.interrupt import Interrupt
from glam.training.metrics import keep_metrics
from glam.training.optimizer import build_optimizer
from glam.training.record import write_record
from glam.training.state import State
from glam.training.stop import spent_before
from glam.training.tensorboard import Events
from glam.training.trainer import Loop


def train(
    config: GlamConfig,
    out: Path,
    *,
    resume: bool = False,
    site: Site | None = None,
    peak_flop_per_s: float | None = None,
    tracker: Callable[..., Any] = Tracker,
) -> RunRecord:
    """Train a model and leave its record, metrics, ledger, tokenizer and checkpoints in a folder.

    Args:
        config: the run.
        out: folder of the run.
        resume: go on from the newest checkpoint in `out`; the result is bit for bit that of an
            uninterrupted run on the same machine, and lost work is labelled wasted.
        site: where the run stands, for carbon, water and cost; without it, bands over all zones.
        peak_flop_per_s: what MFU is a share of; without it, the best product measured now.
        tracker: builds the meter.

    Returns:
        The record that was also written to out/record.json.

    Raises:
        InputError: `out` holds another run, or the corpus or a checkpoint is not usable.
        InfeasibleError: the model is larger than the device's memory; or the run diverged again
            and again: its record is written, as its joules were spent, but no checkpoint of what
            diverged.
        KeyboardInterrupt: Ctrl-C; after the first the step was finished, a checkpoint and a
            record were written, after the second nothing more was.
    """
    _check_folder(out, resume)
    training = config.training
    if training.threads:
        torch.set_num_threads(training.threads)
    device = choose_device(training.device)
    require_room(device, float(total(parameters(config.shape))))
    keep_freed_memory()
    found = latest_checkpoint(out / "checkpoints") if resume else None
    if found is not None and found.config != config:
        raise InputError(
            f"expected the settings that the run in {out} began with",
            _difference(found.config.as_dict(), config.as_dict()),
            "resume with the same settings",
        ) from None
    corpus = load_corpus(config.corpus, int(config.shape.vocab_size))
    corpus.tokenizer.save(out / "tokenizer.model")
    model = Glam(config.shape, training.seed, config.dispatch).to(device)
    optimizer = build_optimizer(model, training)
    state = State(step=found.step if found else 0)
    last = keep_metrics(out / "metrics.jsonl", state.step)
    if last is not None and last["loss"] is not None:
        state.loss = last["loss"]
    resumed = {"resume_at": {"step": state.step}} if (out / "ledger.jsonl").exists() else {}
    labels = {
        "model": config.name,
        "optimizer": training.optimizer,
        "seed": str(training.seed),
        "device": str(device),
        "threads": str(torch.get_num_threads()),
        "torch": torch.__version__,
    }
    before = spent_before(out / "ledger.jsonl")
    meter = tracker(out, name=config.name, labels=labels, sync=synchronise(device), **resumed)
    events = Events(out / "events", state.step, wanted=training.tensorboard)
    with (
        meter,
        events,
        Interrupt() as interrupt,
        CheckpointWriter(out / "checkpoints") as writer,
        Progress(config, state.step) as progress,
    ):
        peak = peak_flop_per_s
        if peak is None:
            with meter.window("peak", phase="setup"):
                peak = best_matmul_flop_per_s(device)
        run = Loop(
            config, out, device, corpus, model, optimizer, state, meter, peak, before, writer
        )
        stopped = given_up = None
        if found is not None:
            run.restore(found)
            stopped = run.stopped()
        while state.step < training.steps and not interrupt.wanted and not stopped:
            try:
                row = run.step()
            except InfeasibleError as error:
                stopped, given_up = f"given up ({error.expectation})", error
                break
            if row is not None:
                progress.show(row)
                events.show(row)
                stopped = run.stopped(row)
        if given_up is None:
            if not interrupt.wanted:
                run.evaluate()
            run.checkpoint(last=True)
    record = write_record(
        out,
        config,
        state,
        meter,
        peak,
        site or site_from_options(None, None),
        interrupted=interrupt.wanted,
        stopped=stopped,
    )
    if given_up is not None:
        raise given_up
    if interrupt.wanted:
        print(
            f"stopped after step {state.step} of {training.steps}; add --resume to go on",
            file=sys.stderr,
        )
        raise KeyboardInterrupt
    return record


def _check_folder(out: Path, resume: bool) -> None:
    """Refuse to write over another run, and to resume where there is none."""
    if out.exists() and not out.is_dir():
        raise InputError("expected --out to be a folder", f"the file {out}")
    held = [
        name
        for name in ("record.json", "metrics.jsonl", "ledger.jsonl", "checkpoints")
        if (out / name).exists()
    ]
    if held and not resume:
        raise InputError(
            f"expected a new or empty folder for --out, {out} holds a run",
            ", ".join(held),
            "add --resume or choose another folder",
        )
    if resume and not held:
        raise InputError(f"expected a run to resume in {out}", "none", "leave --resume away")


def _difference(old: dict[str, Any], new: dict[str, Any]) -> str:
    """The first settings in which two configurations differ."""
    flat = [
        f"{section}.{name} = {new[section][name]} (was {value})"
        for section in ("shape", "training", "corpus", "dispatch", "stop")
        for name, value in old[section].items()
        if new[section][name] != value
    ]
    return ", ".join(flat[:3]) or f"name = {new['name']} (was {old['name']})"
