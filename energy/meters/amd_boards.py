"""The AMD GPUs that this process may use, as ROCm would show them to it.

ROCR_VISIBLE_DEVICES chooses among all GPUs; HIP_VISIBLE_DEVICES (or CUDA_VISIBLE_DEVICES, if that
is empty) counts in what is left. Both count in HIP's order, which amdsmi tells from ROCm 6.4 on;
before that it is the order of the kernel's compute nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from energy.meters.files import text_of
from energy.meters.visible import chosen, has_index

NODES = Path("/sys/class/kfd/kfd/topology/nodes")

ESTIMATED = (
    "which GPU an index of ROCR_ or HIP_VISIBLE_DEVICES means is estimated (order of amdsmi), as "
    "neither amdsmi nor the kernel states ROCm's order: name UUIDs"
)


@dataclass(frozen=True)
class Gpu:
    """One GPU, or one die of two.

    Attributes:
        id: its UUID, or amd-gpu-INDEX if it does not tell it.
        handle: what amdsmi calls it by.
        index: its place in HIP's order; None if nothing tells it.
        names: by what a list may call it, in capitals.
        doubt: why it may be another GPU than the one that this run uses.
    """

    id: str
    handle: Any
    index: int | None = None
    names: frozenset[str] = frozenset()
    doubt: str = ""


def listed(call: Callable[..., Any], handles: Sequence[Any], nodes: Path = NODES) -> list[Gpu]:
    """All GPUs, in HIP's order.

    Args:
        call: calls a function of amdsmi by name; None if it failed.
        handles: the handles that amdsmi lists.
        nodes: the kernel's compute nodes.
    """
    places = _places(nodes)
    gpus = [_gpu(call, handle, number, places) for number, handle in enumerate(handles)]
    if any(gpu.index is None for gpu in gpus):
        return [replace(gpu, index=None) for gpu in gpus]
    return sorted(gpus, key=lambda gpu: gpu.index or 0)


def visible(gpus: Sequence[Gpu], environment: Mapping[str, str]) -> list[Gpu]:
    """Those of the GPUs that ROCm would show under these variables."""

    def by_name(name: str) -> list[Gpu]:
        wanted = name.upper()
        return [gpu for gpu in gpus if any(own.startswith(wanted) for own in gpu.names)]

    rocr = environment.get("ROCR_VISIBLE_DEVICES")
    # HIP takes a list that is set to nothing for one that is not set.
    hip = environment.get("HIP_VISIBLE_DEVICES") or environment.get("CUDA_VISIBLE_DEVICES") or None
    shown = chosen(rocr, gpus, by_name)
    seen = chosen(hip, shown, lambda name: [gpu for gpu in by_name(name) if gpu in shown])
    certain = len(seen) == len(gpus) or all(gpu.index is not None for gpu in gpus)
    if certain or not (has_index(rocr) or has_index(hip)):
        return seen
    return [replace(gpu, doubt=ESTIMATED) for gpu in seen]


def _gpu(call: Callable[..., Any], handle: Any, number: int, places: Mapping[str, Gpu]) -> Gpu:
    uuid = str(call("amdsmi_get_gpu_device_uuid", handle) or f"amd-gpu-{number}")
    node = places.get(str(call("amdsmi_get_gpu_device_bdf", handle) or "").lower())
    stated = call("amdsmi_get_gpu_enumeration_info", handle) or {}
    index = stated.get("hip_id", node.index if node else None)
    names = {uuid, f"GPU-{uuid}", str(stated.get("hip_uuid") or "")} - {""}
    return Gpu(
        uuid,
        handle,
        index if isinstance(index, int) else None,
        frozenset(name.upper() for name in names) | (node.names if node else frozenset()),
    )


def _places(nodes: Path) -> dict[str, Gpu]:
    """The kernel's compute nodes that are GPUs, by PCI address; their numbers are ROCm's order."""
    places: dict[str, Gpu] = {}
    folders = [folder for folder in nodes.glob("*") if folder.name.isdigit()]
    for folder in sorted(folders, key=lambda folder: int(folder.name)):
        rows = [line.split() for line in text_of(folder / "properties").splitlines()]
        facts = {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}
        if not facts.get("simd_count"):
            continue  # a processor, or a GPU that is kept from this container
        location = facts.get("location_id", 0)
        bus, device, function = location >> 8 & 0xFF, location >> 3 & 0x1F, location & 0x7
        address = f"{facts.get('domain', 0):04x}:{bus:02x}:{device:02x}.{function}"
        name = f"GPU-{facts.get('unique_id', 0):016X}"
        places[address] = Gpu(name, None, len(places), frozenset({name}))
    return places
