"""Checkpoints: written whole or not at all, verified by checksum, enough to resume bit for bit.

Each is one safetensors file (no pickle, readable by other tools): weights as `model.*`, optimizer
state as `optimizer.<index>.*`, and as metadata the step, the configuration, the trainer's own
state and a SHA-256 over all of these. Data order and learning rate are functions of the step and
of that state, so nothing else is needed to resume.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from energy.errors import InputError, reason
from energy.files import write_atomic
from glam.checkpoints.content import Kind, require_content
from glam.checkpoints.folder import damaged, load_tensors, read_facts, require_whole
from glam.checkpoints.tensor_file import tensor_bytes, write_tensors
from glam.config import GlamConfig

FORMAT = "glam-checkpoint-3"


FORMER_FORMATS = ("glam-checkpoint-1", "glam-checkpoint-2")
"""Still read: 1, of version 0.1.0, has other names in its metadata; the configuration of both has
no architecture, and `GlamConfig.from_dict` gives it the one that all models had."""


FILE_NAME = re.compile(r"step-(\d{8})(\.safetensors)?")
"""A file of one process, or the folder of several."""


logger = logging.getLogger("glam")


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after one of its steps.

    Attributes:
        step: optimizer steps done.
        config: configuration of the run.
        tensors: weights and optimizer state, on the CPU.
        trainer_state: what the trainer needs besides these, as plain values.
        validation_loss: validation loss at this step in nats per token; NaN if not evaluated.
        former: whether it was read from a format in which the architecture could not be chosen.
    """

    step: int
    config: GlamConfig
    tensors: dict[str, Tensor]
    trainer_state: dict[str, Any] = field(default_factory=dict)
    validation_loss: float = math.nan
    former: bool = False

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
        """Write step-00000020.safetensors (for step 20), then delete old checkpoints.

        The newest `keep_checkpoints` and the one with the lowest validation loss are kept.

        Raises:
            InputError: the folder cannot be written or the disk is full; no partial file is left.
        """
        metadata = {
            "format": FORMAT,
            "step": str(self.step),
            "config": json.dumps(self.config.as_dict()),
            "trainer_state": json.dumps(self.trainer_state),
            "validation_loss": repr(self.validation_loss),
        }
        metadata["sha256"] = checksum(metadata, self.tensors)
        path = folder / f"step-{self.step:08d}.safetensors"
        write_atomic(path, lambda file: write_tensors(file, self.tensors, metadata))
        delete_old(folder, self.config.training.keep_checkpoints)
        return path

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
    """Read a checkpoint and verify its checksum.

    Raises:
        InputError: there is no such file, it is not a checkpoint, or it is damaged.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if path.is_dir():
        require_whole(path)
        return replace(checkpoint_of_folder(path), tensors=load_tensors(path))
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except FileNotFoundError as error:
        raise InputError(
            f"expected a checkpoint at {path}",
            "no such file",
            "name a file in the checkpoints folder of a `glam train` run",
        ) from error
    except (SafetensorError, OSError) as error:
        raise damaged(path, str(error)) from error
    if metadata.get("format") not in (FORMAT, *FORMER_FORMATS):
        raise InputError(f"expected {FORMAT} in {path}", str(metadata.get("format")))
    if checksum(metadata, tensors) != metadata.get("sha256"):
        raise damaged(path, "a checksum that does not match")
    if metadata["format"] == FORMER_FORMATS[0]:
        metadata = _from_former_format(metadata)
    return Checkpoint(
        int(metadata["step"]),
        GlamConfig.from_dict(json.loads(metadata["config"])),
        tensors,
        json.loads(metadata["trainer_state"]),
        float(metadata["validation_loss"]),
        former=metadata["format"] in FORMER_FORMATS,
    )


def checkpoint_of_folder(path: Path) -> Checkpoint:
    """Return a checkpoint of several processes without its tensors.

    Raises:
        InputError: it is not a checkpoint, or it is damaged.
    """
    facts = read_facts(path)
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
    newest_error: InputError | None = None
    for path in reversed(checkpoints(folder)):
        try:
            checkpoint = load_checkpoint(path)
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
    from safetensors import SafetensorError, safe_open

    losses = {}
    for path in checkpoints(folder):
        try:
            if path.is_dir():
                loss = float(read_facts(path)["validation_loss"])
            else:
                with safe_open(path, framework="pt") as file:
                    loss = float(_validation_loss(file.metadata() or {}))
        except (SafetensorError, OSError, ValueError, KeyError, InputError):
            continue
        if math.isfinite(loss):
            losses[path] = loss
    return min(losses, key=lambda path: losses[path], default=None)


def delete_old(folder: Path, keep: int) -> None:
    """Delete all but so many of the newest checkpoints and the best one."""
    best = best_checkpoint(folder)
    for old in checkpoints(folder)[:-keep]:
        if old.is_dir() and old != best:
            shutil.rmtree(old, ignore_errors=True)
        elif old != best:
            old.unlink(missing_ok=True)


def checkpoints(folder: Path) -> list[Path]:
    """List the checkpoints of a folder, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if FILE_NAME.fullmatch(path.name))


def checksum(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of the metadata and of names, types, sizes and bytes of the tensors."""
    signed = {name: text for name, text in sorted(metadata.items()) if name != "sha256"}
    digest = hashlib.sha256(json.dumps(signed).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor_bytes(tensor))
    return digest.hexdigest()


def _from_former_format(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata of a version 0.1.0 checkpoint under the names of today."""
    state = json.loads(metadata.get("memory", "{}"))
    former_names = {
        "skipped": "skipped_updates",
        "passed_over": "skipped_batches",
        "health": "divergence",
    }
    state = {former_names.get(name, name): value for name, value in state.items()}
    return {
        **metadata,
        "trainer_state": json.dumps(state),
        "validation_loss": _validation_loss(metadata),
    }


def _validation_loss(metadata: Mapping[str, str]) -> str:
    return metadata.get("validation_loss", metadata.get("held_out_loss", "nan"))
