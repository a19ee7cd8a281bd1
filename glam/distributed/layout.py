"""Who has which weights: the meshes of a run, and a model spread over them.

Weights outside the experts are on the mesh of all N processes, as copies or as shards of FSDP.
Experts are on a mesh (D, E): shared out along E, copied or sharded along D.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import Shard

from glam.distributed.degrees import Parallelism, hidden_shards
from glam.distributed.experts import ParallelExperts
from glam.model.decoder import Glam
from glam.moe.experts import Experts
from glam.moe.layer import MixtureOfExperts


@dataclass(frozen=True)
class Meshes:
    """The processes of a run.

    Attributes:
        all: all N of them, one dimension.
        copies: those with a copy of this process's experts, D of them.
        experts: those that share out one copy of the experts, E of them.
    """

    all: DeviceMesh
    copies: DeviceMesh
    experts: DeviceMesh


def build_meshes(parallelism: Parallelism, device: torch.device) -> Meshes:
    """Return the meshes of a run; neighbors in rank share out a copy of the experts."""
    size = (parallelism.data, parallelism.expert)
    mesh = init_device_mesh(device.type, size, mesh_dim_names=("copies", "experts"))
    return Meshes(mesh[("copies", "experts")]._flatten("all"), mesh["copies"], mesh["experts"])


def spread(model: Glam, parallelism: Parallelism, meshes: Meshes) -> None:
    """Keep this process's part of a model that is on no device yet."""
    if parallelism.expert > 1:
        for module in model.modules():
            if isinstance(module, MixtureOfExperts):
                module.experts = ParallelExperts(module.experts, meshes.experts)
    if parallelism.shard:
        _shard(model, parallelism, meshes)


def _shard(model: Glam, parallelism: Parallelism, meshes: Meshes) -> None:
    """Divide weights, gradients and optimizer among their copies.

    Gradients are sums: the loss of each process is already its share of the mean.
    """
    whole: set[nn.Parameter] = set()
    divided: dict[nn.Parameter, Shard] = {}
    n_experts = int(model.shape.n_experts)
    if hidden_shards(parallelism, parallelism.data, n_experts) > 1:
        divided = {w: Shard(dim) for e in _experts(model) for w, dim in ((e.up, 1), (e.down, 2))}

    def dimension(weight: nn.Parameter) -> Shard:
        return divided.get(weight, Shard(0))

    if parallelism.expert > 1:
        for experts in _experts(model):
            if parallelism.data == 1:
                whole |= set(experts.parameters())
                continue
            fully_shard(
                experts,
                mesh=meshes.copies,
                reshard_after_forward=True,
                shard_placement_fn=dimension,
            )
            register_fsdp_forward_method(experts, "forward_slots")
    for module in (*model.layers, model):
        fully_shard(
            module,
            mesh=meshes.all,
            reshard_after_forward=True,
            shard_placement_fn=dimension,
            ignored_params=whole,
        )
    sum_gradients(model)


def sum_gradients(model: nn.Module) -> None:
    """Have FSDP add up gradients over processes: Gloo has no average, nor any other factor."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)


def _experts(model: Glam) -> list[Experts]:
    """Return the experts of each mixture of a model."""
    return [module for module in model.modules() if isinstance(module, Experts)]
