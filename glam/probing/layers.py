"""Layers of several processes: what they take from each other in a step, and what FSDP2 adds.

A step of several processes lasts as long as that of the slowest. `fully_shard` gathers the weights
of a layer in both directions and scatters its gradient; each of these messages waits for the
slowest process, is copied in and out, and is called from hooks of the layer. Both are measured on
a stack of small layers, forward and backward, at the end of which the processes wait.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed import ProcessGroup
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard

from glam.distributed.layout import sum_gradients

N_LAYERS = 6

WIDTHS = (64, 128, 256)
"""Of the layers that are sharded: 130 KB to 2.1 MB of weights each."""

TOKENS = 512


def layer_bytes(width: int) -> int:
    """Return the bytes of the weights of a layer."""
    return 4 * 8 * width**2


def layers_step(width: int, group: ProcessGroup, *, shard: bool) -> Callable[[], object]:
    """Return a forward and a backward pass of the stack, after which all processes wait.

    Args:
        width: of its input; the hidden layer is four times as wide.
        group: all processes at work.
        shard: whether FSDP2 spreads the weights over them.
    """
    torch.manual_seed(0)
    layers = nn.Sequential(
        *(
            nn.Sequential(
                nn.Linear(width, 4 * width, bias=False),
                nn.GELU(),
                nn.Linear(4 * width, width, bias=False),
            )
            for _ in range(N_LAYERS)
        )
    )
    if shard:
        mesh = DeviceMesh.from_group(group, "cpu")
        for module in (*layers, layers):
            fully_shard(module, mesh=mesh)
        sum_gradients(layers)
    x, token = torch.randn(TOKENS, width), torch.zeros(1)

    def run() -> None:
        layers(x).sum().backward()
        layers.zero_grad()
        dist.all_reduce(token, group=group)

    return run
