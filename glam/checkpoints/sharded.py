"""Checkpoints of several processes: a folder in the format of torch.distributed.checkpoint.

Each process writes its own shards; checkpoint.json, written last, has what else a `Checkpoint` has
and a SHA-256 of every file. The folder gets its name when all of it is on disk, so that a process
killed meanwhile leaves the checkpoints before it. Any number of processes can read it, one too.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch.distributed as dist
from torch.distributed import ProcessGroup

from energy.errors import InputError
from energy.files import unwritable, write_text_atomic
from glam.checkpoints.checkpoint import Checkpoint, checkpoint_of_folder, delete_old
from glam.checkpoints.folder import FORMAT, MANIFEST, file_sha256

PARTIAL = "partial"
"""Suffix of a folder that is being written."""


@dataclass(frozen=True)
class Sharded(Checkpoint):
    """The state of a run on several processes: tensors are those of this process, or its shards.

    Attributes:
        group: the processes, for messages of their own while training goes on.
        path: folder that it was read from, whose tensors are not loaded yet.
    """

    group: ProcessGroup | None = None
    path: Path | None = field(default=None)

    def write(self, folder: Path) -> Path:
        """Write step-00000020/ (for step 20) together with the other processes.

        Raises:
            InputError: a process cannot write, or the disk is full; nothing is left of it.
        """
        path = folder / f"step-{self.step:08d}"
        partial = path.with_suffix(f".{PARTIAL}")
        self._together(lambda: _make_empty(partial) if self._is_first else None)
        digests = self._together(lambda: self._write_shards(partial))
        self._together(lambda: self._complete(partial, path, digests) if self._is_first else None)
        return path

    @property
    def _is_first(self) -> bool:
        return dist.get_rank(self.group) == 0

    def _write_shards(self, partial: Path) -> dict[str, str]:
        """Write the shards of this process; return the SHA-256 of each of its files."""
        from torch.distributed.checkpoint.filesystem import FileSystemWriter
        from torch.distributed.checkpoint.state_dict_saver import save

        save(
            cast(dict[str, Any], self.tensors),
            storage_writer=FileSystemWriter(partial),
            process_group=self.group,
        )
        rank = dist.get_rank(self.group)
        own = [*partial.glob(f"__{rank}_*"), *([partial / ".metadata"] if self._is_first else [])]
        return {path.name: file_sha256(path) for path in own}

    def _complete(self, partial: Path, path: Path, digests: list[dict[str, str]]) -> None:
        """Write the manifest, give the folder its name, and delete old checkpoints."""
        facts = {
            "format": FORMAT,
            "step": self.step,
            "config": self.config.as_dict(),
            "trainer_state": self.trainer_state,
            "validation_loss": repr(self.validation_loss),
            "files": {name: digest for own in digests for name, digest in own.items()},
        }
        write_text_atomic(partial / MANIFEST, json.dumps(facts))
        if path.exists():  # written by an attempt that was then rolled back
            shutil.rmtree(path)
        os.replace(partial, path)
        delete_old(path.parent, self.config.training.keep_checkpoints)

    def _together(self, work: Callable[[], Any]) -> list[Any]:
        """Do a piece of work in each process; raise in all of them if one fails."""
        result, problem = None, None
        try:
            result = work()
        except OSError as error:
            problem = unwritable(Path(error.filename or "checkpoints"), error)
        except InputError as error:
            problem = error
        every: list[Any] = [None] * dist.get_world_size(self.group)
        dist.all_gather_object(every, (result, problem), group=self.group)
        for _, failed in every:
            if failed is not None:
                raise failed
        return [result for result, _ in every]


def read_manifest(path: Path) -> Sharded:
    """Return a checkpoint without its tensors, of which only the manifest is read.

    Raises:
        InputError: it is not a checkpoint, or it is damaged.
    """
    return Sharded(**vars(checkpoint_of_folder(path)), path=path)


def _make_empty(folder: Path) -> None:
    """Make a folder; remove what a killed process has left there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
