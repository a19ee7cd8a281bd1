"""Tensors in the files of torch.distributed.checkpoint: written and read as a checkpoint needs it.

The library loads sympy and takes 0.8 processor seconds to import, so that only what writes or reads
tensors does so.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

import torch
from torch import Tensor, serialization
from torch.distributed import ProcessGroup
from torch.distributed.checkpoint import filesystem, metadata
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.default_planner import DefaultSavePlanner
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.metadata import Metadata, TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from energy.outside import attempt
from glam.checkpoints.content import Kind, damaged

METADATA = ".metadata"
"""The file that says what the others have."""

DESCRIBING = {
    metadata: (
        *("BytesStorageMetadata", "ChunkStorageMetadata", "Metadata", "MetadataIndex"),
        *("StorageMeta", "TensorProperties", "TensorStorageMetadata", "_MEM_FORMAT_ENCODING"),
    ),
    filesystem: ("_StorageInfo",),
    serialization: ("_get_layout",),
    torch: ("Size",),
}
"""What .metadata may name, besides formats of numbers and its path: classes without side effects,
and a function that looks a word up."""


def write(folder: Path, tensors: Mapping[str, Tensor], group: ProcessGroup | None) -> None:
    """Write the tensors of this process, or its shards of them.

    Args:
        folder: that is there, and empty.
        tensors: by name.
        group: the processes that write them together; None for this one alone.

    Raises:
        OSError: the disk is full, or cannot be written; in all processes.
    """
    writer = _Writer(folder)
    if group is None:
        _write_alone(writer, dict(tensors))
        return
    try:
        save(dict(tensors), storage_writer=writer, process_group=group)
    except CheckpointException as error:
        raise _first_of(error) from error


def _write_alone(writer: _Writer, tensors: dict[str, Any]) -> None:
    """Take the steps of torch's own `save`.

    That warns that one process saves alone, and a filter of warnings is one of all threads.
    """
    planner = DefaultSavePlanner()
    planner.set_up_planner(tensors, writer.storage_meta(), is_coordinator=True)
    writer.set_up_storage_writer(is_coordinator=True)
    plan = writer.prepare_local_plan(planner.create_local_plan())
    plans, described = planner.create_global_plan([plan])
    (plan,) = writer.prepare_global_plan(plans)
    results = writer.write_data(planner.finish_plan(plan), planner).wait()
    writer.finish(described, [results])


def read(folder: Path, tensors: Mapping[str, Tensor], group: ProcessGroup | None) -> None:
    """Read tensors, or the shards of them that this process has, in place.

    Raises:
        InputError: they cannot be read.
    """
    with warnings.catch_warnings():
        # torch says that one process reads it alone, which is meant.
        warnings.simplefilter("ignore", UserWarning)
        try:
            load(
                dict(tensors),
                storage_reader=_Reader(folder),
                process_group=group,
                no_dist=group is None,
            )
        except CheckpointException as error:
            raise damaged(folder, str(_first_of(error))) from error


def kinds(folder: Path) -> dict[str, Kind]:
    """Return shape and format of each tensor, by name.

    Raises:
        InputError: they cannot be read.
    """
    return {
        name: Kind(tuple(own.size), own.properties.dtype)
        for name, own in _Reader(folder).read_metadata().state_dict_metadata.items()
        if isinstance(own, TensorStorageMetadata)
    }


def _first_of(error: CheckpointException) -> BaseException:
    """Return what was raised in the first process that failed."""
    return next(iter(error.failures.values()))[0]


class _Writer(FileSystemWriter):
    """Says what the system says of a full disk.

    torch says that a position in its file is unexpected.
    """

    def write_data(self, *arguments: Any) -> Any:
        """Write the tensors of this process."""
        try:
            return super().write_data(*arguments)
        except (OSError, RuntimeError) as error:
            cause: BaseException | None = error
            while cause is not None and not isinstance(cause, OSError):
                cause = cause.__cause__ or cause.__context__
            if cause is None:
                raise
            raise OSError(cause.errno, cause.strerror) from error


class _Reader(FileSystemReader):
    """Runs nothing: .metadata is a pickle, of which torch would call whatever it names.

    Tensors it reads as weights only.
    """

    def read_metadata(self, *_: Any, **__: Any) -> Metadata:
        """Return what .metadata says.

        Raises:
            InputError: there is none, or it is damaged or names anything else.
        """
        folder = Path(self.path)
        content, error = attempt(lambda: _unpickled(folder / METADATA))
        if error is not None:
            raise damaged(folder, f"{METADATA}: {error}") from error
        if not isinstance(content, Metadata):
            raise damaged(folder, f"{METADATA} with a {type(content).__name__}")
        return content


def _unpickled(path: Path) -> Any:
    with path.open("rb") as file:
        return _Data(file).load()


class _Data(pickle.Unpickler):
    """Loads a pickle that names nothing but what describes tensors."""

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] == "pathlib":  # of another Python, or of Windows
            return PurePath
        if (module, name) == ("builtins", "getattr"):  # so Python 3.11.2 names a member of a class
            return lambda _, member: metadata._MEM_FORMAT_ENCODING[member]
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        for place, names in DESCRIBING.items():
            if place.__name__ == module and name in names:
                return getattr(place, name)
        raise pickle.UnpicklingError(f"{module}.{name}, which describes no tensor")
