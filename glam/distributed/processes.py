"""What a trainer needs of the processes of its run: here one, `glam.distributed.ranks` several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from energy.ledger.accounting import Snapshot
from energy.ledger.lines import FILE
from energy.shape import Shape, parameters, total
from glam.adafactor import Shards
from glam.checkpoints.checkpoint import Checkpoint, latest_checkpoint
from glam.config import GlamConfig
from glam.distributed.degrees import Parallelism
from glam.model.decoder import Glam, Output

Value = TypeVar("Value")


class Weights(Protocol):
    """Weights to train: those of a model, or the parts of them that a process has."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Yield all of them."""
        ...

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield all of them with their names in the model."""
        ...


class Processes:
    """The processes of a run, of which there is one.

    Attributes:
        rank: number of this process.
        ranks: how many there are.
        attempt: how often a launcher has restarted them.
        parallelism: the degrees of a run on several.
    """

    rank, ranks, attempt = 0, 1, 0
    parallelism: Parallelism | None = None

    def folder(self, out: Path) -> Path:
        """Return the folder of what this process writes alone, for the folder of the run."""
        return out

    def require_shared(self, out: Path) -> None:
        """Check that all processes see the same folder of the run."""

    def require_same(self, facts: Mapping[str, Any]) -> None:
        """Check that all processes have read the same."""

    def parameters(self, shape: Shape) -> float:
        """Return how many parameters of a model this process has."""
        return float(total(parameters(shape)))

    def build(self, config: GlamConfig, device: torch.device) -> Glam:
        """Return this process's part of a model with its initial weights, on its device."""
        return Glam.of(config).to(device)

    def weights(self, model: Glam) -> Weights:
        """Return the weights of a spread model that this process trains."""
        return model

    def shards(self) -> Mapping[nn.Parameter, Shards]:
        """Return how those of the weights are divided that are."""
        return {}

    def own_part(self, micro_batch: Tensor) -> Tensor:
        """Return the sequences of a micro-batch that this process computes."""
        return micro_batch

    def begin_step(self, step: int) -> None:
        """Note the step that this process begins."""

    def meter_waiting(self, window: Callable[[], AbstractContextManager[Any]]) -> None:
        """Open a window of the meter where this process waits for others."""

    def watching(self) -> AbstractContextManager[None]:
        """Return a context in which a process that does not answer is named."""
        return nullcontext()

    def ledgers(self, out: Path) -> list[Path]:
        """Return the folders of all ledgers of a run, once the others have closed theirs.

        None where this process has the only one.
        """
        folders = ledgers_in(out)
        return folders if folders != [out] else []

    def mean(self, output: Output) -> Output:
        """Return the output of a whole batch, from that of this process's part."""
        return output

    def sum_gradients(self) -> Tensor | None:
        """Sum the gradients of all processes, and return their norm; None if there is one."""
        return None

    def end_update(self) -> None:
        """Forget what an update has changed or used up."""

    def spent(self, own: Snapshot) -> Snapshot:
        """Return what all processes have spent, from what this one owns; all must ask at once."""
        return own

    def agree(self, flag: bool) -> bool:
        """Return whether any process has set a flag."""
        return flag

    def by_first(self, work: Callable[[], Value]) -> Value:
        """Return the result of work that the first process does; its error ends all of them."""
        return work()

    def in_turn(self, work: Callable[[], Value]) -> Value:
        """Do work in the first process of each machine, then in the others, which find it done."""
        return work()

    def capture(
        self,
        step: int,
        config: GlamConfig,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        **facts: Any,
    ) -> Checkpoint:
        """Copy weights and optimizer state, so that training can go on while they are written."""
        return Checkpoint.capture(step, config, model, optimizer, **facts)

    def latest_checkpoint(self, folder: Path) -> Checkpoint | None:
        """Return the newest valid checkpoint of a folder; None if there are no checkpoints."""
        return latest_checkpoint(folder)

    def restore(
        self, checkpoint: Checkpoint, model: nn.Module, optimizer: torch.optim.Optimizer
    ) -> None:
        """Return model and optimizer to those of a checkpoint."""
        checkpoint.restore(model, optimizer)


def ledgers_in(out: Path) -> list[Path]:
    """Return the folders with a ledger of a run: its own, and those of several processes."""
    return [path for path in (out, *sorted(out.glob("rank-*"))) if (path / FILE).exists()]
