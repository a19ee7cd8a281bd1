"""The messages of a step, counted as torch sends them: kind, processes and bytes.

Bytes are those of the whole that is gathered, scattered or reduced, or that a process gives to an
all-to-all, as in the table of messages of the simulator. Counting sees every operation, so that it
takes time of its own: it is for a benchmark or a test, not for a run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

KINDS = {
    "allreduce_": "all-reduce",
    "all_reduce": "all-reduce",
    "all_reduce_": "all-reduce",
    "_allgather_base_": "all-gather",
    "all_gather_into_tensor": "all-gather",
    "all_gather_into_tensor_out": "all-gather",
    "_reduce_scatter_base_": "reduce-scatter",
    "reduce_scatter_tensor": "reduce-scatter",
    "alltoall_base_": "all-to-all",
    "all_to_all_single": "all-to-all",
}
"""By the names of torch's operations, of both of its interfaces."""


@dataclass(frozen=True)
class Message:
    """A message of this process.

    Attributes:
        kind: all-reduce, all-gather, reduce-scatter or all-to-all.
        bytes: of the whole.
        dtype: format of its numbers.
    """

    kind: str
    bytes: int
    dtype: torch.dtype


@contextmanager
def counted() -> Iterator[list[Message]]:
    """Count the messages that this process sends in this context, in their order."""
    messages: list[Message] = []
    with _Counter(messages):
        yield messages


class _Counter(TorchDispatchMode):
    """Notes every operation of torch that sends a message."""

    def __init__(self, messages: list[Message]) -> None:
        super().__init__()
        self._messages = messages

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func.namespace in ("c10d", "_c10d_functional"):
            kind = KINDS.get(func._schema.name.partition("::")[2])
            if kind is not None:
                self._messages.append(_message(kind, args, result))
        return result


def _message(kind: str, args: Sequence[Any], result: Any) -> Message:
    """Return a message from inputs and outputs of an operation; the larger is the whole."""
    tensors = [*_tensors(args), *_tensors([result])]
    dtype = tensors[0].dtype
    if kind == "all-to-all":
        # An operation in place has its output first.
        inputs = _tensors(args)
        whole = inputs[1] if len(inputs) > 1 else inputs[0]
        return Message(kind, whole.nbytes, dtype)
    return Message(kind, max(tensor.nbytes for tensor in tensors), dtype)


def _tensors(values: Any) -> list[Tensor]:
    if isinstance(values, Tensor):
        return [values]
    if isinstance(values, list | tuple):
        return [tensor for value in values for tensor in _tensors(value)]
    return []
