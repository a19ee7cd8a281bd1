"""The weights of this process as an optimizer sees them, and the sums of their gradients.

A weight may be a copy, a part of the experts, a shard, or a shard of a part. The optimizer sees a
plain tensor in each case, which shares the memory of the weight, so that it takes the same steps as
on one process. Where a step needs a sum over the whole weight, its `Shards` add over processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors
from torch.distributed import ProcessGroup
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Placement, Shard
from torch.distributed.tensor.placement_types import _StridedShard

from glam.distributed.layout import Meshes

BUCKET_BYTES = 2**25
"""Gradients that are summed in one message."""


@dataclass(frozen=True)
class Shards:
    """How a weight is divided: along which dimension over which processes.

    Attributes:
        shape: of the whole weight.
        divided: dimension and processes of each division.
    """

    shape: torch.Size
    divided: tuple[tuple[int, ProcessGroup], ...]

    def sum_together(self, sums: Sequence[tuple[Tensor, Shards, Iterable[int] | None]]) -> None:
        """Add values of several weights in place over the processes that divide some dimensions.

        A message among processes of a CPU takes a millisecond, whatever its size, so they share it.

        Args:
            sums: values, of which shards, and dimensions; None stands for all of them.
        """
        by_group: dict[ProcessGroup, list[Tensor]] = {}
        for values, shards, dims in sums:
            wanted = None if dims is None else {dim % len(shards.shape) for dim in dims}
            for dim, group in shards.divided:
                if wanted is None or dim in wanted:
                    by_group.setdefault(group, []).append(values)
        for group, every in by_group.items():
            _sum(every, group)


@dataclass(frozen=True)
class Weight:
    """A weight of the model, as its optimizer sees it.

    Attributes:
        name: of the weight in the model.
        parameter: of the model.
        own: the part that is on this process; shares memory with the parameter.
        copies: processes whose gradients are summed after the backward pass; None where FSDP has
            summed them.
        share: 1 over the number of processes that have the same part.
    """

    name: str
    parameter: nn.Parameter
    own: nn.Parameter
    copies: ProcessGroup | None
    share: float

    @property
    def mesh(self) -> DeviceMesh | None:
        """The processes among which it is divided; None for a copy."""
        return self.parameter.device_mesh if isinstance(self.parameter, DTensor) else None

    @property
    def placements(self) -> tuple[Placement, ...]:
        """How it is divided along each dimension of its mesh."""
        return self.parameter.placements if isinstance(self.parameter, DTensor) else ()

    @property
    def shards(self) -> Shards | None:
        """How it is divided; None for a copy."""
        if self.mesh is None:
            return None
        divided = tuple(
            (dimension(placement), self.mesh.get_group(index))
            for index, placement in enumerate(self.placements)
            if self.mesh.size(index) > 1
        )
        return Shards(self.parameter.shape, divided) if divided else None

    @property
    def gradient(self) -> Tensor | None:
        """The gradient of the part on this process."""
        gradient = self.parameter.grad
        return gradient.to_local() if isinstance(gradient, DTensor) else gradient


class Weights:
    """All weights of a model that is spread over processes.

    Args:
        model: the model.
        meshes: the processes of the run.

    Attributes:
        buffers: what the model has besides weights, by name; all processes have the same.
    """

    def __init__(self, model: nn.Module, meshes: Meshes) -> None:
        self._all = [_weight(name, p, meshes) for name, p in model.named_parameters()]
        self.buffers = dict(model.named_buffers())
        self._group, self._device = meshes.all.get_group(), meshes.all.device_type

    def __iter__(self) -> Iterator[Weight]:
        return iter(self._all)

    def parameters(self) -> Iterator[nn.Parameter]:
        """Yield the parts on this process."""
        return (weight.own for weight in self._all)

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield the parts on this process by the names of the weights."""
        return ((weight.name, weight.own) for weight in self._all)

    def shards(self) -> dict[nn.Parameter, Shards]:
        """Return how each weight is divided that is."""
        return {weight.own: shards for weight in self._all if (shards := weight.shards)}

    def sum_gradients(self) -> Tensor:
        """Sum the gradients over all processes, leave them to the optimizer, return their norm."""
        by_group: dict[ProcessGroup, list[Tensor]] = {}
        for weight in self._all:
            if weight.copies is not None and (gradient := weight.gradient) is not None:
                by_group.setdefault(weight.copies, []).append(gradient)
        for group, gradients in by_group.items():
            _sum(gradients, group)
        square = torch.zeros((), dtype=torch.float64, device=self._device)
        for weight in self._all:
            gradient = weight.gradient
            weight.own.grad = gradient
            if gradient is not None:
                norm: Tensor = torch.linalg.vector_norm(gradient)
                square += norm.double().square() * weight.share
        # One sum for all meshes: a part that several processes have counts once.
        dist.all_reduce(square, group=self._group)
        return square.sqrt().float()

    def clear_gradients(self) -> None:
        """Forget the gradients of an applied or skipped update."""
        for weight in self._all:
            weight.own.grad = weight.parameter.grad = None


def _weight(name: str, parameter: nn.Parameter, meshes: Meshes) -> Weight:
    """Return a weight of the model and where its gradients are summed."""
    copies: DeviceMesh | None
    if not isinstance(parameter, DTensor):
        copies, own = meshes.all, parameter
    else:
        # FSDP has summed the gradients of what it divides.
        copies = meshes.copies if parameter.device_mesh == meshes.experts else None
        with torch.no_grad():
            own = nn.Parameter(parameter.to_local())
    if copies is None or copies.size() == 1:
        return Weight(name, parameter, own, None, 1.0)
    return Weight(name, parameter, own, copies.get_group(), 1 / copies.size())


def dimension(placement: Placement) -> int:
    """Return the dimension that is divided along a dimension of a mesh."""
    assert isinstance(placement, Shard | _StridedShard)
    return placement.dim


def _sum(gradients: list[Tensor], group: ProcessGroup) -> None:
    """Sum gradients over processes in place, several in one message."""
    sent = []
    for bucket in _buckets(gradients):
        flat = _flatten_dense_tensors(bucket)
        sent.append((bucket, flat, dist.all_reduce(flat, group=group, async_op=True)))
    for bucket, flat, work in sent:
        assert work is not None
        work.wait()
        for gradient, summed in zip(bucket, _unflatten_dense_tensors(flat, bucket), strict=True):
            gradient.copy_(summed)


def _buckets(gradients: list[Tensor]) -> Iterator[list[Tensor]]:
    """Yield gradients in messages of about `BUCKET_BYTES`."""
    bucket: list[Tensor] = []
    for gradient in gradients:
        bucket.append(gradient)
        if sum(tensor.nbytes for tensor in bucket) >= BUCKET_BYTES:
            yield bucket
            bucket = []
    if bucket:
        yield bucket
