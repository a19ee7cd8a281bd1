"""The folder of a checkpoint in the format of torch.distributed.checkpoint, and its manifest.

checkpoint.json has what else a checkpoint has, a SHA-256 of every file, and one of itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed import ProcessGroup

from energy.errors import InputError, reason
from energy.inputs import UNPARSED, read_text
from glam.checkpoints.content import REMEDY, Kind, damaged, require_same

FORMAT = "glam-checkpoint-4"
FORMER_FORMAT = "glam-sharded-checkpoint-1"
"""Still read: that of several processes while one process wrote files; no SHA-256 of itself."""

MANIFEST = "checkpoint.json"


def signed(facts: Mapping[str, Any]) -> str:
    """Return the text of a manifest: facts, format, and a SHA-256 of all of it but this."""
    text = json.dumps({"format": FORMAT, **facts, "sha256": ""})
    return _with_digest(text, "", _sha256(text))


def read_facts(path: Path) -> dict[str, Any]:
    """Return what the manifest of a checkpoint says.

    Raises:
        InputError: it is not a checkpoint, or it is damaged.
    """
    text = read_text(path / MANIFEST, "a valid checkpoint", REMEDY)
    try:
        facts = json.loads(text)
    except UNPARSED as error:
        raise damaged(path, f"a damaged {MANIFEST}") from error
    if not isinstance(facts, dict) or facts.get("format") not in (FORMAT, FORMER_FORMAT):
        raise InputError(f"expected {FORMAT} in {path}", str(facts)[:80])
    if facts["format"] == FORMAT:
        digest = str(facts.get("sha256"))
        if _sha256(_with_digest(text, digest, "")) != digest:
            raise damaged(path, f"a checksum of {MANIFEST} that does not match")
    if not isinstance(facts.get("files"), dict):
        raise damaged(path, f"no list of files in {MANIFEST}")
    return facts


def _with_digest(text: str, before: str, after: str) -> str:
    """Return a manifest with another SHA-256 of itself."""
    return text.replace(f'"sha256": "{before}"', f'"sha256": "{after}"')


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def require_whole(path: Path) -> None:
    """Check the SHA-256 of every file of a checkpoint.

    Raises:
        InputError: a file is missing or damaged.
    """
    for name, digest in read_facts(path)["files"].items():
        if not (path / name).is_file():  # nor an endless one
            raise damaged(path, f"no file {name}")
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
        InputError: names, shapes or formats are not those of the checkpoint, or it is damaged.
    """
    from glam.checkpoints import storage

    require_same(
        {name: Kind.of(tensor) for name, tensor in tensors.items()}, kinds_in(path), str(path)
    )
    storage.read(path, tensors, group)


def kinds_in(path: Path) -> dict[str, Kind]:
    """Return shape and format of each tensor of a checkpoint, by name.

    Raises:
        InputError: it is damaged.
    """
    from glam.checkpoints import storage

    return storage.kinds(path)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
