"""The metrics of a run, one line of metrics.jsonl every few steps."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from energy.errors import InputError, reason
from energy.files import unwritable, write_text_atomic
from energy.flops import mfu
from energy.inputs import bounded_lines, is_number
from energy.ledger.accounting import Snapshot
from glam.model.decoder import Output
from glam.moe.router import Routing
from glam.training.optimizer import learning_rate
from glam.training.setup import Setup
from glam.training.state import State

ROUTING_METRICS: dict[str, Callable[[Routing], torch.Tensor]] = {
    "dropped": lambda routing: routing.dropped,
    "second_expert_skipped": lambda routing: routing.second_expert_skipped,
    "router_entropy": lambda routing: routing.entropy,
    "max_violation": Routing.max_violation,
}
"""Metrics of each MoE layer, besides the load of its experts."""


def row_of(line: str) -> dict[str, Any] | None:
    """A line of metrics with its step; None for one that is cut, or no line of a training."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) and isinstance(row.get("step"), int) else None


def lines_of(path: Path) -> Iterator[str]:
    """Yield the lines of metrics, none without a file; letters that are damaged are replaced.

    Raises:
        InputError: what stands there is no file that can be read, or a line is too long.
    """
    if not path.exists():
        return
    try:
        with path.open("rb") as file:
            for line in bounded_lines(file, path):
                yield line.decode(errors="replace").rstrip("\n")
    except OSError as error:
        fix = "move it away: the run goes on without"
        raise InputError(f"expected the metrics of a run at {path}", reason(error), fix) from error


def last_loss(metrics: Path) -> float:
    """Return the training loss of the last line of metrics; infinite if there is none."""
    row: dict[str, Any] = {}
    for line in lines_of(metrics):
        row = row_of(line) or {}
    loss: Any = row.get("loss")
    return float(loss) if is_number(loss) else math.inf


class MetricsLog:
    """Computes lines of metrics and appends them to metrics.jsonl.

    Args:
        setup: setup of the run.
        step: step that the run starts from; lines of later steps are dropped.
    """

    def __init__(self, setup: Setup, step: int) -> None:
        self._setup = setup
        self._path = setup.out / "metrics.jsonl"
        self._last_s = time.monotonic()
        self.rewind(step)

    def write(
        self, state: State, output: Output, spent: Snapshot, validation_loss: float | None
    ) -> dict[str, Any]:
        """Append the line of a step, in which NaN is null, and return it.

        Args:
            state: state of the run after the step.
            output: output of the model in this step.
            spent: time and energy of this attempt, in all processes.
            validation_loss: validation loss at this step; None if it was not evaluated.

        Raises:
            InputError: the line cannot be written, as on a full disk.
        """
        row = self._row(state, output, spent)
        if validation_loss is not None:
            row["validation_loss"] = validation_loss
        values = {name: None if value != value else value for name, value in row.items()}
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(values, allow_nan=True) + "\n")
        except OSError as error:
            raise unwritable(self._path, error) from error
        return row

    def amend(self, step: int, **values: Any) -> dict[str, Any] | None:
        """Add values to the line of a step and return it; None if the step has no line."""
        lines = list(lines_of(self._path))
        row = row_of(lines[-1]) if lines else None
        if row is None or row["step"] != step:
            return None
        row.update(values)
        write_text_atomic(self._path, "\n".join([*lines[:-1], json.dumps(row)]) + "\n")
        return row

    def rewind(self, step: int) -> dict[str, Any] | None:
        """Drop the lines after a step, and damaged ones; return the last line kept."""
        self._last_step = step
        lines, last = [], None
        for line in lines_of(self._path):
            row = row_of(line)
            if row is not None and row["step"] <= step:
                lines.append(line + "\n")
                last = row
        write_text_atomic(self._path, "".join(lines))
        return last

    def _row(self, state: State, output: Output, spent: Snapshot) -> dict[str, Any]:
        setup, earlier = self._setup, self._setup.earlier
        energy_j = None
        if earlier.energy_j is not None and spent.energy.value is not None:
            energy_j = earlier.energy_j + spent.energy.value
        tokens_per_s = self._tokens_per_s(state.step)
        executed = setup.executed_flop_per_token(mean_padding(output))
        return {
            "step": state.step,
            "tokens": state.step * setup.tokens_per_step,
            "loss": state.loss,
            "gradient_norm": state.gradient_norm,
            "learning_rate": learning_rate(setup.config.training, state.step),
            "tokens_per_s": tokens_per_s,
            "elapsed_s": earlier.elapsed_s + spent.elapsed_s,
            "power_w": spent.power_w.value,
            "power_origin": str(spent.power_w.origin),
            "energy_j": energy_j,
            "energy_origin": str(spent.energy.origin),
            "mfu": mfu(tokens_per_s, setup.model_flop_per_token, 1, setup.peak_flop_per_s),
            "hfu": mfu(tokens_per_s, executed, 1, setup.peak_flop_per_s),
            "precision": setup.config.training.precision,
            "skipped_steps": state.skipped_updates,
            "rollbacks": state.rollbacks,
            "vocabulary_z_loss": output.vocabulary_z_loss.item(),
            **routing_metrics(output),
        }

    def _tokens_per_s(self, step: int) -> float:
        """Return the throughput since the last line."""
        now = time.monotonic()
        tokens = (step - self._last_step) * self._setup.tokens_per_step
        tokens_per_s = tokens / (now - self._last_s)
        self._last_step, self._last_s = step, now
        return tokens_per_s


def mean_padding(output: Output) -> float:
    """Return the rows that experts computed in a pass over those that model FLOP count."""
    if not output.routings:
        return 1.0
    return torch.stack([routing.padding for routing in output.routings]).mean().item()


def routing_metrics(output: Output) -> dict[str, Any]:
    """Return the router losses of a pass, and load and metrics of each MoE layer."""
    if not output.routings:
        return {}
    return {
        "auxiliary_loss": output.auxiliary_loss.item(),
        "z_loss": output.z_loss.item(),
        "expert_load": [routing.load.tolist() for routing in output.routings],
        **{
            name: [float(metric(routing)) for routing in output.routings]
            for name, metric in ROUTING_METRICS.items()
        },
    }
