"""Writing a checkpoint, a folder of torch.distributed.checkpoint, whole or not at all.

Each process writes the tensors or shards that it has; checkpoint.json, written last, has what else
belongs to a checkpoint and a SHA-256 of every file. The folder gets its name when all of it is on
disk, so that a process killed meanwhile leaves the checkpoints before it. Any number of processes
can read it, whatever number wrote it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch.distributed as dist
from torch import Tensor
from torch.distributed import ProcessGroup

from energy.errors import InputError
from energy.files import unwritable, write_text_atomic
from glam.checkpoints.folder import MANIFEST, file_sha256, signed

PARTIAL, OLD = "partial", "old"
"""Suffixes of a folder that is being written, and of one that is being deleted."""


@dataclass(frozen=True)
class Saving:
    """Writes a checkpoint.

    Attributes:
        path: folder of the checkpoint.
        group: the processes that write it together, for messages of their own while training goes
            on; None for this one alone.
    """

    path: Path
    group: ProcessGroup | None = None

    @property
    def is_first(self) -> bool:
        """Whether this process does what one of them does for all."""
        return self.group is None or dist.get_rank(self.group) == 0

    def save(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Write tensors, and facts as plain values.

        Raises:
            InputError: a process cannot write, or the disk is full; nothing is left of it.
        """
        partial, first = self.path.with_suffix(f".{PARTIAL}"), self.is_first
        try:
            self._together(lambda: _make_empty(partial) if first else None)
            digests = self._together(lambda: self._write_tensors(partial, tensors))
            files = {name: digest for own in digests for name, digest in own.items()}
            whole = {**facts, "files": files}
            self._together(lambda: self._complete(partial, whole) if first else None)
        finally:
            if first:
                shutil.rmtree(partial, ignore_errors=True)

    def _write_tensors(self, partial: Path, tensors: Mapping[str, Tensor]) -> dict[str, str]:
        """Write what this process has; return the SHA-256 of each of its files."""
        from glam.checkpoints import storage

        storage.write(partial, tensors, self.group)
        rank = 0 if self.group is None else dist.get_rank(self.group)
        own = [*partial.glob(f"__{rank}_*"), *([partial / storage.METADATA] if rank == 0 else [])]
        return {path.name: file_sha256(path) for path in own}

    def _complete(self, partial: Path, facts: dict[str, Any]) -> None:
        """Write the manifest, and give the folder its name."""
        write_text_atomic(partial / MANIFEST, signed(facts))
        old = _set_aside(self.path)  # damaged, or of an attempt that was then rolled back
        os.replace(partial, self.path)
        shutil.rmtree(old, ignore_errors=True)
        delete(self.path.with_suffix(".safetensors"))  # the same, of a former version

    def _together(self, work: Callable[[], Any]) -> list[Any]:
        """Do a piece of work in each process; raise in all of them if one fails."""
        result, problem = None, None
        try:
            result = work()
        except OSError as error:
            problem = unwritable(self.path, error)
        except InputError as error:
            problem = error
        every: list[Any] = [(result, problem)]
        if self.group is not None:
            every *= dist.get_world_size(self.group)
            dist.all_gather_object(every, (result, problem), group=self.group)
        for _, failed in every:
            if failed is not None:
                raise failed
        return [result for result, _ in every]


def delete(path: Path) -> None:
    """Delete a checkpoint, if there is one; a half-deleted folder is not taken for one."""
    with contextlib.suppress(OSError):
        if path.is_dir():
            shutil.rmtree(_set_aside(path), ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _set_aside(path: Path) -> Path:
    """Return where a folder, if it is there, now waits to be deleted."""
    old = path.with_suffix(f".{OLD}")
    shutil.rmtree(old, ignore_errors=True)
    if path.is_dir():
        os.replace(path, old)
    return old


def _make_empty(folder: Path) -> None:
    """Make a folder; remove what killed processes have left beside it."""
    for suffix in (PARTIAL, OLD):
        for left in folder.parent.glob(f"step-*.{suffix}"):
            shutil.rmtree(left, ignore_errors=True)
    folder.mkdir(parents=True)
