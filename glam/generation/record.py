"""The record of answers: FLOP, and seconds and joules of a token, prefill and decode apart."""

from __future__ import annotations

from dataclasses import asdict

import torch

from energy import Quantity, RunRecord, Tracker
from energy.arithmetic import multiply, per_token
from energy.shape import active_parameters, parameters, total
from glam.generation.loading import Trained
from glam.generation.work import Work


def save_record(
    meter: Tracker, trained: Trained, work: Work, *, prompts: int, prompt_tokens: int
) -> RunRecord | None:
    """Write the record of a meter that has been closed; raises nothing itself.

    Args:
        meter: with phases prefill, one window a pass, and decode.
        trained: the model that answered.
        work: what it computed.
        prompts: that were answered.
        prompt_tokens: of all of them.

    Returns:
        The record; None if it could not be written, which a warning says.
    """
    shape, source = trained.config.shape, "energy.flops.forward_flop of each token"
    record = meter.save(
        params_total=Quantity.exact(
            float(total(parameters(shape))), "1", "energy.shape.parameters"
        ),
        params_active=Quantity.exact(
            float(total(active_parameters(shape))), "1", "energy.shape.active_parameters"
        ),
        model_flop=Quantity.exact(work.model_flop, "FLOP", source),
        executed_flop=Quantity.exact(
            work.executed_flop, "FLOP", f"{source}, again where a window moved"
        ),
        shape=shape.as_dict(),
        environment={
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "precision": "float32",
            "architecture": asdict(trained.config.architecture),
            "model": trained.config.name,
            "step": trained.step,
        },
        metrics={
            "prompts": Quantity.exact(prompts, "1", "prompts that were answered"),
            "prompt_tokens": Quantity.exact(prompt_tokens, "1", "tokens of the prompts"),
        },
    )
    if record is None:
        return None
    read = {"prefill": prompt_tokens, "decode": (record.tokens.value or 0.0) - prompts}
    for window in record.windows:
        if not read.get(window.name):
            continue
        tokens = Quantity.exact(read[window.name], "1", f"tokens of {window.name}")
        rate = multiply(tokens, window.elapsed_s, "1/s", divide=True)
        record.metrics[f"{window.name}_tokens_per_s"] = rate
        joules = multiply(window.energy_j, tokens, "J", divide=True)
        record.metrics[f"{window.name}_j_per_token"] = joules
        passes = Quantity.exact(float(window.count), "1", f"passes of {window.name}")
        if window.name == "decode":
            record.metrics["itl_s"] = multiply(window.elapsed_s, passes, "s", divide=True)
            record.metrics["mean_batch"] = multiply(tokens, passes, "1", divide=True)
    record.metrics |= per_token(record.totals, record.tokens)
    record.save(meter.out_dir / "record.json", group=meter.group)
    return record
