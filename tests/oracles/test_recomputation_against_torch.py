"""FLOP of checkpointed networks, as torch's own counter has them, and as software recomputes."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from energy import flops
from energy.shape import Shape
from simulator.facts.software import software_of
from simulator.physics.plan import Plan

WIDTH, HIDDEN, TOKENS = 64, 128, 8


class Network(nn.Module):
    """A feed-forward network of a layer, with its norm and residual."""

    def __init__(self, *, gated: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.up = nn.Linear(WIDTH, HIDDEN, bias=False)
        self.gate = nn.Linear(WIDTH, HIDDEN, bias=False) if gated else None
        self.down = nn.Linear(HIDDEN, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm(x)
        hidden = self.up(normed)
        hidden = hidden.relu() if self.gate is None else self.gate(normed).sigmoid() * hidden
        return x + self.down(hidden)


def counted(network: nn.Module, **checkpointed: bool) -> int:
    """FLOP of a forward and a backward pass, by torch's counter."""
    x = torch.randn(TOKENS, WIDTH, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        y = checkpoint(network, x, **checkpointed) if checkpointed else network(x)
        y.sum().backward()
    return counter.get_total_flops()


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize(
    ("framework", "reentrant"), [("torchtitan", False), ("Megatron-LM (2025)", True)]
)
def test_recomputed_flop_are_those_that_torch_counts(framework, reentrant, gated):
    shape = Shape(
        n_layers=1,
        d_model=WIDTH,
        n_heads=1,
        n_kv_heads=1,
        d_head=WIDTH,
        d_ff=HIDDEN,
        ffn_matrices=3 if gated else 2,
        vocab_size=1,
        seq_len=TOKENS,
    )
    for recompute in ("full", "mlp"):
        plan = Plan(recompute=recompute, **software_of(framework).execution())
        executed = flops.executed_flop(shape, plan.flop_execution())["dense_ffn"]
        assert executed * TOKENS == counted(Network(gated=gated), use_reentrant=reentrant)


def test_two_equal_maps_recompute_a_sixth_of_a_step_without_reentrancy_and_a_third_with_it():
    two = nn.Sequential(*(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(2)))
    step = counted(two)
    assert counted(two, use_reentrant=False) / step == pytest.approx(7 / 6)
    assert counted(two, use_reentrant=True) / step == pytest.approx(4 / 3)
