"""Joules, joules a token and an MFU of ours in the metrics of torchtitan.

    trainer = ConfigManager().parse_args().build()
    meter(trainer.metrics_processor, "runs/titan", shape=energy.model("llama-3.1-8b").shape)
    try:
        trainer.train()
    finally:
        trainer.close()

Every rank is metered into a folder of its own, and `energy merge runs/titan` makes the record of
the job. The values stand beside torchtitan's own in TensorBoard, wandb or whatever else it logs to.
Nothing of torchtitan is imported: a logger is an object with `log(metrics, step)` and `close()`,
as in its release 0.3.0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from energy.callbacks.loop import Loop
from energy.errors import InputError
from energy.flops import model_flop
from energy.ledger.job import job
from energy.ledger.stated import is_number
from energy.shape import Shape

RATE = "throughput(tps)"
"""Torchtitan's tokens a second of one device; validation has no metric of that name."""

PROTOCOL = ("logger", "ntokens_since_last_log", "gpu_peak_flops", "parallel_dims")
"""What is read of a metrics processor."""


def meter(
    processor: Any,
    out_dir: str | Path,
    *,
    shape: Shape | None = None,
    flop_per_token: float | None = None,
    **settings: Any,
) -> EnergyLogger:
    """Meter a run of torchtitan from now on, on the rank that calls it; call it on every rank.

    Args:
        processor: the `metrics_processor` of a Trainer.
        out_dir: folder of the job; each rank of several has one of its own in it.
        shape: of the model, whose FLOP count gives the MFU.
        flop_per_token: model FLOP of a token, forward and backward, in place of a shape.
        **settings: further arguments of `energy.Tracker`, as zone and pue.

    Returns:
        The logger, which is the processor's from now on.

    Raises:
        InputError: this is no metrics processor, both a shape and FLOP are stated, or as `Tracker`.
    """
    lacking = [name for name in PROTOCOL if not hasattr(processor, name)]
    if lacking:
        raise InputError(
            "expected the metrics_processor of a torchtitan Trainer",
            f"a {type(processor).__name__} without {', '.join(lacking)}",
            "pass trainer.metrics_processor; releases from 0.2 have these",
        )
    if shape is not None and flop_per_token is not None:
        raise InputError("expected a shape or flop_per_token", "both", "pass one of them")
    if flop_per_token is not None and not (is_number(flop_per_token) and flop_per_token > 0):
        raise InputError("expected flop_per_token above 0", str(flop_per_token))
    if shape is not None:
        flop_per_token = float(sum(map(float, model_flop(shape, "causal").values())))
    own = job()
    folder = Path(out_dir) / f"rank-{own.rank}" if own.parallel else Path(out_dir)
    loop = Loop(folder, **settings)
    loop.open()
    logger = EnergyLogger(processor, loop, flop_per_token)
    processor.logger = logger
    return logger


class EnergyLogger:
    """Adds what this rank spent to what torchtitan logs, and passes all of it on.

    `energy/joules` is that of the rank's devices since the start, `energy/j_per_token` since the
    last time over the tokens of one device, and `energy/mfu(%)` our FLOP over torchtitan's peak.

    Args:
        processor: the metrics processor.
        loop: meters this rank.
        flop_per_token: model FLOP of a token; None without an MFU.
    """

    def __init__(self, processor: Any, loop: Loop, flop_per_token: float | None) -> None:
        self._processor, self._loop, self._flop = processor, loop, flop_per_token
        self._next = processor.logger
        loop.begin("steps")

    def log(self, metrics: dict[str, Any], step: int) -> None:
        """Log the metrics of a step with joules among them; those of a validation as they are."""
        self._loop.end("steps")
        if RATE in metrics:
            tokens = self._tokens()
            tracker = self._loop.tracker
            if tracker is not None and tokens:
                tracker.add_tokens(tokens)
                if self._flop is not None:
                    tracker.add_flop(tokens * self._flop)
            self._loop.mark("step", step=step)
            metrics = {**metrics, **self._spent(tokens, float(metrics[RATE]))}
        self._next.log(metrics, step)
        self._loop.begin("steps")

    def close(self) -> None:
        """Write the record of this rank, and close the logger behind this one."""
        self._loop.close()
        self._next.close()

    def mark_checkpoint(self, step: int) -> None:
        """Note that a checkpoint is on disk: what comes after it is lost if this attempt dies."""
        self._loop.mark("checkpoint", step=step)

    def _tokens(self) -> float:
        """Tokens since the last time of one device; those that share a batch share its tokens."""
        share = getattr(self._processor.parallel_dims, "non_data_parallel_size", 1) or 1
        return float(self._processor.ntokens_since_last_log) / share

    def _spent(self, tokens: float, tokens_per_s: float) -> dict[str, float]:
        spent = self._loop.metrics()
        values = {f"energy/{name}": value for name, value in spent.items()}
        if "energy_j" in spent:
            values["energy/joules"] = values.pop("energy/energy_j")
            if tokens:
                values["energy/j_per_token"] = spent["energy_interval_j"] / tokens
        peak = float(self._processor.gpu_peak_flops or 0)
        if self._flop is not None and peak > 0:
            values["energy/mfu(%)"] = 100 * self._flop * tokens_per_s / peak
        return values
