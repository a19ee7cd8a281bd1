"""The record of a run, from what the trainer counted and the tracker measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from energy import Quantity, RunRecord, merge
from energy.facts.site import Site, site_from_options
from energy.flops import model_flop
from energy.footprint.apply import at_site
from energy.record import Part
from energy.shape import active_parameters, parameters, total
from glam.training.setup import Setup
from glam.training.state import Ending, State

CONVENTION = "scores of all S x S positions"


def write_record(
    setup: Setup,
    state: State,
    meter: Any,
    site: Site | None,
    ending: Ending,
    *,
    group: bool,
    ledgers: Sequence[Path] = (),
) -> RunRecord:
    """Write record.json of a run whose tracker has been closed, and return the record.

    The user's group may read it on request. Of several processes, it has the joules of all their
    ledgers; windows and phases are those of the first, with the joules that it owns.

    Executed FLOP are model FLOP plus the padding of experts: all slots of a capacity, or the rows
    that round up those of an expert in bfloat16 on a CPU. Nothing is recomputed, and tokens reach
    their experts by copies, without a product.
    """
    shape = setup.config.shape
    tokens = state.step * setup.tokens_per_step
    by_part = {name: float(count * tokens) for name, count in model_flop(shape).items() if count}
    source = f"energy.flops.model_flop, {CONVENTION}, x tokens"
    padding = _padding(state)
    executed = sum(by_part.values()) + (padding - 1) * by_part.get("experts", 0.0)
    extra = "nothing recomputed" if padding == 1 else f"experts' rows {padding:.4g} x assignments"
    record: RunRecord = meter.record(
        name=setup.config.name,
        tokens=_count(tokens, "optimizer steps x tokens per batch"),
        params_total=_count(total(parameters(shape)), "energy.shape.parameters"),
        params_active=_count(total(active_parameters(shape)), "energy.shape.active_parameters"),
        model_flop=Quantity.exact(sum(by_part.values()), "FLOP", source),
        executed_flop=Quantity.exact(executed, "FLOP", f"{source}; {extra}"),
        flop_by_window={"step": setup.model_flop_per_token * setup.tokens_per_step},
        shape=shape.as_dict(),
        environment={
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "precision": setup.config.training.precision,
            "architecture": asdict(setup.config.architecture),
            "dispatch": asdict(setup.config.dispatch),
        },
        parts=[
            Part(name=name, model_flop=Quantity.exact(value, "FLOP", source))
            for name, value in by_part.items()
        ],
        metrics=_metrics(setup, state),
        notes=_notes(setup, state, ending),
    )
    record.metrics.update(_utilization(setup, record, padding))
    if ledgers:
        record = _of_all(record, ledgers)
    record = at_site(record, site or site_from_options(None, None))
    record.save(setup.out / "record.json", group=group)
    return record


def _of_all(record: RunRecord, ledgers: Sequence[Path]) -> RunRecord:
    """Return the record of the first process with the joules of all, each device once.

    What was lost is labelled with the attempt that lost it, and each rank with how long it waited.
    """
    merged = merge(ledgers, record.name)
    wasted = merged.wasted
    if wasted.model_flop.value is None:  # ledgers of before each process counted its part
        wasted = wasted.model_copy(update={"model_flop": record.wasted.model_flop})
    names = ("energy", "totals", "elapsed_s", "chip_s", "attempts", "ranks")
    facts = {name: getattr(merged, name) for name in names}
    facts["metrics"] = {**merged.metrics, **record.metrics}
    notes = [*record.notes, *(note for note in merged.notes if note not in record.notes)]
    environment = {**merged.environment, **record.environment}
    for name in ("devices", "job"):
        if name in merged.environment:
            environment[name] = merged.environment[name]
    changes = {**facts, "wasted": wasted, "notes": notes, "environment": environment}
    return record.model_copy(update=changes)


def _notes(setup: Setup, state: State, ending: Ending) -> list[str]:
    reasons = (ending.stop_reason, "interrupted" if ending.interrupted else None)
    return [
        f"{reason} at step {state.step} of {setup.config.training.steps}"
        for reason in reasons
        if reason
    ]


def _metrics(setup: Setup, state: State) -> dict[str, Quantity]:
    values = {
        "loss": (state.loss, "nat", "training loss of the last step, per token"),
        "validation_loss": (
            state.validation_loss,
            "nat",
            "mean over validation batches, per token",
        ),
        "steps": (float(state.step), "1", "optimizer steps"),
        "skipped_steps": (
            float(state.skipped_updates),
            "1",
            "updates skipped as loss or gradient was not finite",
        ),
        "rollbacks": (float(state.rollbacks), "1", "rollbacks to a checkpoint after a divergence"),
        "best_matmul_flop_per_s": (
            setup.peak_flop_per_s,
            "FLOP/s",
            f"peak of MFU and HFU: fastest product in {setup.config.training.precision} on this "
            "machine, or that of --machine",
        ),
    }
    return {
        name: Quantity.exact(value, unit, source)
        if math.isfinite(value)
        else Quantity.absent(unit, "not evaluated, or not finite")
        for name, (value, unit, source) in values.items()
    }


def _padding(state: State) -> float:
    """Return the rows that experts computed over those that model FLOP count, mean over steps."""
    return state.padding_steps / state.step if state.step else 1.0


def _utilization(setup: Setup, record: RunRecord, padding: float) -> dict[str, Quantity]:
    """Return MFU and HFU over the optimizer steps that were not wasted."""
    steps = next((window for window in record.windows if window.name == "step"), None)
    elapsed_s = steps.elapsed_s.value if steps else None
    if steps is None or not elapsed_s:
        reason = "no optimizer step was timed"
        return {name: Quantity.absent("1", reason) for name in ("mfu", "hfu")}
    peak_flop = setup.peak_flop_per_s * elapsed_s
    tokens = steps.count * setup.tokens_per_step
    return {
        "mfu": Quantity.exact(
            tokens * setup.model_flop_per_token / peak_flop,
            "1",
            f"model FLOP of the optimizer steps over their time x peak; {CONVENTION}",
        ),
        "hfu": Quantity.exact(
            tokens * setup.executed_flop_per_token(padding) / peak_flop,
            "1",
            f"executed FLOP of the optimizer steps over their time x peak; {CONVENTION}",
        ),
    }


def _count(value: Any, source: str) -> Quantity:
    return Quantity.exact(float(value), "1", source)
