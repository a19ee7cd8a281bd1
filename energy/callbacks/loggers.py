"""Metrics of a running tracker into loggers of other tools, step by step.

    log = to_tensorboard(tracker, writer)     # or to_wandb(tracker), to_mlflow(tracker)
    for step in range(steps):
        ...
        log(step)

Names carry their units: energy_j, energy_kwh, energy_interval_j, power_w, and co2_g with a
zone. See `energy.callbacks.loop.Loop.metrics`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from energy.callbacks.loop import Loop
from energy.errors import MissingDataError
from energy.tracking.tracker import Tracker

Log = Callable[[int], None]
"""Logs what was spent so far, at a step."""


def to_tensorboard(
    tracker: Tracker, writer: Any, *, zone: str | None = None, pue: float | None = None
) -> Log:
    """Log to a SummaryWriter of `torch.utils.tensorboard` or tensorboardX, in the group energy/."""
    metrics = Loop.of(tracker, zone=zone, pue=pue).metrics

    def log(step: int) -> None:
        for name, value in metrics().items():
            writer.add_scalar(f"energy/{name}", value, step)

    return log


def to_wandb(
    tracker: Tracker, run: Any = None, *, zone: str | None = None, pue: float | None = None
) -> Log:
    """Log to a run of wandb, by default the current one.

    Values join the row of their step, which `run.log` of the training closes.

    Raises:
        MissingDataError: there is no run, and wandb is not installed or has no run.
    """
    if run is None:
        try:
            import wandb
        except ImportError as error:
            raise _absent("wandb") from error
        run = wandb.run
        if run is None:
            raise MissingDataError("expected a run of wandb", "none", "call wandb.init() first")
    metrics = Loop.of(tracker, zone=zone, pue=pue).metrics

    def log(step: int) -> None:
        run.log({f"energy/{name}": value for name, value in metrics().items()}, step=step)

    return log


def to_mlflow(
    tracker: Tracker, client: Any = None, *, zone: str | None = None, pue: float | None = None
) -> Log:
    """Log to the active run of mlflow, or through what has its `log_metrics`.

    Raises:
        MissingDataError: there is no client, and mlflow is not installed.
    """
    if client is None:
        try:
            import mlflow
        except ImportError as error:
            raise _absent("mlflow") from error
        client = mlflow
    metrics = Loop.of(tracker, zone=zone, pue=pue).metrics

    def log(step: int) -> None:
        client.log_metrics({f"energy/{name}": v for name, v in metrics().items()}, step=step)

    return log


def _absent(name: str) -> MissingDataError:
    return MissingDataError(f"expected the package {name}", "not installed", f"pip install {name}")
