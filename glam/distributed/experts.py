"""Experts that are shared out among processes: rows travel to their experts and back.

The dispatchers see all experts of the layer, as on one process. Rows that a process has sorted by
expert go to the process of that expert in one all-to-all, and its results return in another; the
gradients go the same ways. With capacity, every process sends as many slots to each other.
Legend: R rows, M model width, E experts of the layer, P processes that share them out.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributed import ProcessGroup, all_to_all_single
from torch.distributed._functional_collectives import all_to_all_single_autograd
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Shard

from glam.moe.experts import Experts
from glam.moe.permute import Permute


class ParallelExperts(Experts):
    """The experts of one process, in the place of all experts of a layer.

    Args:
        experts: all experts of the layer, of which this process keeps its own.
        mesh: the processes that share them out, one dimension.
    """

    def __init__(self, experts: Experts, mesh: DeviceMesh) -> None:
        nn.Module.__init__(self)
        self.activation, self.activate = experts.activation, experts.activate
        self.up, self.down = (_own_part(weight, mesh) for weight in (experts.up, experts.down))
        self.processes, self._group = mesh.size(), mesh.get_group()

    def weights(self) -> tuple[Tensor, Tensor]:
        """Return the projections of this process's experts."""
        up, down = (w.to_local() if isinstance(w, DTensor) else w for w in (self.up, self.down))
        return up, down

    def forward(self, x: Tensor, ends: Tensor) -> Tensor:
        """Apply each expert to its rows of x (R, M); those of expert e end at `ends[e]`."""
        counts = ends.to(torch.int64).diff(prepend=ends.new_zeros(1)).view(self.processes, -1)
        received = torch.empty_like(counts)
        all_to_all_single(received, counts, group=self._group)
        sent_rows, received_rows = counts.sum(1).tolist(), received.sum(1).tolist()
        rows = _exchange(x, received_rows, sent_rows, self._group)
        # They arrive by process and expert, and are computed by expert and process: in the order
        # that they have on one process.
        own = torch.arange(received.shape[1], device=x.device).repeat(self.processes)
        order = own.repeat_interleave(received.flatten()).argsort(stable=True)
        back = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=x.device))
        rows = Permute.apply(rows, order, back.unsqueeze(1), None)
        rows = super().forward(rows, received.sum(0).cumsum(0).to(torch.int32))
        rows = Permute.apply(rows, back, order.unsqueeze(1), None)
        return _exchange(rows, sent_rows, received_rows, self._group)

    def forward_slots(self, x: Tensor) -> Tensor:
        """Apply each expert to the same number of rows, x (E, rows, M)."""
        n_experts, rows, width = x.shape
        slots = _exchange(x, None, None, self._group)
        own = slots.view(self.processes, -1, rows, width).transpose(0, 1).flatten(1, 2)
        results = super().forward_slots(own).view(-1, self.processes, rows, width).transpose(0, 1)
        return _exchange(results.reshape(n_experts, rows, width), None, None, self._group)


def _own_part(weight: nn.Parameter, mesh: DeviceMesh) -> nn.Parameter:
    """Return a weight of all experts (E, ...) as a distributed one, of which a part is kept."""
    own = weight.detach().chunk(mesh.size())[mesh.get_local_rank()].clone()
    return nn.Parameter(DTensor.from_local(own, mesh, [Shard(0)], run_check=False))


def _exchange(
    rows: Tensor, received: list[int] | None, sent: list[int] | None, group: ProcessGroup
) -> Tensor:
    """Send rows to the other processes; None for both numbers sends each the same."""
    return all_to_all_single_autograd(rows.contiguous(), received, sent, group)
