"""The MoE layer against independent oracles: transformers' Mixtral block and a loop over tokens."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import gelu

from glam.moe.layer import MixtureOfExperts
from glam.moe.router import auxiliary_loss
from tests.support.small_models import CLOSE, mixture


def layer(n_experts: int, top_k: int) -> MixtureOfExperts:
    torch.manual_seed(n_experts + top_k)
    made = MixtureOfExperts(mixture(n_experts, top_k, vocab_size=64))
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return made


def by_token(made: MixtureOfExperts, x: torch.Tensor) -> torch.Tensor:
    """Each token by itself through its experts, straight from the paper's words."""
    rows = []
    for token in x.reshape(-1, x.shape[-1]):
        gates = torch.softmax(made.router.weight @ token, 0)
        best, chosen = gates.topk(made.router.top_k)
        best = best / best.sum() if made.router.top_k > 1 else best
        rows.append(
            sum(
                share * (made.experts.down[e] @ gelu(made.experts.up[e] @ token))
                for share, e in zip(best, chosen, strict=True)
            )
        )
    return torch.stack(rows).view(x.shape)


@pytest.mark.parametrize(("n_experts", "top_k"), [(4, 1), (4, 2), (16, 2), (8, 3), (64, 2)])
def test_output_and_gradients_equal_a_loop_over_tokens(n_experts, top_k):
    made = layer(n_experts, top_k)
    x = torch.randn(3, 16, 32, requires_grad=True)
    error = torch.randn(3, 16, 32)
    fast = torch.autograd.grad(made(x)[0], [x, *made.parameters()], error)
    slow = torch.autograd.grad(by_token(made, x), [x, *made.parameters()], error)
    torch.testing.assert_close(made(x)[0], by_token(made, x), **CLOSE)
    for ours, theirs in zip(fast, slow, strict=True):
        torch.testing.assert_close(ours, theirs, **CLOSE)


def test_output_and_gradients_equal_transformers_mixtral_block():
    """Mixtral's experts are gated; with up-projections that give 1 they are our plain ones.

    The input has a column that is always 1 and the up-projection reads that column only, so
    gelu(x W1) * 1 -> W2 is a plain expert. Router, choice, renormalising and mixing are theirs.
    """
    from transformers import MixtralConfig
    from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock

    made = layer(8, 2)
    config = MixtralConfig(
        hidden_size=32,
        intermediate_size=24,
        num_local_experts=8,
        num_experts_per_tok=2,
        hidden_act="gelu",
    )
    config._experts_implementation = "eager"
    theirs = MixtralSparseMoeBlock(config).eval()
    ones = torch.zeros(8, 24, 32)
    ones[..., -1] = 1
    with torch.no_grad():
        theirs.gate.weight.copy_(made.router.weight)
        theirs.experts.gate_up_proj.copy_(torch.cat([made.experts.up, ones], 1))
        theirs.experts.down_proj.copy_(made.experts.down)
    x = torch.randn(2, 16, 32)
    x[..., -1] = 1
    x.requires_grad_()
    error = torch.randn(2, 16, 32)
    found = theirs(x)
    found = found[0] if isinstance(found, tuple) else found
    torch.testing.assert_close(made(x)[0], found, **CLOSE)
    ours = torch.autograd.grad(
        made(x)[0], [x, made.router.weight, made.experts.up, made.experts.down], error
    )
    other = torch.autograd.grad(
        found, [x, theirs.gate.weight, theirs.experts.gate_up_proj, theirs.experts.down_proj], error
    )
    # The column of ones is read by their up-projection too, so its own gradient is another.
    torch.testing.assert_close(ours[0][..., :-1], other[0][..., :-1], **CLOSE)
    torch.testing.assert_close(ours[1], other[1], **CLOSE)
    torch.testing.assert_close(ours[2], other[2][:, :24], **CLOSE)
    torch.testing.assert_close(ours[3], other[3], **CLOSE)


def test_the_auxiliary_loss_is_one_when_balanced_and_the_number_of_experts_when_collapsed():
    uniform = torch.full((8, 4), 0.25)
    assert auxiliary_loss(uniform, torch.arange(8) % 4).item() == pytest.approx(1)
    collapsed = torch.zeros(8, 4)
    collapsed[:, 2] = 1
    assert auxiliary_loss(collapsed, torch.full((8,), 2)).item() == pytest.approx(4)


def test_no_assignment_is_dropped_and_loads_sum_to_one():
    made = layer(16, 2)
    _, routing = made(torch.randn(2, 16, 32))
    assert routing.load.sum().item() == pytest.approx(1)
    torch.testing.assert_close(routing.weights.sum(-1), torch.ones(32))


@pytest.mark.parametrize("d_expert", [12, 16], ids=["padded to 16", "16"])
def test_experts_of_any_width_that_float32_takes_are_computed_in_bfloat16(d_expert):
    torch.manual_seed(0)
    made = MixtureOfExperts(replace(mixture(4, 2, vocab_size=64), d_expert=d_expert))
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    x = torch.randn(2, 8, 32)
    expected = made(x)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = made(x)[0]
    torch.testing.assert_close(found, expected, rtol=0.05, atol=0.05)
    found.sum().backward()
    assert made.experts.up.grad.shape == (4, d_expert, 32)
