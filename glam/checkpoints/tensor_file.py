"""A safetensors file written tensor by tensor.

The library's own `save` copies all tensors twice, and holds the interpreter's lock while it does:
a training loop beside it would stand still. Layout: the header's length in 8 bytes, the header as
JSON padded to a multiple of 8, then the bytes of the tensors without gaps.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO

import torch
from torch import Tensor

KINDS = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def write_tensors(
    file: IO[bytes], tensors: Mapping[str, Tensor], metadata: Mapping[str, str]
) -> None:
    """Write tensors of the CPU, the widest numbers first, so that each begins where it may."""
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0]))
    end = 0
    for name, tensor in ordered:
        begin, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": KINDS[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
    told = json.dumps(header).encode()
    told += b" " * (-len(told) % 8)
    file.write(len(told).to_bytes(8, "little") + told)
    for _, tensor in ordered:
        file.write(raw(tensor))


def raw(tensor: Tensor) -> memoryview:
    """The bytes of a tensor of the CPU; no copy where it is contiguous."""
    found: memoryview = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data
    return found
