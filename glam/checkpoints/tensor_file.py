"""A safetensors file written tensor by tensor.

The library's own `save` copies all tensors twice and holds the interpreter lock meanwhile, which
would stall a training loop in another thread. Layout: length of the header in 8 bytes, the header
as JSON padded to a multiple of 8 bytes, then the bytes of the tensors without gaps.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO

import torch
from torch import Tensor

DTYPE_NAMES = {
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
    """Write CPU tensors, those with the widest numbers first so that all are aligned."""
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0]))
    end = 0
    for name, tensor in ordered:
        begin, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": DTYPE_NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
    header_bytes = json.dumps(header).encode()
    header_bytes += b" " * (-len(header_bytes) % 8)
    file.write(len(header_bytes).to_bytes(8, "little") + header_bytes)
    for _, tensor in ordered:
        file.write(tensor_bytes(tensor))


def tensor_bytes(tensor: Tensor) -> memoryview:
    """Return the bytes of a CPU tensor, without a copy if it is contiguous."""
    view: memoryview = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data
    return view
