"""Weights and optimizer state of this process, by the names that they have in a checkpoint.

The names are those of one process: the weights of the model, and the state of the optimizer by the
position of each weight. So processes in any number read what others wrote.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.distributed import ProcessGroup
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Placement, Replicate

from glam.checkpoints.checkpoint import Checkpoint
from glam.checkpoints.content import AVERAGED, Kind, require_content
from glam.checkpoints.folder import kinds_in, load_into
from glam.distributed.weights import Weight, Weights, dimension


def captured(weights: Weights, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return copies of this process's part of weights and optimizer state."""
    parts = {
        name: _place(weight, key, own.detach().clone())
        for name, weight, key, own in _parts(weights, optimizer)
    }
    return {**parts, **{f"model.{name}": own.clone() for name, own in weights.buffers.items()}}


def restore(
    checkpoint: Checkpoint,
    weights: Weights,
    optimizer: torch.optim.Optimizer,
    group: ProcessGroup,
) -> None:
    """Load this process's part of a checkpoint of any number of processes.

    Raises:
        InputError: it is that of another model or optimizer.
    """
    in_order = list(_in_order(weights, optimizer))
    path = checkpoint.path
    kinds = (
        {name: Kind.of(tensor) for name, tensor in checkpoint.tensors.items()}
        if path is None
        else kinds_in(path)
    )
    require_content(
        kinds,
        [*((weight.name, weight.parameter) for weight in weights), *weights.buffers.items()],
        [weight.parameter for weight in in_order],
        f"of step {checkpoint.step}",
    )
    buffers = {f"model.{name}": buffer for name, buffer in weights.buffers.items()}
    wanted = {f"model.{weight.name}": (weight, "", weight.own.detach()) for weight in weights}
    for name, kind in kinds.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            weight = in_order[int(index)]
            own = own_part(torch.empty(kind.shape, device="meta"), weight, key)
            wanted[name] = (weight, key, torch.empty(own.shape, dtype=kind.dtype))
    if path is not None:
        placed = {name: _place(weight, key, own) for name, (weight, key, own) in wanted.items()}
        load_into(path, {**placed, **buffers}, group)
    else:
        whole = checkpoint.tensors
        for name, (weight, key, own) in wanted.items():
            own.copy_(own_part(whole[name], weight, key))
        for name, buffer in buffers.items():
            buffer.copy_(whole[name])
    optimizer.state.clear()
    _set_state(optimizer, wanted)


def _set_state(
    optimizer: torch.optim.Optimizer, state: dict[str, tuple[Weight, str, Tensor]]
) -> None:
    """Set the state of an optimizer from parts by their names in a checkpoint."""
    for name, (weight, key, own) in state.items():
        if name.startswith("optimizer."):
            device = "cpu" if own.dim() == 0 and key == "step" else weight.own.device
            optimizer.state[weight.own][key] = own.to(device, copy=True)


def _in_order(weights: Weights, optimizer: torch.optim.Optimizer) -> Iterator[Weight]:
    """Yield the weights in the order of an optimizer's state."""
    by_part = {weight.own: weight for weight in weights}
    for group in optimizer.param_groups:
        for own in group["params"]:
            yield by_part[own]


def _parts(
    weights: Weights, optimizer: torch.optim.Optimizer
) -> Iterator[tuple[str, Weight, str, Tensor]]:
    """Yield name, weight, kind of state ("" for the weight itself) and tensor of every part."""
    for weight in weights:
        yield f"model.{weight.name}", weight, "", weight.own
    for index, weight in enumerate(_in_order(weights, optimizer)):
        for key, own in optimizer.state.get(weight.own, {}).items():
            yield f"optimizer.{index}.{key}", weight, key, own


def _layout(weight: Weight, key: str) -> tuple[DeviceMesh | None, tuple[Placement, ...]]:
    """Return how a weight, or a state of it, is divided."""
    mean_over = len(weight.parameter.shape) + AVERAGED.get(key, -99)
    return weight.mesh, tuple(
        Replicate() if getattr(placement, "dim", None) == mean_over else placement
        for placement in weight.placements
    )


def _place(weight: Weight, key: str, own: Tensor) -> Tensor:
    """Return this process's part of a state as a part of the whole."""
    mesh, placements = _layout(weight, key)
    if mesh is None or own.dim() == 0:
        return own
    shape = list(weight.parameter.shape)
    if key in AVERAGED:
        shape[AVERAGED[key]] = 1
    size = torch.Size(shape)
    stride = torch.empty(size, device="meta").stride()
    return DTensor.from_local(own, mesh, placements, run_check=False, shape=size, stride=stride)


def own_part(whole: Tensor, weight: Weight, key: str = "") -> Tensor:
    """Return this process's part of a whole tensor, which may be on no device."""
    mesh, placements = _layout(weight, key)
    if mesh is None or whole.dim() == 0:
        return whole
    coordinate: Any = mesh.get_coordinate()
    # Experts were shared out before their copies were sharded, so their dimension comes first.
    for index in reversed(range(mesh.ndim)):
        if not isinstance(placements[index], Replicate):
            dim = dimension(placements[index])
            parts = whole.chunk(mesh.size(index), dim)
            here = coordinate[index]
            whole = parts[here] if here < len(parts) else parts[0].narrow(dim, 0, 0)
    return whole
