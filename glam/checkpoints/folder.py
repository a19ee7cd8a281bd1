"""The folder of a checkpoint in the format of torch.distributed.checkpoint, and its manifest.

checkpoint.json has what else a checkpoint has, and a SHA-256 of every file.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.distributed import ProcessGroup

from energy.errors import InputError, reason
from glam.checkpoints.content import Kind, require_same

FORMAT = "glam-sharded-checkpoint-1"
MANIFEST = "checkpoint.json"


def read_facts(path: Path) -> dict[str, Any]:
    """Return what the manifest of a checkpoint says.

    Raises:
        InputError: it is not a checkpoint, or it is damaged.
    """
    try:
        facts = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        problem = reason(error) if isinstance(error, OSError) else "a damaged checkpoint.json"
        raise damaged(path, problem) from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise InputError(f"expected {FORMAT} in {path}", str(facts)[:80])
    return facts


def require_whole(path: Path) -> None:
    """Check the SHA-256 of every file of a checkpoint.

    Raises:
        InputError: a file is missing or damaged.
    """
    for name, digest in read_facts(path).get("files", {}).items():
        try:
            same = file_sha256(path / name) == digest
        except OSError as error:
            raise damaged(path, f"{name}: {reason(error)}") from error
        if not same:
            raise damaged(path, f"a checksum of {name} that does not match")


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Return all tensors of a checkpoint by name, whole."""
    tensors = {
        name: torch.empty(kind.shape, dtype=kind.dtype) for name, kind in kinds_in(path).items()
    }
    load_into(path, tensors)
    return tensors


def load_into(path: Path, tensors: Mapping[str, Tensor], group: ProcessGroup | None = None) -> None:
    """Read tensors, or the shards of them that this process has, in place.

    Args:
        path: folder of the checkpoint.
        tensors: all tensors of the checkpoint by name, of the same shapes and formats.
        group: the processes that read it together; None for this one alone.

    Raises:
        InputError: names, shapes or formats are not those of the checkpoint.
    """
    from torch.distributed.checkpoint.filesystem import FileSystemReader
    from torch.distributed.checkpoint.state_dict_loader import load

    require_same(
        {name: Kind.of(tensor) for name, tensor in tensors.items()}, kinds_in(path), str(path)
    )
    with warnings.catch_warnings():
        # torch says that one process reads it alone, which is meant.
        warnings.simplefilter("ignore", UserWarning)
        load(
            cast(dict[str, Any], dict(tensors)),
            storage_reader=FileSystemReader(path),
            process_group=group,
            no_dist=group is None,
        )


def kinds_in(path: Path) -> dict[str, Kind]:
    """Return shape and format of each tensor of a checkpoint, by name."""
    from torch.distributed.checkpoint.filesystem import FileSystemReader
    from torch.distributed.checkpoint.metadata import TensorStorageMetadata

    facts = FileSystemReader(path).read_metadata().state_dict_metadata
    return {
        name: Kind(tuple(own.size), own.properties.dtype)
        for name, own in facts.items()
        if isinstance(own, TensorStorageMetadata)
    }


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def damaged(path: Path, what: str) -> InputError:
    """Return the error of a checkpoint that is not as it was written."""
    return InputError(
        f"expected a valid checkpoint at {path}",
        what.lower(),
        "delete it, or train again in another folder",
    )
