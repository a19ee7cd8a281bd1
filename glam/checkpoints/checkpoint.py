"""Checkpoints: written whole or not at all, verified by checksum, enough to resume bit for bit.

Each is a folder in the format of torch.distributed.checkpoint, whatever number of processes wrote
it: weights as `model.*`, optimizer state as `optimizer.<index>.*`, and in checkpoint.json the step,
the configuration, the trainer's own state and a SHA-256 of each file. Data order and learning rate
are functions of the step and of that state, so nothing else is needed to resume. Files of former
versions are read too.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, TypeVar

import torch
from torch import Tensor, nn
from torch.distributed import ProcessGroup

from energy.errors import InputError, reason
from glam.checkpoints import former
from glam.checkpoints.content import Kind, damaged, require_content
from glam.checkpoints.folder import MANIFEST, load_tensors, read_facts, require_whole
from glam.checkpoints.saving import Saving, delete
from glam.config import GlamConfig

NAME = re.compile(r"step-(\d{8})(\.safetensors)?")
"""A checkpoint, or the file of a former version."""

Read = TypeVar("Read")


logger = logging.getLogger("glam")


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after one of its steps.

    Attributes:
        step: optimizer steps done.
        config: configuration of the run.
        tensors: weights and optimizer state, on the CPU; of several processes those of this one,
            or its shards.
        trainer_state: what the trainer needs besides these, as plain values.
        validation_loss: validation loss at this step in nats per token; NaN if not evaluated.
        former: whether it was read from a format in which the architecture could not be chosen.
        group: the processes that write it together, if there are several.
        path: folder that it was read from, if its tensors are not loaded yet.
    """

    step: int
    config: GlamConfig
    tensors: dict[str, Tensor]
    trainer_state: dict[str, Any] = field(default_factory=dict)
    validation_loss: float = math.nan
    former: bool = False
    group: ProcessGroup | None = None
    path: Path | None = None

    @classmethod
    def capture(
        cls,
        step: int,
        config: GlamConfig,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        trainer_state: dict[str, Any] | None = None,
        validation_loss: float = math.nan,
    ) -> Self:
        """Copy weights and optimizer state, so that training can go on while they are written."""
        tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
        for index, values in optimizer.state_dict()["state"].items():
            for name, tensor in values.items():
                tensors[f"optimizer.{index}.{name}"] = tensor
        copies = {
            name: tensor.detach().to("cpu", copy=True).contiguous()
            for name, tensor in tensors.items()
        }
        return cls(step, config, copies, trainer_state or {}, validation_loss)

    def write(self, folder: Path) -> Path:
        """Write step-00000020/ (for step 20), then delete old checkpoints.

        The newest `keep_checkpoints` and the one with the lowest validation loss are kept.

        Raises:
            InputError: a process cannot write, or the disk is full; nothing is left of it.
        """
        facts = {
            "step": self.step,
            "config": self.config.as_dict(),
            "trainer_state": self.trainer_state,
            "validation_loss": repr(self.validation_loss),
        }
        saving = Saving(folder / f"step-{self.step:08d}", self.group)
        saving.save(self.tensors, facts)
        if saving.is_first:
            delete_old(folder, self.config.training.keep_checkpoints)
        return saving.path

    def config_to_resume(self, config: GlamConfig) -> GlamConfig:
        """Return a configuration with what this checkpoint's run could not choose as it was."""
        if not self.former:
            return config
        form = self.config.training.adafactor_form
        config = config.with_training(adafactor_form=form)
        return replace(config, architecture=self.config.architecture)

    def restore(self, model: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> None:
        """Load the weights into a model and, if one is passed, the state into an optimizer.

        Raises:
            InputError: they are not those of this model and optimizer; nothing is loaded then.
        """
        groups = optimizer.param_groups if optimizer is not None else []
        require_content(
            {name: Kind.of(tensor) for name, tensor in self.tensors.items()},
            model.state_dict().items(),
            None if optimizer is None else [w for group in groups for w in group["params"]],
            f"of step {self.step}",
        )
        weights = {
            name.removeprefix("model."): tensor
            for name, tensor in self.tensors.items()
            if name.startswith("model.")
        }
        model.load_state_dict(weights)
        if optimizer is None:
            return
        state = optimizer.state_dict()
        state["state"] = {}
        for name, tensor in self.tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".", 2)
                state["state"].setdefault(int(index), {})[key] = tensor.clone()
        optimizer.load_state_dict(state)


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint and verify its checksums.

    Raises:
        InputError: there is none, it is not a checkpoint, or it is damaged.
    """
    path = Path(path)
    if path.is_dir():
        require_whole(path)
        return replace(read_manifest(path), tensors=load_tensors(path), path=None)
    if not path.exists():
        folder = path.with_suffix("")
        raise InputError(
            f"expected a checkpoint at {path}",
            "no such file",
            f"name {folder}"
            if folder.is_dir()
            else "name one in the checkpoints folder of a `glam train` run",
        )
    facts, tensors = former.read(path)
    return replace(_with_facts(path, facts), tensors=tensors, former=former.is_plain(facts))


def read_manifest(path: Path) -> Checkpoint:
    """Return a checkpoint without its tensors, of which only the manifest is read.

    Raises:
        InputError: it is not a checkpoint, or it is damaged.
    """
    return replace(_with_facts(path, read_facts(path)), path=path)


def _with_facts(path: Path, facts: Mapping[str, Any]) -> Checkpoint:
    """Return a checkpoint of which only the facts are known."""
    try:
        return Checkpoint(
            int(facts["step"]),
            GlamConfig.from_dict(facts["config"]),
            {},
            dict(facts["trainer_state"]),
            float(facts["validation_loss"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(path, reason(error)) from error


def latest_checkpoint(folder: Path) -> Checkpoint | None:
    """Read the newest valid checkpoint of a folder; None if there are no checkpoints.

    Logs a warning if newer ones are damaged.

    Raises:
        InputError: there are checkpoints, and all of them are damaged.
    """
    return newest(folder, load_checkpoint)


def newest(folder: Path, read: Callable[[Path], Read]) -> Read | None:
    """Read the newest checkpoint that can be read, as `latest_checkpoint` does, in some way."""
    newest_error: InputError | None = None
    for path in reversed(checkpoints(folder)):
        try:
            checkpoint = read(path)
        except InputError as error:
            newest_error = newest_error or error
            continue
        if newest_error is not None:
            logger.warning(
                "%s; got %s; using %s, the newest valid one",
                newest_error.expectation,
                newest_error.value,
                path.name,
            )
        return checkpoint
    if newest_error is not None:
        raise newest_error
    return None


def best_checkpoint(folder: Path) -> Path | None:
    """Return the checkpoint with the lowest validation loss; None if none was evaluated."""
    losses = {}
    for path in checkpoints(folder):
        try:
            facts = read_facts(path) if path.is_dir() else former.read_facts(path)
            loss = float(facts["validation_loss"])
        except (ValueError, TypeError, KeyError, InputError):
            continue
        if math.isfinite(loss):
            losses[path] = loss
    return min(losses, key=lambda path: losses[path], default=None)


def delete_old(folder: Path, keep: int) -> None:
    """Delete all but so many of the newest checkpoints and the best one."""
    best = best_checkpoint(folder)
    for old in checkpoints(folder)[:-keep]:
        if old != best:
            delete(old)


def checkpoints(folder: Path) -> list[Path]:
    """List the checkpoints of a folder, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if NAME.fullmatch(path.name))


def is_checkpoint(path: Path) -> bool:
    """Whether a path is that of a checkpoint, and not that of the folder of a run."""
    named = NAME.fullmatch(path.absolute().name) is not None
    return named or path.is_file() or (path / MANIFEST).is_file()
