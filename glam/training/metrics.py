"""The lines of metrics.jsonl: what each layer's routing tells, and what a resumed run keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from energy.files import write_text_atomic
from glam.model.decoder import Output
from glam.moe.router import Routing

ROUTING_METRICS: dict[str, Callable[[Routing], torch.Tensor]] = {
    "dropped": lambda routing: routing.dropped,
    "left_out": lambda routing: routing.left_out,
    "router_entropy": lambda routing: routing.entropy,
    "max_violation": Routing.max_violation,
}
"""What a line of metrics tells of each MoE layer, beside its load."""


def routing_row(output: Output) -> dict[str, Any]:
    """What a pass tells of its MoE layers: losses, and each layer's load and metrics."""
    if not output.routings:
        return {}
    return {
        "auxiliary_loss": output.auxiliary_loss.item(),
        "z_loss": output.z_loss.item(),
        "expert_load": [routing.load.tolist() for routing in output.routings],
        **{
            name: [float(find(routing)) for routing in output.routings]
            for name, find in ROUTING_METRICS.items()
        },
    }


def keep_metrics(path: Path, step: int) -> dict[str, Any] | None:
    """Drop the lines of steps that are done again, and half a last line; give the last that stays.

    Args:
        path: of metrics.jsonl; made where it is not there.
        step: the last one that stays.
    """
    kept, last = [], None
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            row = json.loads(line)
        except ValueError:
            break
        if row["step"] <= step:
            kept.append(line + "\n")
            last = row
    write_text_atomic(path, "".join(kept))
    return last
