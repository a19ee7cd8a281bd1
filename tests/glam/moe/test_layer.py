"""The MoE layer equals two independent references: transformers' Mixtral and a loop over tokens."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import gelu, relu

from glam.architecture import GLAM, PLAIN
from glam.moe.layer import MixtureOfExperts
from glam.moe.router import auxiliary_loss
from tests.support.small_models import CLOSE, mixture


def build_layer(n_experts: int, top_k: int, architecture=GLAM) -> MixtureOfExperts:
    torch.manual_seed(n_experts + top_k)
    moe = MixtureOfExperts(mixture(n_experts, top_k, vocab_size=64), architecture=architecture)
    for weight in moe.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return moe


def by_token(moe: MixtureOfExperts, x: torch.Tensor) -> torch.Tensor:
    """Return the output of the layer computed token by token, as the paper describes it."""
    activate = {"relu": relu, "gelu": gelu}[moe.experts.activation]
    rows = []
    for token in x.reshape(-1, x.shape[-1]):
        gates = torch.softmax(moe.router.weight @ token, 0)
        weights, chosen = gates.topk(moe.router.top_k)
        weights = weights / weights.sum() if moe.router.top_k > 1 else weights
        rows.append(
            sum(
                weight * (moe.experts.down[e] @ activate(moe.experts.up[e] @ token))
                for weight, e in zip(weights, chosen, strict=True)
            )
        )
    return torch.stack(rows).view(x.shape)


@pytest.mark.parametrize("architecture", [GLAM, PLAIN], ids=["glam", "plain"])
@pytest.mark.parametrize(("n_experts", "top_k"), [(4, 1), (4, 2), (16, 2), (8, 3), (64, 2)])
def test_output_and_gradients_equal_a_loop_over_tokens(n_experts, top_k, architecture):
    moe = build_layer(n_experts, top_k, architecture)
    x = torch.randn(3, 16, 32, requires_grad=True)
    error = torch.randn(3, 16, 32)
    fast = torch.autograd.grad(moe(x)[0], [x, *moe.parameters()], error)
    slow = torch.autograd.grad(by_token(moe, x), [x, *moe.parameters()], error)
    torch.testing.assert_close(moe(x)[0], by_token(moe, x), **CLOSE)
    for ours, theirs in zip(fast, slow, strict=True):
        torch.testing.assert_close(ours, theirs, **CLOSE)


def test_output_and_gradients_equal_transformers_mixtral_block():
    """Mixtral's experts are gated; with up-projections that return 1 they equal our plain ones.

    The input has a column that is always 1 and the up-projection reads only that column, so
    gelu(x W1) * 1 -> W2 is a plain expert. Routing, renormalization and combination are theirs.
    """
    from transformers import MixtralConfig
    from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock

    moe = build_layer(8, 2, PLAIN)
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
        theirs.gate.weight.copy_(moe.router.weight)
        theirs.experts.gate_up_proj.copy_(torch.cat([moe.experts.up, ones], 1))
        theirs.experts.down_proj.copy_(moe.experts.down)
    x = torch.randn(2, 16, 32)
    x[..., -1] = 1
    x.requires_grad_()
    error = torch.randn(2, 16, 32)
    output = theirs(x)
    output = output[0] if isinstance(output, tuple) else output
    torch.testing.assert_close(moe(x)[0], output, **CLOSE)
    ours = torch.autograd.grad(
        moe(x)[0], [x, moe.router.weight, moe.experts.up, moe.experts.down], error
    )
    expected = torch.autograd.grad(
        output,
        [x, theirs.gate.weight, theirs.experts.gate_up_proj, theirs.experts.down_proj],
        error,
    )
    # Their up-projection reads the column of ones too, so its gradient differs.
    torch.testing.assert_close(ours[0][..., :-1], expected[0][..., :-1], **CLOSE)
    torch.testing.assert_close(ours[1], expected[1], **CLOSE)
    torch.testing.assert_close(ours[2], expected[2][:, :24], **CLOSE)
    torch.testing.assert_close(ours[3], expected[3], **CLOSE)


def test_the_auxiliary_loss_is_one_when_balanced_and_the_number_of_experts_when_collapsed():
    uniform = torch.full((8, 4), 0.25)
    assert auxiliary_loss(uniform, torch.arange(8) % 4).item() == pytest.approx(1)
    collapsed = torch.zeros(8, 4)
    collapsed[:, 2] = 1
    assert auxiliary_loss(collapsed, torch.full((8,), 2)).item() == pytest.approx(4)


def test_no_assignment_is_dropped_and_loads_sum_to_one():
    moe = build_layer(16, 2)
    _, routing = moe(torch.randn(2, 16, 32))
    assert routing.load.sum().item() == pytest.approx(1)
    torch.testing.assert_close(routing.weights.sum(-1), torch.ones(32))


@pytest.mark.parametrize("d_expert", [12, 16], ids=["padded to 16", "16"])
def test_experts_of_every_valid_width_are_computed_in_bfloat16_too(d_expert):
    torch.manual_seed(0)
    moe = MixtureOfExperts(replace(mixture(4, 2, vocab_size=64), d_expert=d_expert))
    for weight in moe.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    x = torch.randn(2, 8, 32)
    expected = moe(x)[0]
    output = moe(x, dtype=torch.bfloat16)[0]
    torch.testing.assert_close(output.float(), expected, rtol=0.05, atol=0.05)
    output.sum().backward()
    assert moe.experts.up.grad.shape == (4, d_expert, 32)
