"""Checkpoints: whole or absent, checked by checksum, and enough to go on bit for bit.

One safetensors file a checkpoint (no pickle, readable by other tools): weights as `model.*`,
optimizer state as `optimizer.<index>.*`, and in its metadata the step, the configuration, what
the loop remembers and a SHA-256 of all of these. Data order and learning rate are functions of the
step and of that memory, so nothing else is needed to resume.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from energy.errors import InputError
from energy.files import write_atomic
from glam.checkpoints.tensor_file import raw, write_tensors
from glam.config import GlamConfig

FORMAT = "glam-checkpoint-1"


NAME = re.compile(r"step-(\d{8})\.safetensors")


@dataclass(frozen=True)
class Checkpoint:
    """A moment of a run: copied, so that training may go on while it is written, or read and sound.

    Attributes:
        step: optimizer steps done.
        config: of the run.
        tensors: weights and optimizer state, on the CPU.
        memory: what the loop needs beside these, as JSON.
        held_out_loss: of this step; the lowest of all checkpoints is the best. NaN where unknown.
    """

    step: int
    config: GlamConfig
    tensors: dict[str, Tensor]
    memory: dict[str, Any] = field(default_factory=dict)
    held_out_loss: float = math.nan

    @classmethod
    def of(
        cls,
        step: int,
        config: GlamConfig,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        memory: dict[str, Any] | None = None,
        held_out_loss: float = math.nan,
    ) -> Self:
        """Copy weights and optimizer state as they are now."""
        tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
        for index, kept in optimizer.state_dict()["state"].items():
            for name, tensor in kept.items():
                tensors[f"optimizer.{index}.{name}"] = tensor
        copies = {
            name: tensor.detach().to("cpu", copy=True).contiguous()
            for name, tensor in tensors.items()
        }
        return cls(step, config, copies, memory or {}, held_out_loss)

    def write(self, folder: Path) -> Path:
        """Write step-00000020.safetensors for step 20; keep the newest few and the best.

        Raises:
            InputError: the folder cannot be written or the disk is full; nothing is left behind.
        """
        metadata = {
            "format": FORMAT,
            "step": str(self.step),
            "config": json.dumps(self.config.as_dict()),
            "memory": json.dumps(self.memory),
            "held_out_loss": repr(self.held_out_loss),
        }
        metadata["sha256"] = checksum(metadata, self.tensors)
        path = folder / f"step-{self.step:08d}.safetensors"
        write_atomic(path, lambda file: write_tensors(file, self.tensors, metadata))
        best = best_checkpoint(folder)
        for old in checkpoints(folder)[: -self.config.training.keep_checkpoints]:
            if old != best:
                old.unlink(missing_ok=True)
        return path

    def restore(self, model: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> None:
        """Put the weights, and the optimizer's state, where they were."""
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
                _, index, kept = name.split(".", 2)
                state["state"].setdefault(int(index), {})[kept] = tensor.clone()
        optimizer.load_state_dict(state)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint and check every byte of it.

    Raises:
        InputError: there is no such file, it is no checkpoint of ours, or it is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise InputError(
            f"expected a checkpoint at {path}",
            "no such file",
            "name a folder that `glam train` wrote",
        ) from error
    except (SafetensorError, OSError) as error:
        raise _damaged(path, str(error)) from error
    if metadata.get("format") != FORMAT:
        raise InputError(f"expected {FORMAT} in {path}", str(metadata.get("format")))
    if checksum(metadata, tensors) != metadata.get("sha256"):
        raise _damaged(path, "another checksum than it was written with")
    config = GlamConfig.from_dict(json.loads(metadata["config"]))
    memory = json.loads(metadata.get("memory", "{}"))
    loss = float(metadata.get("held_out_loss", "nan"))
    return Checkpoint(int(metadata["step"]), config, tensors, memory, loss)


def latest_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest sound checkpoint of a folder, or None when there is none at all.

    A damaged one is refused on stderr, with the name of the one that is used in its place.

    Raises:
        InputError: there are checkpoints, and all of them are damaged.
    """
    refused: InputError | None = None
    for path in reversed(checkpoints(folder)):
        try:
            found = load_checkpoint(path)
        except InputError as error:
            refused = refused or error
            continue
        if refused is not None:
            print(
                f"warning: {refused.expectation}; got {refused.value}; going on from "
                f"{path.name}, the newest sound one",
                file=sys.stderr,
            )
        return found
    if refused is not None:
        raise refused
    return None


def best_checkpoint(folder: Path) -> Path | None:
    """The checkpoint of the lowest held-out loss; None where none was evaluated."""
    from safetensors import SafetensorError, safe_open

    losses = {}
    for path in checkpoints(folder):
        try:
            with safe_open(path, framework="pt") as file:
                loss = float((file.metadata() or {}).get("held_out_loss", "nan"))
        except (SafetensorError, OSError, ValueError):
            continue
        if math.isfinite(loss):
            losses[path] = loss
    return min(losses, key=lambda path: losses[path], default=None)


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a folder, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if NAME.fullmatch(path.name))


def checksum(metadata: dict[str, str], tensors: dict[str, Tensor]) -> str:
    """SHA-256 over metadata and over names, kinds, sizes and bytes, in the order of the names."""
    told = {name: text for name, text in sorted(metadata.items()) if name != "sha256"}
    digest = hashlib.sha256(json.dumps(told).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(raw(tensor))
    return digest.hexdigest()


def _damaged(path: Path, what: str) -> InputError:
    """The error of a checkpoint that cannot be used."""
    return InputError(
        f"expected a sound checkpoint at {path}",
        what.lower(),
        "delete it, or train anew in another folder",
    )
