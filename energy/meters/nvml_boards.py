"""The NVIDIA boards that this process may use, as CUDA would show them to it.

CUDA counts boards from the fastest (unless CUDA_DEVICE_ORDER says PCI_BUS_ID), NVML along the PCI
bus. Where boards of several models make that a difference, CUDA itself lists them, in a child
process; if it does not answer, the boards are ordered by cores x clock and each carries a note. A
MIG instance stands for its whole board, as no counter covers a slice of one.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from energy.meters.visible import chosen, has_index

ASK_CUDA = """
import ctypes
cuda, count, device = ctypes.CDLL("libcuda.so.1"), ctypes.c_int(), ctypes.c_int()
if cuda.cuInit(0) == 0 and cuda.cuDeviceGetCount(ctypes.byref(count)) == 0:
    for index in range(count.value):
        bus = ctypes.create_string_buffer(32)
        if cuda.cuDeviceGet(ctypes.byref(device), index) == 0:
            cuda.cuDeviceGetPCIBusId(bus, 32, device)
            print(bus.value.decode())
"""
"""Prints the PCI addresses of the devices that CUDA shows; makes no context."""

CUDA_TIMEOUT_S = 5.0

MOST_INSTANCES = 7
"""MIG instances that a board can be cut into (NVIDIA MIG User Guide)."""

ESTIMATED = (
    "which board an index of CUDA_VISIBLE_DEVICES means is estimated (cores x clock), as the "
    "boards differ and CUDA did not answer: set CUDA_DEVICE_ORDER=PCI_BUS_ID or name UUIDs"
)


@dataclass(frozen=True)
class Board:
    """One board.

    Attributes:
        id: its UUID, or gpu-INDEX if it does not tell it.
        handle: what NVML calls it by; None if it does not answer.
        product: name of its model.
        share: what of it belongs to this run, if that is only a slice.
        doubt: why it may be another board than the one that this run uses.
    """

    id: str
    handle: Any
    product: str = "GPU"
    share: str = ""
    doubt: str = ""


def visible_boards(nvml: Any, visible: str | None) -> list[Board]:
    """The boards that CUDA_VISIBLE_DEVICES names; all of them if it is not set.

    Args:
        nvml: the binding, initialised.
        visible: value of the variable; None if it is not set.

    Raises:
        NVMLError: the driver cannot list its boards.
    """
    boards = list(_listed(nvml))
    if len({board.product for board in boards}) > 1 and has_index(visible):
        boards, answered = _in_cuda_order(nvml, boards)
        if answered:
            return _with_slices(nvml, boards, visible)

    def by_name(name: str) -> list[Board]:
        if name.startswith("MIG-"):
            return [board for board in boards if board.id == _parent(nvml, name)]
        # A board that does not answer does not tell its UUID either.
        return [board for board in boards if board.id.startswith(name)] or [
            board for board in boards if board.handle is None and name.startswith("GPU-")
        ]

    shown = chosen(visible, boards, by_name)
    if len(shown) == len(boards):
        shown = [replace(board, doubt="") for board in shown]
    return _with_slices(nvml, shown, visible)


def _listed(nvml: Any) -> Iterator[Board]:
    """Every board along the PCI bus."""
    for index in range(nvml.nvmlDeviceGetCount()):
        board = Board(f"gpu-{index}", None)
        with contextlib.suppress(nvml.NVMLError):
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            board = Board(nvml.nvmlDeviceGetUUID(handle), handle)
            board = replace(board, product=nvml.nvmlDeviceGetName(handle))
        yield board


def _in_cuda_order(nvml: Any, boards: list[Board]) -> tuple[list[Board], bool]:
    """The boards in the order of CUDA's indexes, and whether they are already the visible ones."""
    if os.environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID":
        return boards, False
    shown = _shown_by_cuda()
    addresses = {_pci_address(nvml, board): board for board in boards}
    if shown is not None and set(shown) <= addresses.keys():
        return [addresses[address] for address in dict.fromkeys(shown)], True
    speeds = {board.id: _speed(nvml, board) for board in boards}
    ordered = sorted(boards, key=lambda board: -speeds[board.id])
    return [replace(board, doubt=ESTIMATED) for board in ordered], False


def _shown_by_cuda() -> list[str] | None:
    """PCI addresses of the devices that CUDA shows to this process; None if it does not answer."""
    try:
        answer = subprocess.run(
            [sys.executable, "-I", "-S", "-c", ASK_CUDA],
            capture_output=True,
            text=True,
            timeout=CUDA_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    addresses = [_short(line) for line in answer.stdout.split()]
    return addresses if answer.returncode == 0 and addresses else None


def _pci_address(nvml: Any, board: Board) -> str:
    with contextlib.suppress(nvml.NVMLError):
        if board.handle is not None:
            return _short(nvml.nvmlDeviceGetPciInfo(board.handle).busId)
    return board.id


def _short(address: str) -> str:
    """A PCI address as CUDA writes it; NVML's domain has eight digits: 00000000:17:00.0."""
    domain, _, rest = address.lower().partition(":")
    return f"{domain[-4:]}:{rest}"


def _speed(nvml: Any, board: Board) -> float:
    """Cores x greatest clock, a stand-in for CUDA's unpublished measure; 0 if NVML cannot tell."""
    with contextlib.suppress(nvml.NVMLError):
        if board.handle is None:
            return 0.0
        clock = nvml.nvmlDeviceGetMaxClockInfo(board.handle, nvml.NVML_CLOCK_SM)
        return float(nvml.nvmlDeviceGetNumGpuCores(board.handle) * clock)
    return 0.0


def _parent(nvml: Any, mig: str) -> str:
    """UUID of the board that a MIG instance is a slice of; empty if there is none."""
    if mig.startswith("MIG-GPU-"):  # drivers before R470: MIG-GPU-UUID/instance/instance
        return mig.removeprefix("MIG-").split("/")[0]
    with contextlib.suppress(nvml.NVMLError):
        handle = nvml.nvmlDeviceGetHandleByUUID(mig)
        return str(
            nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle))
        )
    return ""


def _with_slices(nvml: Any, boards: Sequence[Board], visible: str | None) -> list[Board]:
    """The boards, each that is cut into MIG instances with words on what else is in its joules."""
    slices: dict[str, list[str]] = {}
    for name in dict.fromkeys(map(str.strip, (visible or "").split(","))):
        if name.startswith("MIG-"):
            slices.setdefault(_parent(nvml, name), []).append(name)
    return [_with_slice(nvml, board, slices.get(board.id, [])) for board in boards]


def _with_slice(nvml: Any, board: Board, own: list[str]) -> Board:
    if board.handle is None or not (own or _cut(nvml, board)):
        return board
    others = max(0, _instances(nvml, board) - max(1, len(own)))
    instances = f"MIG instance {', '.join(own)}" if own else "a MIG instance"
    inside = f"up to {others} other instance{'s' if others > 1 else ''} in it"
    share = f"{instances} of {board.id}: whole board, {inside if others else 'no other seen in it'}"
    return replace(board, share=share)


def _cut(nvml: Any, board: Board) -> bool:
    """Whether a board is in MIG mode."""
    with contextlib.suppress(nvml.NVMLError):
        return bool(nvml.nvmlDeviceGetMigMode(board.handle)[0] == nvml.NVML_DEVICE_MIG_ENABLE)
    return False


def _instances(nvml: Any, board: Board) -> int:
    """MIG instances of a board; the most that any can have if NVML cannot tell."""
    count = 0
    try:
        for index in range(nvml.nvmlDeviceGetMaxMigDeviceCount(board.handle)):
            with contextlib.suppress(nvml.NVMLError_NotFound):
                nvml.nvmlDeviceGetMigDeviceHandleByIndex(board.handle, index)
                count += 1
    except nvml.NVMLError:
        return MOST_INSTANCES
    return count or MOST_INSTANCES
