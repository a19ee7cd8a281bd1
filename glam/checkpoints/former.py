"""Checkpoints of former versions: one safetensors file each, which is read and no longer written.

Weights and optimizer state have the names of today; step, configuration, the trainer's own state
and a SHA-256 over all of it are texts in the metadata.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from energy.errors import InputError
from glam.checkpoints.content import damaged

FORMATS = ("glam-checkpoint-1", "glam-checkpoint-2", "glam-checkpoint-3")
"""1, of version 0.1.0, has other names in its metadata; the configuration of 1 and 2 has no
architecture, and `GlamConfig.from_dict` gives it the one that all models had."""


def read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the facts of a checkpoint, as a manifest has them, and its tensors by name.

    Raises:
        InputError: it is not a checkpoint, or it is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise damaged(path, str(error)) from error
    if metadata.get("format") in FORMATS and checksum(metadata, tensors) != metadata.get("sha256"):
        raise damaged(path, "a checksum that does not match")
    return _facts(path, metadata), tensors


def read_facts(path: Path) -> dict[str, Any]:
    """Return the facts alone, of which nothing is verified.

    Raises:
        InputError: it is not a checkpoint, or it is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return _facts(path, file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise damaged(path, str(error)) from error


def is_plain(facts: Mapping[str, Any]) -> bool:
    """Whether a checkpoint is of a time in which the architecture could not be chosen."""
    return facts["format"] in FORMATS[:2]


def checksum(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of the metadata and of names, types, sizes and bytes of the tensors."""
    signed = {name: text for name, text in sorted(metadata.items()) if name != "sha256"}
    digest = hashlib.sha256(json.dumps(signed).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _facts(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """Return the facts that metadata tell, under the names of today.

    Raises:
        InputError: they are not those of a checkpoint, or damaged.
    """
    if metadata.get("format") not in FORMATS:
        raise InputError(f"expected {FORMATS[-1]} in {path}", str(metadata.get("format")))
    names = {"skipped": "skipped_updates", "passed_over": "skipped_batches", "health": "divergence"}
    try:
        state = json.loads(metadata.get("trainer_state", metadata.get("memory", "{}")))
        return {
            "format": metadata["format"],
            "step": int(metadata["step"]),
            "config": json.loads(metadata["config"]),
            "trainer_state": {names.get(name, name): value for name, value in state.items()},
            "validation_loss": metadata.get(
                "validation_loss", metadata.get("held_out_loss", "nan")
            ),
        }
    except (KeyError, ValueError, AttributeError, RecursionError) as error:
        raise damaged(path, "metadata that are not whole") from error
