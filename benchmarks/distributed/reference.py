"""A mixture layer whose experts are on several processes, as a short tutorial would write it.

It is what our trainer is measured against: dense experts in a loop, rows sent by torch's
`all_to_all_single_autograd`, and DistributedDataParallel for everything else.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import group
from torch.distributed._functional_collectives import all_to_all_single_autograd as exchange
from torch.nn import functional

from energy.shape import Shape
from glam.moe.layer import MixtureOfExperts
from glam.moe.router import Routing


class PlainExperts(MixtureOfExperts):
    """Top-k experts of a layer, of which each of the processes has its share."""

    def __init__(self, shape: Shape, ranks: int) -> None:
        nn.Module.__init__(self)
        width, hidden = int(shape.d_model), int(shape.d_expert)
        n_experts, self.top_k, self.ranks = int(shape.n_experts), int(shape.top_k), ranks
        self.gate = nn.Linear(width, n_experts, bias=False)
        own = n_experts // ranks
        self.expert_up = nn.ModuleList(nn.Linear(width, hidden, bias=False) for _ in range(own))
        self.expert_down = nn.ModuleList(nn.Linear(hidden, width, bias=False) for _ in range(own))

    def forward(self, x: Tensor, *_: object) -> tuple[Tensor, Routing]:
        """Return the weighted sum of each token's experts, and the balancing loss."""
        tokens = x.flatten(0, -2)
        gates = self.gate(tokens).softmax(-1)
        weights, chosen = gates.topk(self.top_k)
        weights = weights / weights.sum(-1, keepdim=True)
        order = chosen.flatten().argsort()
        rows = tokens[order // self.top_k]
        counts = chosen.flatten().bincount(minlength=gates.shape[1])
        if self.ranks == 1:
            results = self.compute(rows, counts.tolist())
        else:
            received = torch.empty_like(counts)
            dist.all_to_all_single(received, counts)
            by_rank = received.view(self.ranks, -1)
            sent, got = counts.view(self.ranks, -1).sum(1).tolist(), by_rank.sum(1).tolist()
            assert group.WORLD is not None
            arrived = torch.split(
                exchange(rows, got, sent, group.WORLD), by_rank.flatten().tolist()
            )
            own = len(self.expert_up)
            mine = [torch.cat(arrived[expert::own]) for expert in range(own)]
            sizes = [len(part) for part in mine]
            done = torch.split(self.compute(torch.cat(mine), sizes), sizes)
            parts = [torch.split(part, by_rank[:, e].tolist()) for e, part in enumerate(done)]
            back = torch.cat([parts[e][rank] for rank in range(self.ranks) for e in range(own)])
            results = exchange(back, sent, got, group.WORLD)
        weighted = results * weights.flatten()[order, None]
        combined = torch.zeros_like(tokens).index_add(0, order // self.top_k, weighted)
        load = counts / counts.sum()
        loss = gates.shape[1] * (gates.mean(0) * load).sum()
        zero = loss.detach() * 0
        routing = Routing(chosen, weights, loss, zero, load, zero, zero, zero, zero + 1)
        return combined.view_as(x), routing

    def compute(self, rows: Tensor, counts: list[int]) -> Tensor:
        """Apply each expert to its rows, which are sorted by expert."""
        parts = zip(self.expert_up, self.expert_down, torch.split(rows, counts), strict=True)
        return torch.cat([down(functional.relu(up(part))) for up, down, part in parts])
