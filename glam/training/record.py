"""What a run leaves behind: its record, from what was counted here and metered there."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from energy import Quantity, RunRecord
from energy.facts.site import Site
from energy.flops import model_flop
from energy.footprint.apply import at_site
from energy.record import Part
from energy.shape import active_parameters, parameters, total
from glam.config import GlamConfig
from glam.moe.dispatch import expert_padding
from glam.training.state import State

CONVENTION = "scores of all S x S positions"


def write_record(
    out: Path,
    config: GlamConfig,
    state: State,
    meter: Any,
    peak: float,
    site: Site,
    *,
    interrupted: bool,
    stopped: str | None = None,
) -> RunRecord:
    """Make the record of a run whose meter has been closed, and write out/record.json.

    Executed FLOP are model FLOP, but that experts with capacity multiply all their slots: nothing
    is recomputed, and tokens reach experts by copies, without a product.
    """
    shape = config.shape
    step_tokens = config.training.batch_sequences * shape.seq_len
    tokens = state.step * step_tokens
    by_part = {name: float(count * tokens) for name, count in model_flop(shape).items() if count}
    source = f"energy.flops.model_flop, {CONVENTION}, x tokens"
    flop = Quantity.exact(sum(by_part.values()), "FLOP", source)
    padding = 1.0
    if shape.n_moe_layers:
        pass_tokens = int(step_tokens) // config.training.accumulate
        padding = expert_padding(
            config.dispatch, pass_tokens, int(shape.top_k), int(shape.n_experts)
        )
    executed = sum(by_part.values()) + (padding - 1) * by_part.get("experts", 0.0)
    said = "nothing is done twice" if padding == 1 else f"experts' slots {padding:.4g} x tokens"
    record: RunRecord = meter.record(
        name=config.name,
        tokens=_count(tokens, "optimizer steps x tokens in a batch"),
        params_total=_count(total(parameters(shape)), "energy.shape.parameters"),
        params_active=_count(total(active_parameters(shape)), "energy.shape.active_parameters"),
        model_flop=flop,
        executed_flop=Quantity.exact(executed, "FLOP", f"{source}; {said}"),
        flop_by_window={"step": float(total(model_flop(shape))) * step_tokens},
        shape=shape.as_dict(),
        environment={"torch": torch.__version__, "threads": torch.get_num_threads()},
        parts=[
            Part(name=name, model_flop=Quantity.exact(value, "FLOP", source))
            for name, value in by_part.items()
        ],
        metrics=_metrics(state, peak),
        notes=[
            f"{why} at step {state.step} of {config.training.steps}"
            for why in (stopped, "interrupted" if interrupted else None)
            if why
        ],
    )
    record = at_site(record, site)
    record.save(out / "record.json")
    return record


def _metrics(state: State, peak: float) -> dict[str, Quantity]:
    found = {
        "loss": (state.loss, "nat", "training loss of the last step, a token"),
        "held_out_loss": (state.held_out_loss, "nat", "mean over held-out batches, a token"),
        "steps": (float(state.step), "1", "optimizer steps"),
        "skipped_steps": (float(state.skipped), "1", "updates with loss or gradient not finite"),
        "rollbacks": (float(state.rollbacks), "1", "returns to a checkpoint after a divergence"),
        "best_matmul_flop_per_s": (peak, "FLOP/s", "best square matrix product measured here"),
    }
    return {
        name: Quantity.exact(value, unit, source)
        if math.isfinite(value)
        else Quantity.absent(unit, "not evaluated, or not finite")
        for name, (value, unit, source) in found.items()
    }


def _count(value: Any, source: str) -> Quantity:
    return Quantity.exact(float(value), "1", source)
